//! Attributes of operations that send and receive messages, events and invocations, by the semantic conventions.
//!
//! They are read from the serialized request, so that no SDK is a dependency. Bodies of messages are skipped.

use std::borrow::Cow;

use opentelemetry::{KeyValue, Value};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::attributes::{
    AWS_SNS_TOPIC_ARN, AWS_SQS_QUEUE_URL, FAAS_INVOKED_NAME, FAAS_INVOKED_PROVIDER, FAAS_INVOKED_REGION,
    MESSAGING_BATCH_MESSAGE_COUNT, MESSAGING_DESTINATION_NAME, MESSAGING_MESSAGE_ID, MESSAGING_OPERATION_NAME,
    MESSAGING_OPERATION_TYPE, MESSAGING_SYSTEM, OTEL_KIND,
};

/// The maximum length of a name, ARN or URL in bytes. AWS's own are shorter.
const MAX_NAME: usize = 512;
/// The maximum length of a message id in bytes.
const MAX_ID: usize = 128;
/// The maximum size of a response that is read, in bytes.
const MAX_RESPONSE: usize = 256 * 1024;

/// Returns the attributes of a request. `uri` is its URL or path.
pub(super) fn describe_request(
    service: &str,
    operation: &str,
    uri: &str,
    body: &[u8],
    region: Option<&str>,
) -> Vec<KeyValue> {
    match service {
        "SQS" => of_queue(operation, body),
        "SNS" => of_topic(operation, body),
        "EventBridge" => of_bus(operation, body),
        "Lambda" => of_function(operation, uri, region),
        _ => Vec::new(),
    }
}

/// Returns the attributes of a successful response.
pub(super) fn describe_response(service: &str, operation: &str, body: &[u8]) -> Vec<KeyValue> {
    if body.len() > MAX_RESPONSE {
        return Vec::new();
    }
    match (service, operation) {
        ("SQS", "SendMessage") => {
            #[derive(Deserialize)]
            struct Sent {
                #[serde(rename = "MessageId")]
                id: String,
            }
            message_id(serde_json::from_slice(body).ok().map(|sent: Sent| sent.id))
        }
        ("SQS", "ReceiveMessage") => {
            #[derive(Deserialize)]
            struct Received {
                #[serde(rename = "Messages", default)]
                messages: Option<Vec<IgnoredAny>>,
            }
            let received = serde_json::from_slice(body).ok();
            received
                .map(|received: Received| count(received.messages.map_or(0, |list| list.len())))
                .into_iter()
                .collect()
        }
        ("SNS", "Publish") => {
            let text = str::from_utf8(body).unwrap_or_default();
            let id = text.split_once("<MessageId>").and_then(|(_, rest)| rest.split_once("</MessageId>"));
            message_id(id.map(|(id, _)| id.to_owned()))
        }
        _ => Vec::new(),
    }
}

fn of_queue(operation: &str, body: &[u8]) -> Vec<KeyValue> {
    #[derive(Default, Deserialize)]
    struct Request {
        #[serde(rename = "QueueUrl")]
        url: Option<String>,
        #[serde(rename = "Entries")]
        entries: Option<Vec<IgnoredAny>>,
    }
    let Request { url, entries } = serde_json::from_slice(body).unwrap_or_default();
    let mut attributes = vec![KeyValue::new(MESSAGING_SYSTEM, "aws_sqs")];
    attributes.extend(match operation {
        "SendMessage" | "SendMessageBatch" => sending(),
        "ReceiveMessage" => doing("receive", "receive"),
        "DeleteMessage" | "DeleteMessageBatch" => doing("delete", "settle"),
        _ => Vec::new(),
    });
    if let Some(url) = url.filter(|url| is_name(url)) {
        if let Some(name) = url.rsplit('/').next().filter(|name| !name.is_empty()) {
            attributes.push(KeyValue::new(MESSAGING_DESTINATION_NAME, name.to_owned()));
        }
        attributes.push(KeyValue::new(AWS_SQS_QUEUE_URL, url));
    }
    attributes.extend(entries.map(|entries| count(entries.len())));
    attributes
}

/// Reads a form. A target that is a phone number or a device is private.
fn of_topic(operation: &str, body: &[u8]) -> Vec<KeyValue> {
    let mut attributes = vec![KeyValue::new(MESSAGING_SYSTEM, "aws.sns")];
    if !matches!(operation, "Publish" | "PublishBatch") {
        return attributes;
    }
    attributes.extend(sending());
    let (mut topic, mut messages) = (None, 0);
    for (name, value) in str::from_utf8(body).unwrap_or_default().split('&').filter_map(|pair| pair.split_once('=')) {
        match name {
            "TopicArn" | "TargetArn" => topic = percent_decode_str(value).decode_utf8().ok().or(topic),
            name if is_id_of_entry(name) => messages += 1,
            _ => {}
        }
    }
    if let Some(topic) = topic
        && let Some(name) = topic_name(&topic)
    {
        attributes.push(KeyValue::new(MESSAGING_DESTINATION_NAME, name.to_owned()));
        attributes.push(KeyValue::new(AWS_SNS_TOPIC_ARN, topic.clone().into_owned()));
    }
    attributes.extend((operation == "PublishBatch").then(|| count(messages)));
    attributes
}

/// `PublishBatchRequestEntries.member.1.Id`
fn is_id_of_entry(name: &str) -> bool {
    let entry = name.strip_prefix("PublishBatchRequestEntries.member.").and_then(|rest| rest.strip_suffix(".Id"));
    entry.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `arn:aws:sns:eu-west-1:123456789012:news`
fn topic_name(arn: &str) -> Option<&str> {
    let mut parts = arn.split(':');
    let name = parts.nth(5).filter(|_| parts.next().is_none() && is_name(arn) && arn.starts_with("arn:"))?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

fn of_bus(operation: &str, body: &[u8]) -> Vec<KeyValue> {
    #[derive(Default, Deserialize)]
    struct Request {
        #[serde(rename = "Entries", default)]
        entries: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        #[serde(rename = "EventBusName")]
        bus: Option<String>,
    }
    let mut attributes = vec![KeyValue::new(MESSAGING_SYSTEM, "aws.eventbridge")];
    if operation != "PutEvents" {
        return attributes;
    }
    attributes.extend(sending());
    let Request { entries } = serde_json::from_slice(body).unwrap_or_default();
    // A name, or an ARN that ends with `event-bus/<name>`.
    let name = |entry: &Entry| match &entry.bus {
        Some(bus) => bus.rsplit('/').next().unwrap_or_default().to_owned(),
        None => "default".to_owned(),
    };
    let mut buses: Vec<String> = entries.iter().map(name).collect();
    buses.sort_unstable();
    buses.dedup();
    if let [bus] = buses.as_slice()
        && is_name(bus)
    {
        attributes.push(KeyValue::new(MESSAGING_DESTINATION_NAME, bus.clone()));
    }
    attributes.push(count(entries.len()));
    attributes
}

fn of_function(operation: &str, uri: &str, region: Option<&str>) -> Vec<KeyValue> {
    if !matches!(operation, "Invoke" | "InvokeAsync" | "InvokeWithResponseStream") {
        return Vec::new();
    }
    let Some(function) = function(uri) else { return Vec::new() };
    // A name or an ARN, each with or without a qualifier. A partial ARN has no region.
    let parts: Vec<&str> = function.split(':').collect();
    let (name, region) = match parts.as_slice() {
        ["arn", _, "lambda", region, _, "function", name, ..] => (*name, Some(*region)),
        [_, "function", name, ..] | [name, ..] => (*name, region),
        [] => return Vec::new(),
    };
    if !is_name(name) {
        return Vec::new();
    }
    let attributes = [
        (FAAS_INVOKED_NAME, Some(Value::from(name.to_owned()))),
        (FAAS_INVOKED_PROVIDER, Some("aws".into())),
        (FAAS_INVOKED_REGION, region.map(|region| region.to_owned().into())),
    ];
    attributes.into_iter().filter_map(|(key, value)| Some(KeyValue::new(key, value?))).collect()
}

/// `/2015-03-31/functions/invoices/invocations`
fn function(uri: &str) -> Option<Cow<'_, str>> {
    let name = uri.split_once("/functions/")?.1.split(['/', '?']).next()?;
    percent_decode_str(name).decode_utf8().ok()
}

/// The requests carry the span's own context, so the span is the producer.
fn sending() -> Vec<KeyValue> {
    let mut attributes = doing("send", "send");
    attributes.push(KeyValue::new(OTEL_KIND, "producer"));
    attributes
}

fn doing(name: &'static str, kind: &'static str) -> Vec<KeyValue> {
    vec![KeyValue::new(MESSAGING_OPERATION_NAME, name), KeyValue::new(MESSAGING_OPERATION_TYPE, kind)]
}

fn count(messages: usize) -> KeyValue {
    KeyValue::new(MESSAGING_BATCH_MESSAGE_COUNT, i64::try_from(messages).unwrap_or(i64::MAX))
}

fn message_id(id: Option<String>) -> Vec<KeyValue> {
    let id = id.filter(|id| is_name(id) && id.len() <= MAX_ID);
    id.map(|id| KeyValue::new(MESSAGING_MESSAGE_ID, id)).into_iter().collect()
}

/// Returns whether a text can be a name, ARN, URL or id of AWS.
fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders";
    const TOPIC: &str = "arn%3Aaws%3Asns%3Aeu-west-1%3A123456789012%3Anews";

    fn text(attributes: Vec<KeyValue>) -> Vec<String> {
        let mut attributes: Vec<_> =
            attributes.iter().map(|attribute| format!("{}={}", attribute.key, attribute.value)).collect();
        attributes.sort_unstable();
        attributes
    }

    fn request(service: &str, operation: &str, body: &str) -> Vec<String> {
        text(describe_request(service, operation, "/", body.as_bytes(), Some("eu-west-1")))
    }

    fn invoke(uri: &str, region: Option<&str>) -> Vec<String> {
        text(describe_request("Lambda", "Invoke", uri, b"canary", region))
    }

    #[test]
    fn batch_of_a_queue_is_counted() {
        let body = format!(
            r#"{{"QueueUrl":"{QUEUE}","Entries":[{{"Id":"1","MessageBody":"canary"}},{{"Id":"2","MessageBody":"x"}}]}}"#
        );
        let expected = |name: &str, kind: &str| {
            vec![
                format!("aws.sqs.queue.url={QUEUE}"),
                "messaging.batch.message_count=2".to_owned(),
                "messaging.destination.name=orders".to_owned(),
                format!("messaging.operation.name={name}"),
                format!("messaging.operation.type={kind}"),
                "messaging.system=aws_sqs".to_owned(),
            ]
        };
        let mut sent = expected("send", "send");
        sent.push("otel.kind=producer".to_owned());
        assert_eq!(request("SQS", "SendMessageBatch", &body), sent);
        assert_eq!(request("SQS", "DeleteMessageBatch", &body), expected("delete", "settle"));
        assert_eq!(request("SQS", "ListQueues", r#"{"QueueNamePrefix":"x"}"#), ["messaging.system=aws_sqs"]);
        for body in ["", "{", r#"{"QueueUrl":7}"#, r#"{"QueueUrl":"a b"}"#] {
            assert_eq!(request("SQS", "CreateQueue", body), ["messaging.system=aws_sqs"], "{body}");
        }
    }

    #[test]
    fn topic_has_its_arn_and_a_phone_number_is_private() {
        let sending = ["messaging.operation.name=send", "messaging.operation.type=send", "messaging.system=aws.sns"];
        let (name, arn) =
            ("messaging.destination.name=news", "aws.sns.topic.arn=arn:aws:sns:eu-west-1:123456789012:news");
        let body = format!("Action=Publish&Version=2010-03-31&TopicArn={TOPIC}&Message=canary%26TopicArn%3Dx");
        let [one, two, three] = sending;
        assert_eq!(request("SNS", "Publish", &body), [arn, name, one, two, three, "otel.kind=producer"]);
        let batch = format!(
            "Action=PublishBatch&Version=2010-03-31&TopicArn={TOPIC}\
             &PublishBatchRequestEntries.member.1.Id=a&PublishBatchRequestEntries.member.1.Message=canary\
             &PublishBatchRequestEntries.member.2.Id=b&PublishBatchRequestEntries.member.2.Message=x"
        );
        let count = "messaging.batch.message_count=2";
        assert_eq!(request("SNS", "PublishBatch", &batch), [arn, count, name, one, two, three, "otel.kind=producer"]);
        for private in [
            "Action=Publish&PhoneNumber=%2B4915112345678&Message=canary",
            "Action=Publish&TargetArn=arn%3Aaws%3Asns%3Aeu-west-1%3A123456789012%3Aendpoint%2FGCM%2Fapp%2Fdevice",
            "Action=Publish&TopicArn=%FF",
        ] {
            assert_eq!(request("SNS", "Publish", private), [one, two, three, "otel.kind=producer"]);
        }
        assert_eq!(request("SNS", "ListTopics", "Action=ListTopics"), [three]);
    }

    #[test]
    fn events_have_their_bus() {
        let sent = |bus: &[&str], count: &str| {
            let mut attributes: Vec<_> = bus.iter().map(|bus| format!("messaging.destination.name={bus}")).collect();
            attributes.insert(0, format!("messaging.batch.message_count={count}"));
            attributes.extend(["messaging.operation.name=send", "messaging.operation.type=send"].map(str::to_owned));
            attributes.extend(["messaging.system=aws.eventbridge", "otel.kind=producer"].map(str::to_owned));
            attributes
        };
        let event = |bus: &str| format!(r#"{{"Source":"shop","DetailType":"x","Detail":"{{\"a\":\"canary\"}}"{bus}}}"#);
        let (default, named) = (event(""), event(r#","EventBusName":"shop""#));
        let by_arn = event(r#","EventBusName":"arn:aws:events:eu-west-1:123456789012:event-bus/shop""#);
        for (entries, expected) in [
            (default.clone(), sent(&["default"], "1")),
            (format!("{named},{by_arn}"), sent(&["shop"], "2")),
            (format!("{default},{named}"), sent(&[], "2")),
            (String::new(), sent(&[], "0")),
        ] {
            assert_eq!(request("EventBridge", "PutEvents", &format!(r#"{{"Entries":[{entries}]}}"#)), expected);
        }
    }

    #[test]
    fn invoked_function_has_name_and_region() {
        let expected = |region: &str| {
            vec![
                "faas.invoked_name=invoices".to_owned(),
                "faas.invoked_provider=aws".to_owned(),
                format!("faas.invoked_region={region}"),
            ]
        };
        for (function, region) in [
            ("invoices", "eu-west-1"),
            ("invoices%3Alive", "eu-west-1"),
            ("123456789012%3Afunction%3Ainvoices", "eu-west-1"),
            ("arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Ainvoices", "us-east-1"),
            ("arn:aws:lambda:us-east-1:123456789012:function:invoices:live", "us-east-1"),
        ] {
            let uri = format!(
                "https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/{function}/invocations?Qualifier=1"
            );
            assert_eq!(invoke(&uri, Some("eu-west-1")), expected(region), "{function}");
        }
        assert_eq!(invoke("/2015-03-31/functions/invoices/invocations", None), expected("")[..2]);
        for uri in ["/", "/2015-03-31/functions/", "/2015-03-31/functions/%FF/invocations"] {
            assert_eq!(invoke(uri, None), [""; 0], "{uri}");
        }
        assert_eq!(request("DynamoDB", "PutItem", r#"{"QueueUrl":"x"}"#), [""; 0]);
    }

    #[test]
    fn response_has_the_message_id() {
        let of = |service, operation, body: &str| text(describe_response(service, operation, body.as_bytes()));
        let sns = "<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>";
        assert_eq!(of("SNS", "Publish", sns), ["messaging.message.id=m-1"]);
        assert_eq!(of("SQS", "SendMessage", r#"{"MessageId":"m-1"}"#), ["messaging.message.id=m-1"]);
        assert_eq!(of("SQS", "ReceiveMessage", "{}"), ["messaging.batch.message_count=0"]);
        for junk in ["", "{}", r#"{"MessageId":""}"#, "<MessageId> </MessageId>"] {
            assert_eq!((of("SQS", "SendMessage", junk), of("SNS", "Publish", junk)), (vec![], vec![]), "{junk}");
        }
        assert_eq!(of("DynamoDB", "GetItem", r#"{"MessageId":"m-1"}"#), [""; 0]);
    }
}

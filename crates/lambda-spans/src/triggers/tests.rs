mod fixtures;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::detect;
use super::trigger::{MAX_LINKS, Trigger};

const EVENTS: [&[u8]; 17] = [
    include_bytes!("../../tests/data/sqs.json"),
    include_bytes!("../../tests/data/sns.json"),
    include_bytes!("../../tests/data/dynamodb.json"),
    include_bytes!("../../tests/data/eventbridge.json"),
    include_bytes!("../../tests/data/cognito.json"),
    include_bytes!("../../tests/data/apigw_rest.json"),
    include_bytes!("../../tests/data/kinesis.json"),
    include_bytes!("../../tests/data/s3.json"),
    include_bytes!("../../tests/data/event_msk.json"),
    include_bytes!("../../tests/data/event_durable.json"),
    include_bytes!("../../tests/data/pipe_kafka.json"),
    include_bytes!("../../tests/data/pipe_activemq.json"),
    include_bytes!("../../tests/data/aws_lambda_events/activemq-event.json"),
    include_bytes!("../../tests/data/aws_lambda_events/rabbitmq-event.json"),
    include_bytes!("../../tests/data/aws_lambda_events/documentdb-update-event.json"),
    include_bytes!("../../tests/data/aws_lambda_events/vpc-lattice-v2-request.json"),
    include_bytes!("../../tests/data/aws_lambda_events/apigw-websocket-request-without-method.json"),
];

fn attribute(trigger: &Trigger, key: &str) -> Option<String> {
    trigger.attributes.iter().find(|attribute| attribute.key.as_str() == key).map(|found| found.value.to_string())
}

fn case(event: &[u8]) -> Value {
    serde_json::from_slice(event).unwrap()
}

#[test]
fn similar_events_are_other() {
    for event in [
        json!({ "Records": [] }),
        json!({ "Records": {} }),
        json!({ "Records": [{ "eventSource": 1 }] }),
        json!({ "Records": [{ "eventSource": "aws:elsewhere" }] }),
        json!({ "source": { "a": 1 }, "detail-type": "x" }),
        json!({ "source": " ", "detail-type": "x" }),
        json!({ "triggerSource": "x" }),
        json!({ "Records": [], "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:orders" }),
        case(include_bytes!("../../tests/data/event_custom_request_context.json")),
        case(include_bytes!("../../tests/data/event_custom_source.json")),
        case(include_bytes!("../../tests/data/event_custom_trigger.json")),
        case(include_bytes!("../../tests/data/event_destination_stream.json")),
        case(include_bytes!("../../tests/data/event_lambda_authorizer_token.json")),
        case(include_bytes!("../../tests/data/event_custom_records.json")),
        json!({ "type": "REQUEST", "routeArn": "x", "requestContext": { "http": {} } }),
        json!({
            "methodArn": null, "routeArn": "x", "rawPath": "/", "requestContext": { "http": { "method": "GET" } }
        }),
        json!({ "requestContext": { "apiId": "x" } }),
        json!({ "requestContext": { "http": { "method": "GET" } } }),
        json!({ "requestContext": { "connectionId": "x" } }),
        json!({ "raw_path": "/", "method": "GET" }),
        json!({ "eventSource": "aws:kafka", "records": [] }),
        json!({ "eventSource": "aws:kafka" }),
        json!({ "eventSource": "aws:mq", "messages": "x" }),
        json!({ "eventSource": "aws:docdb", "events": null }),
        json!({ "DurableExecutionArn": "arn:aws:lambda:x" }),
        json!({ "DurableExecutionArn": "x", "CheckpointToken": "y" }),
        json!({ "Records": [], "eventSourceARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks" }),
        json!({ "Records": [
            { "eventSource": "aws:sqs", "messageId": "1" }, { "eventSource": "aws:s3", "s3": {} }
        ]}),
        json!([{ "eventSource": "aws:sqs" }]),
        json!([{ "eventSource": "mine", "body": "x" }]),
        json!([1, 2]),
        json!("text"),
    ] {
        let trigger = detect::trigger(event.to_string().as_bytes());
        assert_eq!((trigger.name.as_deref(), attribute(&trigger, "faas.trigger").as_deref()), (None, Some("other")));
    }
}

/// Name and attributes without those of every batch.
fn described(event: &[u8]) -> (String, Vec<String>) {
    let trigger = detect::trigger(event);
    let of_batch = ["faas.trigger", "messaging.operation.name", "messaging.operation.type"];
    let attributes = trigger.attributes.iter().filter(|attribute| !of_batch.contains(&attribute.key.as_str()));
    let mut attributes: Vec<_> = attributes.map(|found| format!("{}={}", found.key, found.value)).collect();
    attributes.sort_unstable();
    (trigger.name.unwrap_or_default(), attributes)
}

#[test]
fn last_of_two_equal_members_counts() {
    let twice = include_str!("../../tests/data/event_dup_keys.json");
    assert_eq!(attribute(&detect::trigger(twice.as_bytes()), "faas.trigger").as_deref(), Some("other"));
    let message = r#"{"eventSource": "aws:s3", "eventSource": "aws:sqs", "messageId": "1",
        "eventSourceARN": "arn:aws:sqs:x:1:orders", "eventSourceARN": null, "eventSourceARN": "arn:aws:sqs:x:1:returns"}"#;
    let event = twice.replace(r#"{"eventSource":"aws:sqs"}"#, message);
    assert_eq!(described(event.as_bytes()).0, "process returns");
}

#[test]
fn kafka_record_has_its_topic_and_place() {
    let (name, attributes) = described(include_bytes!("../../tests/data/event_msk.json"));
    let expected = [
        "messaging.batch.message_count=1",
        "messaging.destination.name=orders",
        "messaging.destination.partition.id=0",
        "messaging.kafka.offset=15",
        "messaging.system=kafka",
    ];
    assert_eq!((name.as_str(), attributes), ("process orders", expected.map(str::to_owned).to_vec()));
}

#[test]
fn kafka_batch_of_several_topics_has_no_destination() {
    let record = |topic, partition| json!({ "topic": topic, "partition": partition, "offset": 1, "value": "e30=" });
    let batch =
        |records| json!({ "eventSource": "SelfManagedKafka", "bootstrapServers": "b:9092", "records": records });
    let several = batch(json!({ "orders-0": [record("orders", 0)], "returns-0": [record("returns", 0), null] }));
    let (name, attributes) = described(several.to_string().as_bytes());
    assert_eq!(name, "process multiple_sources");
    assert_eq!(attributes, ["messaging.batch.message_count=3", "messaging.system=kafka"]);

    let partitions = batch(json!({ "a-b-0": [record("a-b", 0)], "a-b-1": [{ "offset": 7 }] }));
    let (name, attributes) = described(partitions.to_string().as_bytes());
    assert_eq!(name, "process a-b");
    assert_eq!(
        attributes,
        ["messaging.batch.message_count=2", "messaging.destination.name=a-b", "messaging.system=kafka"]
    );
}

#[test]
fn records_of_a_pipe_are_the_records_of_their_source() {
    for (event, expected) in [
        (&include_bytes!("../../tests/data/pipe_kafka.json")[..], "process mytopic"),
        (include_bytes!("../../tests/data/pipe_activemq.json"), "process testQueue"),
    ] {
        assert_eq!(described(event).0, expected);
    }
    let message: Value = case(include_bytes!("../../tests/data/event_sqs_both.json"))["Records"].clone();
    assert_eq!(described(message.to_string().as_bytes()).0, "process orders");
    assert_eq!(linked(message.to_string().as_bytes()).len(), 2);
    let kinesis = json!([{
        "eventSource": "aws:kinesis", "eventSourceARN": "arn:aws:kinesis:x:1:stream/clicks", "data": "e30=",
        "sequenceNumber": "4959", "partitionKey": "1",
    }]);
    assert_eq!(described(kinesis.to_string().as_bytes()).0, "process clicks");
    let change = json!([{
        "eventSource": "aws:dynamodb", "eventSourceARN": "arn:aws:dynamodb:x:1:table/orders/stream/y",
        "dynamodb": { "SequenceNumber": "1" }, "eventName": "REMOVE",
    }]);
    assert_eq!(described(change.to_string().as_bytes()).0, "process orders");
    let rabbit = json!([{
        "eventSource": "aws:rmq", "eventSourceKey": "pizzaQueue::/", "basicProperties": { "messageId": "m-1" },
    }]);
    let (name, attributes) = described(rabbit.to_string().as_bytes());
    assert_eq!(name, "process pizzaQueue");
    assert!(attributes.contains(&"messaging.message.id=m-1".to_owned()), "{attributes:?}");
}

#[test]
fn durable_execution_is_other_with_its_arn() {
    let trigger = detect::trigger(include_bytes!("../../tests/data/event_durable.json"));
    assert_eq!((&trigger.name, attribute(&trigger, "faas.trigger").as_deref()), (&None, Some("other")));
    assert_eq!(
        attribute(&trigger, "aws.lambda.durable_execution.arn").as_deref(),
        Some("arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST/durable-execution/a/b")
    );
}

#[test]
fn changes_of_two_collections_are_named_after_the_database() {
    let change =
        |collection| json!({ "event": { "ns": { "db": "shop", "coll": collection }, "operationType": "insert" } });
    let batch = |changes| json!({ "eventSource": "aws:docdb", "eventSourceArn": "x", "events": changes }).to_string();
    let (name, attributes) = described(batch(json!([change("orders"), change("returns")])).as_bytes());
    let expected =
        ["faas.document.collection=shop", "faas.document.operation=insert", "messaging.batch.message_count=2"];
    assert_eq!((name.as_str(), attributes), ("process shop", expected.map(str::to_owned).to_vec()));
    assert_eq!(described(batch(json!([change("orders"), null])).as_bytes()).0, "process shop.orders");
}

#[test]
fn message_of_a_web_socket_is_named_after_its_route() {
    for route in ["sendMessage", "$default"] {
        let event = json!({
            "requestContext": { "routeKey": route, "eventType": "MESSAGE", "connectionId": "c=", "apiId": "x" },
            "body": "{}", "isBase64Encoded": false,
        });
        let trigger = detect::trigger(event.to_string().as_bytes());
        assert_eq!((trigger.name.as_deref(), trigger.consumer), (Some(route), false));
        assert_eq!(attribute(&trigger, "faas.trigger").as_deref(), Some("http"));
    }
}

#[test]
fn null_field_of_a_message_is_missing() {
    let (count, id) = ("messaging.batch.message_count=1", "messaging.message.id=11111111-1111-1111-1111-123456789012");
    let (queue, system) = ("messaging.destination.name=orders", "messaging.system=aws_sqs");
    let (name, attributes) = described(include_bytes!("../../tests/data/event_sqs_arn_null.json"));
    assert_eq!((name.as_str(), attributes), ("process", [count, id, system].map(str::to_owned).to_vec()));
    for event in [
        &include_bytes!("../../tests/data/event_sqs_attr_null.json")[..],
        include_bytes!("../../tests/data/event_sqs_eventname_null.json"),
    ] {
        let (name, attributes) = described(event);
        assert_eq!(
            (name.as_str(), attributes),
            ("process orders", [count, queue, id, system].map(str::to_owned).to_vec())
        );
    }
}

#[test]
fn scheduler_event_is_named_after_its_schedule() {
    let event = include_bytes!("../../tests/data/event_scheduler.json");
    assert_eq!(described(event).0, "process nightly-report");
    assert_eq!(attribute(&detect::trigger(event), "faas.trigger").as_deref(), Some("timer"));
}

#[test]
fn escaped_member_name_is_the_same_name() {
    assert_eq!(described(include_bytes!("../../tests/data/event_escaped_key.json")).0, "process q");
}

#[test]
fn window_without_records_is_named_after_its_stream() {
    let (name, attributes) = described(include_bytes!("../../tests/data/event_kinesis_window_final.json"));
    assert_eq!(name, "process mystream");
    assert!(attributes.contains(&"messaging.batch.message_count=0".to_owned()), "{attributes:?}");
}

#[test]
fn objects_of_several_buckets_have_no_bucket() {
    let (name, attributes) = described(include_bytes!("../../tests/data/event_s3_many.json"));
    assert_eq!(
        (name.as_str(), attributes),
        ("process multiple_sources", vec!["messaging.batch.message_count=2".to_owned()])
    );
}

/// Trace id, span id and sampling of each link.
fn linked(event: &[u8]) -> Vec<String> {
    let links = detect::trigger(event).links;
    links.iter().map(|link| format!("{}-{}-{}", link.trace_id(), link.span_id(), link.is_sampled())).collect()
}

#[test]
fn event_links_to_every_trace_that_it_names() {
    let client = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-true".to_owned();
    let sender = |sampled| format!("6925a3f0000000000000000000000001-00000000000000a1-{sampled}");
    assert_eq!(
        linked(include_bytes!("../../tests/data/event_eventbridge_traceheader.json")),
        std::slice::from_ref(&client)
    );
    for envelope in [
        &include_bytes!("../../tests/data/event_eventbridge_in_sqs.json")[..],
        include_bytes!("../../tests/data/event_sns_in_sqs.json"),
        include_bytes!("../../tests/data/event_msk.json"),
    ] {
        assert_eq!(linked(envelope), std::slice::from_ref(&client));
    }
    let both = include_str!("../../tests/data/event_sqs_both.json");
    assert_eq!(linked(both.as_bytes()), [sender(true), client]);
    let same = both.replace("4bf92f3577b34da6a3ce929d0e0e4736", "6925a3f0000000000000000000000001");
    assert_eq!(linked(same.as_bytes()), [sender(true)]);
    assert_eq!(linked(include_bytes!("../../tests/data/event_sqs_header_unsampled.json")), [sender(false)]);
    assert_eq!(linked(include_bytes!("../../tests/data/event_sqs_header_rootonly.json")), [""; 0]);
}

#[test]
fn malformed_record_has_no_empty_attribute() {
    for (source, fields) in [
        ("aws:sqs", json!({ "messageId": "", "eventSourceARN": "" })),
        ("aws:sqs", json!({ "messageId": 5, "eventSourceARN": ["x"], "attributes": 1 })),
        ("aws:sqs", json!({ "messageId": " \n", "eventSourceARN": "arn:aws:sqs:x:1: " })),
        ("aws:sns", json!({ "Sns": { "MessageId": null, "TopicArn": "" } })),
        ("aws:sns", json!({ "Sns": null })),
        ("aws:kinesis", json!({ "eventSourceARN": "arn:aws:kinesis:x:1:stream/", "kinesis": { "sequenceNumber": 1 } })),
        ("aws:dynamodb", json!({ "eventSourceARN": null, "eventName": "", "dynamodb": {} })),
        ("aws:s3", json!({ "eventName": null, "eventTime": "", "s3": { "bucket": { "name": "" } } })),
    ] {
        let mut record = fields.clone();
        record["eventSource"] = json!(source);
        let (name, attributes) = described(json!({ "Records": [record] }).to_string().as_bytes());
        assert_eq!(name, "process", "{fields}");
        let values = attributes.iter().filter_map(|attribute| attribute.split_once('='));
        let unexpected: Vec<_> =
            values.filter(|(key, _)| !["messaging.batch.message_count", "messaging.system"].contains(key)).collect();
        assert_eq!(unexpected, [], "{fields}");
    }
}

#[test]
fn malformed_record_leaves_the_others() {
    let record = |arn: &str| json!({ "eventSource": "aws:sqs", "eventSourceARN": arn, "messageId": "m" });
    let event = json!({ "Records": [record("arn:aws:sqs:x:1:orders"), null, "text", record("")] });
    let (name, attributes) = described(event.to_string().as_bytes());
    assert_eq!(name, "process orders");
    assert!(attributes.contains(&"messaging.batch.message_count=4".to_owned()), "{attributes:?}");
}

#[test]
fn http_event_is_detected_without_its_layer() {
    assert_eq!(attribute(&detect::trigger(EVENTS[5]), "faas.trigger").as_deref(), Some("http"));
}

#[test]
fn http_event_with_a_member_of_another_kind_is_http() {
    let event: Value = serde_json::from_slice(EVENTS[5]).unwrap();
    for (name, value) in [
        ("Records", json!(null)),
        ("eventSource", json!("mine")),
        ("detail-type", json!("x")),
        ("triggerSource", json!(1)),
    ] {
        let mut event = event.clone();
        event[name] = value;
        let trigger = detect::trigger(event.to_string().as_bytes());
        assert_eq!(attribute(&trigger, "faas.trigger").as_deref(), Some("http"), "{name}");
    }
}

#[test]
fn large_batch_links_to_128_records() {
    let record = |n: u64| {
        json!({
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:orders",
            "messageId": n.to_string(),
            "attributes": {
                "AWSTraceHeader": format!("Root=1-6925a3f0-{n:024x};Parent=00000000000000a1;Sampled=1")
            },
        })
    };
    let event = json!({ "Records": (1..=10_000).map(record).collect::<Vec<_>>() });
    let trigger = detect::trigger(event.to_string().as_bytes());
    assert_eq!(trigger.links.len(), 128);
    assert_eq!(attribute(&trigger, "messaging.batch.message_count").as_deref(), Some("10000"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_an_event(bytes: Vec<u8>) {
        prop_assert!(attribute(&detect::trigger(&bytes), "faas.trigger").is_some());
    }

    /// An event with one changed byte anywhere is still read, and the result is bounded.
    #[test]
    fn damaged_event_is_an_event(event in 0..EVENTS.len(), at: proptest::sample::Index, byte: u8) {
        let mut bytes = EVENTS[event].to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let trigger = detect::trigger(&bytes);
        prop_assert!(trigger.links.len() <= MAX_LINKS);
        prop_assert!(trigger.name.is_none_or(|name| name.len() <= 300));
        prop_assert!(trigger.attributes.iter().all(|attribute| attribute.value.to_string().len() <= 300));
    }

    /// Events with arbitrary values in known fields.
    #[test]
    fn values_of_any_shape_are_an_event(source in "aws:(sqs|sns|dynamodb|kinesis|s3)", value in any_json(), other in any_json()) {
        let event = json!({ "Records": [{
            "eventSource": source, "attributes": value, "messageAttributes": other, "Sns": value, "dynamodb": other,
            "kinesis": value, "s3": other, "eventTime": value,
        }]});
        let trigger = detect::trigger(event.to_string().as_bytes());
        prop_assert!(trigger.name.is_some() && trigger.links.is_empty());
    }

    /// Batches of brokers with arbitrary values in known fields.
    #[test]
    fn broker_values_of_any_shape_are_an_event(
        source in "aws:(kafka|mq|rmq|docdb)|SelfManagedKafka", value in any_json(), other in any_json(),
    ) {
        let record = json!({
            "topic": value, "partition": other, "offset": value, "headers": other, "value": value, "destination": other,
            "properties": value, "basicProperties": other, "messageID": value, "event": other, "data": value,
        });
        for records in [json!([record]), json!({ "a": [record] }), value] {
            let event = json!({
                "eventSource": source, "records": records, "messages": records, "rmqMessagesByQueue": records, "events": records,
            });
            prop_assert!(attribute(&detect::trigger(event.to_string().as_bytes()), "faas.trigger").is_some());
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    let key = "(AWSTraceHeader|traceparent|stringValue|Value|NewImage|trace_context|S|MessageAttributes|TopicArn|sequenceNumber|bucket|name|x)";
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key, inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

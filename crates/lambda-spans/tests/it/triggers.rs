use crate::support::{CLIENT_SPAN_ID, CLIENT_TRACE_ID, Stack, Trace, attributes, links, summary};

const SQS: &str = include_str!("../data/sqs.json");
const SNS: &str = include_str!("../data/sns.json");
const DYNAMODB: &str = include_str!("../data/dynamodb.json");
const KINESIS: &str = include_str!("../data/kinesis.json");
const S3: &str = include_str!("../data/s3.json");
const EVENTBRIDGE: &str = include_str!("../data/eventbridge.json");
const SCHEDULE: &str = include_str!("../data/schedule.json");
const COGNITO: &str = include_str!("../data/cognito.json");
const KAFKA: &str = include_str!("../data/event_msk.json");
const DURABLE: &str = include_str!("../data/event_durable.json");
const WEB_SOCKET: &str = include_str!("../data/aws_lambda_events/apigw-websocket-request-without-method.json");
const PLAIN: &str = include_str!("../data/plain.json");

const SERVER: i32 = 2;
const CONSUMER: i32 = 5;

/// The trace of a function that returns `response`, or fails without one.
async fn invoke(event: &str, response: Option<&str>) -> Trace {
    let response: Vec<_> = response.iter().map(|response| ("RESPONSE", (*response).to_owned())).collect();
    let trace = Stack::start("event", &response).await.invoke(event).await;
    trace.assert_nothing_private();
    trace
}

fn client() -> (String, String) {
    (CLIENT_TRACE_ID.to_owned(), CLIENT_SPAN_ID.to_owned())
}

#[tokio::test]
async fn sqs_batch_links_to_every_message_context() {
    let trace = invoke(SQS, Some("null")).await;
    let expected = attributes([
        ("faas.trigger", "pubsub"),
        ("messaging.batch.message_count", "int 3"),
        ("messaging.destination.name", "orders"),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.system", "aws_sqs"),
    ]);
    assert_eq!(summary(trace.root()), ("process orders".to_owned(), CONSUMER, false, expected));
    let sender = ("6925a3f0000000000000000000000001".to_owned(), "00000000000000a1".to_owned());
    assert_eq!(links(trace.root()), [sender, client()]);
}

#[tokio::test]
async fn sqs_retries_are_counted_as_failures() {
    let one = r#"{"batchItemFailures": [{"itemIdentifier": "059f36b4-87a3-44ab-83d2-661975000002"}]}"#;
    let (.., failed, one_failed) = summary(invoke(SQS, Some(one)).await.root());
    assert_eq!((failed, one_failed["faas.batch.failures"].as_str()), (false, "int 1"));

    let all = r#"{"batchItemFailures": [{"itemIdentifier": ""}]}"#;
    let (.., failed, all_failed) = summary(invoke(SQS, Some(all)).await.root());
    assert_eq!((failed, all_failed["faas.batch.failures"].as_str()), (true, "int 3"));
    assert_eq!(all_failed["error.type"], "batch_failed");
}

#[tokio::test]
async fn sqs_batch_of_several_queues_has_no_destination() {
    let (name, _, _, attributes) = summary(invoke(&SQS.replacen(":orders", ":returns", 1), Some("null")).await.root());
    assert_eq!(name, "process multiple_sources");
    assert!(!attributes.contains_key("messaging.destination.name"));
}

#[tokio::test]
async fn sns_notification_links_to_its_sender() {
    let trace = invoke(SNS, Some("null")).await;
    let expected = attributes([
        ("faas.trigger", "pubsub"),
        ("messaging.batch.message_count", "int 1"),
        ("messaging.destination.name", "news"),
        ("messaging.message.id", "95df01b4-ee98-5cb9-9903-4c221d41eb5e"),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.system", "aws.sns"),
    ]);
    assert_eq!(summary(trace.root()), ("process news".to_owned(), CONSUMER, false, expected));
    assert_eq!(links(trace.root()), [client()]);
}

#[tokio::test]
async fn dynamodb_batch_links_writers_and_counts_failures() {
    let failures = r#"{"batchItemFailures": [{"itemIdentifier": "100000000000000000000002"}]}"#;
    let trace = invoke(DYNAMODB, Some(failures)).await;
    let expected = attributes([
        ("faas.batch.failures", "int 2"),
        ("faas.document.collection", "cruddur"),
        ("faas.document.operation", "insert"),
        ("faas.trigger", "datasource"),
        ("messaging.batch.message_count", "int 3"),
    ]);
    assert_eq!(summary(trace.root()), ("process cruddur".to_owned(), CONSUMER, false, expected));
    assert_eq!(links(trace.root()), [client()]);
}

#[tokio::test]
async fn kinesis_failures_count_from_the_first_one() {
    let failures =
        r#"{"batchItemFailures": [{"itemIdentifier": "49590338271490256608559692540925702759324208523137515618"}]}"#;
    let trace = invoke(KINESIS, Some(failures)).await;
    let expected = attributes([
        ("aws.kinesis.stream_name", "clicks"),
        ("faas.batch.failures", "int 1"),
        ("faas.trigger", "pubsub"),
        ("messaging.batch.message_count", "int 2"),
        ("messaging.destination.name", "clicks"),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.system", "aws.kinesis"),
    ]);
    assert_eq!(summary(trace.root()), ("process clicks".to_owned(), CONSUMER, false, expected));
}

#[tokio::test]
async fn s3_span_has_the_bucket_without_the_key() {
    let expected = attributes([
        ("aws.s3.bucket", "cruddur-avatars"),
        ("faas.document.collection", "cruddur-avatars"),
        ("faas.document.operation", "insert"),
        ("faas.document.time", "2026-11-22T12:00:00.192Z"),
        ("faas.trigger", "datasource"),
    ]);
    let trace = invoke(S3, Some("null")).await;
    assert_eq!(summary(trace.root()), ("process cruddur-avatars".to_owned(), CONSUMER, false, expected));
}

#[tokio::test]
async fn eventbridge_span_has_its_source() {
    let expected = attributes([
        ("aws.eventbridge.detail_type", "Order Placed"),
        ("aws.eventbridge.source", "shop.orders"),
        ("faas.time", "2026-11-22T12:00:00Z"),
        ("faas.trigger", "pubsub"),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.system", "aws.eventbridge"),
    ]);
    let trace = invoke(EVENTBRIDGE, Some("null")).await;
    assert_eq!(summary(trace.root()), ("process shop.orders".to_owned(), CONSUMER, false, expected));
}

#[tokio::test]
async fn schedule_is_a_timer() {
    let expected = attributes([
        ("aws.eventbridge.detail_type", "Scheduled Event"),
        ("aws.eventbridge.source", "aws.events"),
        ("faas.time", "2026-11-22T12:00:00Z"),
        ("faas.trigger", "timer"),
    ]);
    let trace = invoke(SCHEDULE, Some("null")).await;
    assert_eq!(summary(trace.root()), ("process nightly-clean-up".to_owned(), CONSUMER, false, expected));
}

#[tokio::test]
async fn cognito_span_has_the_trigger_without_the_user() {
    let expected = attributes([
        ("aws.cognito.trigger_source", "PostConfirmation_ConfirmSignUp"),
        ("aws.cognito.user_pool.id", "eu-west-1_AbCdEf123"),
        ("faas.trigger", "other"),
    ]);
    let trace = invoke(COGNITO, Some("{}")).await;
    assert_eq!(summary(trace.root()), ("PostConfirmation_ConfirmSignUp".to_owned(), SERVER, false, expected));
}

#[tokio::test]
async fn plain_json_span_has_the_function_name() {
    let trace = invoke(PLAIN, Some("{}")).await;
    let expected = attributes([("faas.trigger", "other")]);
    assert_eq!(summary(trace.root()), ("cruddur-api".to_owned(), SERVER, false, expected));
}

#[tokio::test]
async fn errors_and_panics_end_the_span() {
    let trace = invoke(SQS, None).await;
    assert!(!trace.answer.success);
    let (.., failed, attributes) = summary(trace.root());
    assert_eq!((failed, attributes["error.type"].as_str()), (true, "handler_error"));

    let trace = invoke(r#"{"action": "panic"}"#, None).await;
    let (.., failed, attributes) = summary(trace.root());
    assert_eq!((failed, attributes["error.type"].as_str()), (true, "panic"));
}

#[tokio::test]
async fn error_of_a_handler_names_itself() {
    let trace = invoke(r#"{"action": "conflict"}"#, None).await;
    let (.., failed, attributes) = summary(trace.root());
    assert_eq!((failed, attributes["error.type"].as_str()), (true, "conflict"));

    let trace = Stack::start("diagnosed", &[]).await.invoke(PLAIN).await;
    assert!(!trace.answer.success);
    trace.assert_nothing_private();
    let (.., failed, attributes) = summary(trace.root());
    assert_eq!((failed, attributes["error.type"].as_str()), (true, "ConflictDiagnostic"));
}

#[tokio::test]
async fn kafka_record_is_named_after_its_topic() {
    let trace = invoke(KAFKA, Some("null")).await;
    let expected = attributes([
        ("faas.trigger", "pubsub"),
        ("messaging.batch.message_count", "int 1"),
        ("messaging.destination.name", "orders"),
        ("messaging.destination.partition.id", "0"),
        ("messaging.kafka.offset", "int 15"),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.system", "kafka"),
    ]);
    assert_eq!(summary(trace.root()), ("process orders".to_owned(), CONSUMER, false, expected));
}

#[tokio::test]
async fn kafka_retries_are_counted_as_failures() {
    let failed = r#"{"batchItemFailures": [{"itemIdentifier": {"partition": "orders-0", "offset": 15}}]}"#;
    let (.., failed, attributes) = summary(invoke(KAFKA, Some(failed)).await.root());
    assert_eq!((failed, attributes["faas.batch.failures"].as_str()), (true, "int 1"));
}

#[tokio::test]
async fn durable_execution_has_its_arn() {
    let trace = invoke(DURABLE, Some("{}")).await;
    let expected = attributes([
        (
            "aws.lambda.durable_execution.arn",
            "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST/durable-execution/a/b",
        ),
        ("faas.trigger", "other"),
    ]);
    assert_eq!(summary(trace.root()), ("cruddur-api".to_owned(), SERVER, false, expected));
}

#[tokio::test]
async fn web_socket_event_is_named_after_its_route() {
    for handler in ["event", "http"] {
        let response = [("RESPONSE", "{}".to_owned())];
        let trace = Stack::start(handler, &response).await.invoke(WEB_SOCKET).await;
        let (name, kind, failed, attributes) = summary(trace.root());
        assert_eq!((name.as_str(), kind, failed), ("$connect", SERVER, false));
        assert_eq!(attributes["aws.api_gateway.route_key"], "$connect");
        assert_eq!(attributes["faas.trigger"], "http");
        assert!(!attributes.contains_key("http.route"), "{attributes:?}");
    }
}

#[tokio::test]
async fn invalid_json_never_reaches_the_handler() {
    let trace = invoke("{", Some("{}")).await;
    assert!(!trace.answer.success);
    let (name, _, failed, attributes) = summary(trace.root());
    assert_eq!((name.as_str(), failed, attributes["error.type"].as_str()), ("cruddur-api", true, "event_refused"));
}

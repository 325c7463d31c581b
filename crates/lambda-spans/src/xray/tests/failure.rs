use super::*;

fn flags(document: &Json) -> Vec<&str> {
    ["fault", "error", "throttle"].into_iter().filter(|flag| document[flag] == true).collect()
}

#[test]
fn failure_has_its_type_as_the_cause() {
    let attributes = vec![KeyValue::new("http.response.status_code", 503), KeyValue::new("error.type", "throttled")];
    let document = document(SpanData { status: Status::error(""), ..root("GET /", attributes) });
    assert_eq!(flags(&document), ["fault"]);
    let exceptions = &document["cause"]["exceptions"];
    assert_eq!((&exceptions[0]["type"], &exceptions[0]["message"]), (&json!("throttled"), &json!("throttled")));
}

#[test]
fn description_alone_is_a_cause() {
    let document = document(SpanData { status: Status::error("no such table"), ..child("x", vec![]) });
    assert_eq!(flags(&document), ["fault"]);
    assert_eq!(document["cause"]["exceptions"][0]["message"], "no such table");
}

#[test]
fn flags_follow_the_status_code() {
    let of = |code: i64| document(root("GET /", vec![KeyValue::new("http.response.status_code", code)]));
    assert_eq!(flags(&of(200)), [""; 0]);
    assert_eq!(flags(&of(404)), ["error"]);
    assert_eq!(flags(&of(429)), ["error", "throttle"]);
    assert_eq!(flags(&of(500)), ["fault"]);
    assert_eq!(of(404)["cause"], Json::Null);
}

#[test]
fn aws_throttling_with_status_400_is_flagged() {
    let of = |code: &'static str| {
        let attributes = vec![
            KeyValue::new("rpc.system.name", "aws-api"),
            KeyValue::new("rpc.method", "DynamoDB/Query"),
            KeyValue::new("http.response.status_code", 400),
            KeyValue::new("error.type", code),
        ];
        document(SpanData { status: Status::error(code), ..client("DynamoDB.Query", attributes) })
    };
    for code in [
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    ] {
        assert_eq!(flags(&of(code)), ["error", "throttle"], "{code}");
    }
    let failed = of("ConditionalCheckFailedException");
    assert_eq!(flags(&failed), ["error"]);
    assert_eq!(failed["cause"]["exceptions"][0]["type"], "ConditionalCheckFailedException");
    assert_eq!(failed["cause"]["exceptions"][0]["remote"], true);
}

fn exception() -> SpanEvents {
    let backtrace = "   0: shop::api::show\n             at /build/src/api/show.rs:17:5\n";
    event(
        "exception",
        vec![
            KeyValue::new("exception.type", "StoreError"),
            KeyValue::new("exception.message", "gone"),
            KeyValue::new("exception.stacktrace", backtrace),
        ],
    )
}

#[test]
fn exception_is_the_cause_with_its_stack() {
    let document = document(SpanData { events: exception(), status: Status::error("bad"), ..child("x", vec![]) });
    let exception = document["cause"]["exceptions"][0].as_object().unwrap();
    assert_eq!(exception["type"], "StoreError");
    assert_eq!(exception["message"], "gone");
    assert_eq!(
        exception["stack"],
        json!([{ "path": "/build/src/api/show.rs", "line": 17, "label": "shop::api::show" }])
    );
    assert_eq!(document["metadata"], json!({ "lambda_spans": { "span.status": "bad" } }));
}

#[test]
fn exception_without_message_has_its_type_instead() {
    let events = event("exception", vec![KeyValue::new("exception.type", "panic")]);
    let document = document(SpanData { events, status: Status::error(""), ..child("x", vec![]) });
    let exception = &document["cause"]["exceptions"][0];
    assert_eq!((&exception["type"], &exception["message"]), (&json!("panic"), &json!("panic")));
    assert_eq!(document["metadata"], Json::Null);
}

#[test]
fn handled_exception_is_an_event() {
    for status in [Status::Unset, Status::Ok] {
        let document = document(SpanData { events: exception(), status, ..child("x", vec![]) });
        assert_eq!((flags(&document).len(), &document["cause"]), (0, &Json::Null));
        assert_eq!(document["metadata"]["lambda_spans"]["events"][0]["attributes"]["exception.type"], "StoreError");
    }
}

#[test]
fn stack_of_another_language_is_kept_as_text() {
    let events = event("exception", vec![KeyValue::new("exception.stacktrace", "File \"a.py\", line 1")]);
    let document = document(SpanData { events, status: Status::error(""), ..child("x", vec![]) });
    let text = &document["metadata"]["lambda_spans"]["events"][0]["attributes"]["exception.stacktrace"];
    assert_eq!(text, "File \"a.py\", line 1");
}

//! OTLP in JSON, as senders really write it.

use serde_json::{Value, json};

use crate::support::{JSON, NOW, TRACE, TestConsole, request, span, start};

async fn received(console: &TestConsole, body: &str) -> Value {
    let answer = console.post("/v1/traces", &[JSON], body.as_bytes()).await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"{}"[..]), "{body}");
    console.get_json(&format!("/api/traces/{TRACE}")).await
}

#[tokio::test]
async fn each_variant_of_a_member_is_read() {
    let attribute = |value: &str| format!(r#","attributes":[{{"key":"k","value":{value}}}]"#);
    let value = |kind: &str, value: Value| json!([{"key": "k", "type": kind, "value": value}]);
    let cases = [
        (r#","kind":"SPAN_KIND_SERVER""#.to_owned(), "/kind", json!("server")),
        (r#","kind":"3""#.to_owned(), "/kind", json!("client")),
        (r#","kind":0"#.to_owned(), "/kind", json!("unspecified")),
        (r#","kind":99"#.to_owned(), "/kind", json!("unspecified")),
        (r#","kind":null"#.to_owned(), "/kind", json!("unspecified")),
        (r#","status":{"code":"STATUS_CODE_ERROR","message":"m"}"#.to_owned(), "/status", json!("fault")),
        (r#","status":{"code":2,"message":"m"}"#.to_owned(), "/status_message", json!("m")),
        (r#","status":{"code":"1"}"#.to_owned(), "/status", json!("ok")),
        (r#","status":null,"events":null,"links":null,"attributes":null"#.to_owned(), "/status", json!("unset")),
        (r#","startTimeUnixNano":1.5e18"#.to_owned(), "/start", json!("1500000000000000000")),
        (r#","startTimeUnixNano":1500000000000000001"#.to_owned(), "/start", json!("1500000000000000001")),
        (r#","flags":"257","droppedAttributesCount":"7""#.to_owned(), "/dropped_attributes", json!(7)),
        (r#","traceState":"a=b""#.to_owned(), "/trace_state", json!("a=b")),
        (r#","name":"first","name":"last""#.to_owned(), "/name", json!("last")),
        (r#","parentSpanId":"""#.to_owned(), "/parent", json!(null)),
        (attribute(r#"{"intValue":5.0}"#), "/attributes", value("int", json!("5"))),
        (
            attribute(r#"{"intValue":"-9223372036854775808"}"#),
            "/attributes",
            value("int", json!("-9223372036854775808")),
        ),
        (attribute(r#"{"doubleValue":"1.5"}"#), "/attributes", value("double", json!(1.5))),
        (attribute(r#"{"doubleValue":"NaN"}"#), "/attributes", value("double", json!("NaN"))),
        (attribute(r#"{"doubleValue":2}"#), "/attributes", value("double", json!(2.0))),
        (attribute(r#"{"boolValue":"true"}"#), "/attributes", value("bool", json!(true))),
        (attribute(r#"{"bytesValue":"_-8"}"#), "/attributes", value("bytes", json!("/+8="))),
        (attribute(r#"{"bytesValue":"/+8="}"#), "/attributes", value("bytes", json!("/+8="))),
        (attribute(r#"{"arrayValue":{}}"#), "/attributes", value("array", json!([]))),
        (
            attribute(r#"{"arrayValue":{"values":[{"stringValue":"a"},{"intValue":1},{}]}}"#),
            "/attributes",
            value(
                "array",
                json!([{"type": "string", "value": "a"}, {"type": "int", "value": "1"}, {"type": "empty", "value": null}]),
            ),
        ),
        (
            attribute(r#"{"kvlistValue":{"values":[{"key":"a","value":{"boolValue":false}}]}}"#),
            "/attributes",
            value("map", json!([{"key": "a", "type": "bool", "value": false}])),
        ),
        (attribute("{}"), "/attributes", value("empty", json!(null))),
        (attribute("null"), "/attributes", value("empty", json!(null))),
        (attribute(r#"{"string_value":"s"}"#), "/attributes", value("string", json!("s"))),
        (attribute(r#"{"stringValue":"\ud83d\ude00 \ud800"}"#), "/attributes", value("string", json!("😀 \u{fffd}"))),
    ];
    for (more, pointer, expected) in cases {
        let console = start().await;
        let trace = received(&console, &request(&span(1, 0, 0, 1000, &more))).await;
        assert_eq!(trace["spans"][0].pointer(pointer), Some(&expected), "{more}");
    }
}

#[tokio::test]
async fn keys_in_snake_case_and_old_names_are_read() {
    let span = format!(
        r#"{{"trace_id":"{TRACE}","span_id":"0000000000000001","parent_span_id":null,"name":"old","start_time_unix_nano":"{NOW}","end_time_unix_nano":"{}","dropped_events_count":1,"events":[{{"time_unix_nano":"{NOW}","name":"e"}}],"links":[{{"trace_id":"{TRACE}","span_id":"0000000000000002"}}]}}"#,
        NOW + 5
    );
    for (resources, scopes) in [
        ("resource_spans", "scope_spans"),
        ("resourceSpans", "instrumentationLibrarySpans"),
        ("resource_spans", "instrumentation_library_spans"),
    ] {
        let console = start().await;
        let body = format!("\u{feff}{{\"{resources}\":[{{\"{scopes}\":[{{\"spans\":[{span}]}}]}}]}}");
        let trace = received(&console, &body).await;
        let found = &trace["spans"][0];
        assert_eq!((&found["name"], &found["duration"]), (&json!("old"), &json!("5")), "{resources} {scopes}");
        assert_eq!((&found["events"][0]["name"], &found["dropped_events"]), (&json!("e"), &json!(1)));
        assert_eq!(found["links"][0]["span"], "0000000000000002");
    }
}

#[tokio::test]
async fn bad_id_rejects_its_span_alone() {
    let bad = |id: &str, trace: &str| format!(r#"{{"traceId":"{trace}","spanId":"{id}","name":"bad"}}"#);
    let console = start().await;
    let spans = [
        span(1, 0, 0, 10, ""),
        bad("0000000000000000", TRACE),
        bad("00f067aa0000002", TRACE),
        bad("zzzzzzzzzzzzzzzz", TRACE),
        bad("0000000000000002", "00000000000000000000000000000000"),
        bad("0000000000000002", "5759e988bd862e3fe1be46a99427"),
        r#"{"name":"no ids"}"#.to_owned(),
        r#"{"traceId":7,"spanId":true}"#.to_owned(),
    ];
    let answer = console.post("/v1/traces", &[JSON], request(&spans.join(",")).as_bytes()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["partialSuccess"]["rejectedSpans"], "7");
    assert_eq!(console.get_json("/api/info").await["spans"], 1);
    assert_eq!(console.refused().await, [("bad_id".to_owned(), 7)]);
}

#[tokio::test]
async fn unreadable_bodies_are_refused() {
    for body in ["[]", "3", "{", "{\"resourceSpans\":3}", "nonsense", "{\"resourceSpans\":[}"] {
        let console = start().await;
        let answer = console.post("/v1/traces", &[JSON], body.as_bytes()).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/json")), "{body}");
        assert_eq!(answer.json()["code"], 3, "{body}");
        assert_eq!(console.refused().await, [("malformed".to_owned(), 1)], "{body}");
    }
}

#[tokio::test]
async fn requests_without_spans_are_accepted() {
    let console = start().await;
    for body in ["", " \n", "{}", "{\"resourceSpans\":[]}", "{\"resourceSpans\":null}", "{\"resourceSpans\":[{}]}"] {
        let answer = console.post("/v1/traces", &[JSON], body.as_bytes()).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"{}"[..]), "{body}");
    }
}

#[tokio::test]
async fn log_lines_belong_to_their_trace() {
    let console = start().await;
    let log = |more: &str| {
        format!(
            r#"{{"traceId":"{TRACE}","severityNumber":"SEVERITY_NUMBER_WARN2","body":{{"stringValue":"text"}}{more}}}"#
        )
    };
    let records = [
        log(r#","spanId":"0000000000000001","timeUnixNano":"5""#),
        log(r#","timeUnixNano":0,"observedTimeUnixNano":"7""#),
        log(r#","body":{"kvlistValue":{"values":[{"key":"a","value":{"intValue":1}}]}}"#),
        r#"{"body":{"stringValue":"no trace"}}"#.to_owned(),
    ];
    let body = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#, records.join(","));
    let answer = console.post("/v1/logs", &[JSON], body.as_bytes()).await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"{}"[..]));
    let trace = console.get_json(&format!("/api/traces/{TRACE}")).await;
    let logs = trace["logs"].as_array().unwrap();
    assert_eq!(logs.len(), 3);
    assert_eq!((&logs[0]["time"], &logs[0]["span"]), (&json!("5"), &json!("0000000000000001")));
    assert_eq!((&logs[0]["severity"], &logs[0]["severity_number"]), (&json!("WARN"), &json!(14)));
    assert_eq!((&logs[1]["time"], &logs[1]["span"]), (&json!("7"), &json!(null)));
    assert_eq!((&logs[2]["time"], &logs[2]["body"]), (&json!(NOW.to_string()), &json!("{\"a\":1}")));
    assert_eq!(console.refused().await, [("logs_not_kept".to_owned(), 1)]);
}

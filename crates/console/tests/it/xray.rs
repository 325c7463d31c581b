//! X-Ray documents, and OTLP over UDP.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use serde_json::{Value, json};

use crate::otlp_protobuf;
use crate::support::{JSON, NOW, TRACE, TestConsole, XRAY_TRACE, request, send, span, start};

const START: &str = "1610612736";

fn segment(id: u64, more: &str) -> String {
    format!(
        r#"{{"name":"api","id":"{id:016x}","trace_id":"{XRAY_TRACE}","start_time":{START},"end_time":{START}.5{more}}}"#
    )
}

async fn trace(console: &TestConsole) -> Value {
    console.get_json(&format!("/api/traces/{TRACE}")).await
}

#[tokio::test]
async fn each_form_of_a_datagram_is_read() {
    let encoded = STANDARD.encode(otlp_protobuf::request(vec![otlp_protobuf::span(1)]).encode_to_vec());
    for datagram in [
        format!("{{\"format\": \"json\", \"version\": 1}}\n{}", segment(1, "")),
        format!("{{\"format\":\"json\",\"version\":1}}\n{}\n", segment(1, "")),
        format!("{{\"version\":1,\"format\":\"json\"}} \r\n [{}]", segment(1, "")),
        format!("{{\"format\":\"json\",\"version\":1}}\nT1S{encoded}"),
        format!("{{\"format\":\"json\",\"version\":1}}\nT1U{}", encoded.trim_end_matches('=')),
    ] {
        let console = start().await;
        console.datagram(datagram.as_bytes()).await;
        let trace = trace(&console).await;
        assert_eq!(trace["spans"].as_array().unwrap().len(), 1, "{datagram}");
        assert_eq!(trace["spans"][0]["in"], json!(["xray"]), "{datagram}");
        assert_eq!(console.refused().await, Vec::new(), "{datagram}");
    }
}

#[tokio::test]
async fn anything_else_is_counted() {
    let header = "{\"format\":\"json\",\"version\":1}";
    let cut = segment(1, "");
    let cut = &cut[..cut.len() - 10];
    for (datagram, code) in [
        (segment(1, ""), "malformed"),
        (format!("{{\"format\":\"xml\",\"version\":1}}\n{}", segment(1, "")), "malformed"),
        (format!("{header}\nnonsense"), "malformed"),
        (format!("{header}\nT1S***"), "malformed"),
        (format!("{header}\n3"), "malformed"),
        (format!("{header}\n{cut}"), "truncated"),
        (format!("{header}\n{{\"name\":\"no ids\"}}"), "bad_id"),
    ] {
        let console = start().await;
        console.datagram(datagram.as_bytes()).await;
        assert_eq!(console.refused().await, [(code.to_owned(), 1)], "{datagram}");
    }
    let console = start().await;
    console.datagram(&[0xff; 40]).await;
    assert_eq!(console.refused().await, [("malformed".to_owned(), 1)]);
}

#[tokio::test]
async fn each_odd_member_is_read() {
    let attribute = |key: &str, kind: &str, value: Value| json!([{"key": key, "type": kind, "value": value}]);
    for (more, pointer, expected) in [
        (r#","http":{"response":{"status":"404","content_length":"5"}}"#, "/status", json!("error")),
        (
            r#","http":{"response":{"status":200}}"#,
            "/attributes",
            attribute("http.response.status_code", "int", json!("200")),
        ),
        (r#","cause":{}"#, "/status", json!("unset")),
        (r#","cause":"00f067aa0ba902b7""#, "/events", json!([])),
        (r#","fault":true"#, "/status", json!("fault")),
        (r#","error":true"#, "/status", json!("error")),
        (r#","error":true,"throttle":true"#, "/status", json!("throttle")),
        (r#","start_time":1.610612736123456789E9"#, "/start", json!("1610612736123456789")),
        (r#","start_time":"1610612736.25""#, "/start", json!("1610612736250000000")),
        (r#","end_time":1610612737.000000001"#, "/end", json!("1610612737000000001")),
        (r#","annotations":{"a":1}"#, "/attributes", attribute("a", "int", json!("1"))),
        (r#","metadata":{"default":{"a.b":"x"}}"#, "/attributes", attribute("a.b", "string", json!("x"))),
        (r#","metadata":{"own":{"b":true}}"#, "/attributes", attribute("own.b", "bool", json!(true))),
        (r#","metadata":{"flat":1}"#, "/attributes", attribute("flat", "int", json!("1"))),
        (r#","metadata":{"lambda_spans":{"span.name":"GET /x","span.status":"bad"}}"#, "/name", json!("GET /x")),
        (r#","metadata":{"lambda_spans":{"span.name":"GET /x","span.status":"bad"}}"#, "/status_message", json!("bad")),
        (r#","metadata":{"lambda_spans":{"dropped_events":2}}"#, "/dropped_events", json!(2)),
        (r#","namespace":"aws","aws":{"operation":"Query"},"name":"DynamoDB""#, "/name", json!("DynamoDB.Query")),
        (r#","namespace":"remote""#, "/kind", json!("client")),
        (
            r#","links":[{"trace_id":"1-60000000-000000000000000000000001","id":"0000000000000009"}]"#,
            "/links/0/span",
            json!("0000000000000009"),
        ),
    ] {
        let console = start().await;
        console.document(&segment(1, more)).await;
        assert_eq!(trace(&console).await["spans"][0].pointer(pointer), Some(&expected), "{more}");
    }
}

#[tokio::test]
async fn exceptions_become_events() {
    let console = start().await;
    let cause = r#","fault":true,"cause":{"exceptions":[{"id":"00f067aa0ba902b7","type":"Timeout","message":"late","stack":[{"path":"a.rs","line":7,"label":"f"}]}]}"#;
    console.document(&segment(1, cause)).await;
    let expected = json!([
        {"key": "exception.type", "type": "string", "value": "Timeout"},
        {"key": "exception.message", "type": "string", "value": "late"},
        {"key": "exception.stacktrace", "type": "string", "value": "    at f (a.rs:7)"},
    ]);
    let trace = trace(&console).await;
    assert_eq!(trace["spans"][0]["events"][0]["attributes"], expected);
    assert_eq!(trace["spans"][0]["events"][0]["name"], "exception");
}

#[tokio::test]
async fn subsegments_inherit_and_may_come_first() {
    let console = start().await;
    let sub = format!(
        r#"{{"name":"work","id":"0000000000000002","trace_id":"{XRAY_TRACE}","parent_id":"0000000000000001","type":"subsegment","start_time":{START}.1,"end_time":{START}.2,"subsegments":[{{"name":"inner","id":"0000000000000003","start_time":{START}.1,"end_time":{START}.15}}]}}"#
    );
    console.document(&sub).await;
    assert_eq!(trace(&console).await["summary"]["state"], "root_missing");
    console.document(&segment(1, "")).await;
    let trace = trace(&console).await;
    let shape: Vec<_> = trace["spans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|span| json!([span["name"], span["depth"], span["service"]]))
        .collect();
    assert_eq!(json!(shape), json!([["api", 0, "api"], ["work", 1, "api"], ["inner", 2, "api"]]));
    assert_eq!(trace["summary"]["state"], "complete");
}

#[tokio::test]
async fn final_document_replaces_the_one_in_progress() {
    let open = format!(
        r#"{{"name":"api","id":"0000000000000001","trace_id":"{XRAY_TRACE}","start_time":{START},"in_progress":true}}"#
    );
    for is_late in [false, true] {
        let console = start().await;
        let mut documents = [open.clone(), segment(1, r#","fault":true"#)];
        if is_late {
            documents.reverse();
        } else {
            console.document(&open).await;
            let trace = trace(&console).await;
            assert_eq!(
                (&trace["summary"]["state"], &trace["spans"][0]["marks"]),
                (&json!("in_progress"), &json!(["in_progress"]))
            );
        }
        for document in &documents[usize::from(!is_late)..] {
            console.document(document).await;
        }
        let trace = trace(&console).await;
        assert_eq!(trace["spans"].as_array().unwrap().len(), 1);
        assert_eq!(
            (&trace["spans"][0]["status"], &trace["spans"][0]["marks"]),
            (&json!("fault"), &json!([])),
            "{is_late}"
        );
    }
}

#[tokio::test]
async fn same_span_twice_is_one_span() {
    let console = start().await;
    console.document(&segment(1, "")).await;
    console.document(&segment(1, "")).await;
    let trace = trace(&console).await;
    assert_eq!(trace["spans"].as_array().unwrap().len(), 1);
    assert_eq!(trace["marks"], json!([{"code": "duplicate", "spans": [0]}]));
}

#[tokio::test]
async fn id_that_is_not_hexadecimal_is_kept_and_marked() {
    let console = start().await;
    let id = "1-60000000-not-hexadecimal-at-all";
    console.document(&segment(1, "").replace(XRAY_TRACE, id)).await;
    let trace = console.get_json(&format!("/api/traces/{id}")).await;
    assert_eq!((&trace["summary"]["xray_id"], &trace["marks"][0]["code"]), (&json!(id), &json!("bad_trace_id")));
    let hashed = trace["summary"]["id"].as_str().unwrap();
    assert_eq!(console.get_json(&format!("/api/traces/{hashed}")).await["summary"]["xray_id"], id);
    let view = console.get_json(&format!("/api/traces/{hashed}/xray")).await;
    assert_eq!(view["documents"][0]["refused"], json!([{"code": "bad_trace_id", "path": "/trace_id"}]));
}

#[tokio::test]
async fn document_and_otlp_span_are_two_sides_of_one() {
    let console = start().await;
    let attributes = r#","kind":2,"attributes":[{"key":"app.now","value":{"stringValue":"x"}},{"key":"lost","value":{"intValue":1}},{"key":"http.response.status_code","value":{"intValue":"200"}}]"#;
    console.post("/v1/traces", &[JSON], request(&span(1, 0, 0, 500_000_000, attributes)).as_bytes()).await;
    console
        .document(&segment(
            1,
            r#","name":"span 1","annotations":{"app_now":"x","only":"y"},"http":{"response":{"status":201}}"#,
        ))
        .await;
    let trace = trace(&console).await;
    assert_eq!(trace["spans"].as_array().unwrap().len(), 1);
    assert_eq!(trace["spans"][0]["in"], json!(["otlp", "xray"]));
    let summary = &trace["summary"];
    assert_eq!(
        (&summary["otlp_spans"], &summary["xray_spans"], &summary["status_code"]),
        (&json!(1), &json!(1), &json!(200))
    );
    let view = console.get_json(&format!("/api/traces/{TRACE}/spans/0000000000000001")).await;
    let rows = view["rows"].as_array().unwrap();
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap().clone();
    assert_eq!(
        row("app.now"),
        json!({"name": "app.now", "otlp": "x", "xray": "x", "xray_place": "annotations.app_now", "state": "both"})
    );
    assert_eq!(row("lost")["state"], "otlp_only");
    assert_eq!(
        row("annotations.only"),
        json!({"name": "annotations.only", "otlp": null, "xray": "y", "xray_place": "annotations.only", "state": "xray_only"})
    );
    let status = row("http.response.status_code");
    assert_eq!((&status["otlp"], &status["xray"], &status["state"]), (&json!("200"), &json!("201"), &json!("differs")));
    assert_eq!(row("startTimeUnixNano")["state"], "both");
    assert_eq!(row("name")["xray_place"], "name");
    assert_eq!(view["otlp"]["spanId"], "0000000000000001");
    assert_eq!(view["xray"]["annotations"]["only"], "y");
    assert_eq!(
        console.get(&format!("/api/traces/{TRACE}/spans/0000000000000009")).await.json()["code"],
        "unknown_span"
    );
}

#[tokio::test]
async fn trace_of_x_ray_alone_says_why_otlp_left_it_out() {
    let console = start().await;
    console.document(&segment(1, r#","metadata":{"lambda_spans":{"otlp.left_out":"sampled","otlp.rate":20}}"#)).await;
    let view = console.get_json(&format!("/api/traces/{TRACE}/honeycomb")).await;
    assert_eq!(view, json!({"events": [], "sample_rate": 1, "left_out": {"reason": "sampled", "rate": 20}}));
}

#[tokio::test]
async fn sampling_rules_sample_every_request() {
    let console = start().await;
    let address = console.console.addresses().sampling.unwrap();
    assert_eq!(address.port(), console.console.addresses().xray.unwrap().port());
    let rules = send(address, "POST", "/GetSamplingRules", &[], b"{}").await.json();
    assert_eq!(rules["SamplingRuleRecords"][0]["SamplingRule"]["FixedRate"], 1.0);
    let targets = send(address, "POST", "/SamplingTargets", &[], b"{}").await.json();
    assert_eq!(targets["SamplingTargetDocuments"], json!([]));
}

#[tokio::test]
async fn documents_are_exported_as_they_arrived() {
    let console = start().await;
    console.document(&segment(1, r#","annotations":{"n":1.50}"#)).await;
    let answer = console.get(&format!("/api/traces/{TRACE}/documents")).await;
    assert_eq!(String::from_utf8(answer.body).unwrap(), format!("[{}]", segment(1, r#","annotations":{"n":1.50}"#)));
    let view = console.get_json(&format!("/api/traces/{TRACE}/xray")).await;
    assert_eq!(view["documents"][0]["received_at"], NOW.to_string());
    assert_eq!(view["timeline"][0]["annotations"], json!({"n": 1.5}));
}

#[tokio::test]
async fn invocation_below_lambdas_segment_is_the_root() {
    let console = start().await;
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live";
    let invocation = format!(
        r#","name":"GET /","type":"subsegment","parent_id":"00000000000000ff","aws":{{"function_arn":"{arn}"}}"#
    );
    console.document(&segment(1, &invocation)).await;
    let found = trace(&console).await;
    let summary = &found["summary"];
    assert_eq!((&summary["state"], &summary["root"]["service"]), (&json!("complete"), &json!("orders")));
    assert_eq!((&found["marks"], found["spans"].as_array().unwrap().len()), (&json!([]), 1));
    // Over OTLP, the same span has no parent.
    console.post("/v1/traces", &[JSON], request(&span(1, 0, 0, 10, "")).as_bytes()).await;
    let found = trace(&console).await;
    let summary = &found["summary"];
    assert_eq!((&summary["state"], &summary["root"]["service"]), (&json!("complete"), &json!("api")));
    let view = console.get_json(&format!("/api/traces/{TRACE}/spans/0000000000000001")).await;
    let parent = view["rows"].as_array().unwrap().iter().find(|row| row["name"] == "parent_id").unwrap();
    assert_eq!((&parent["state"], &parent["xray"]), (&json!("xray_only"), &json!("00000000000000ff")));
}

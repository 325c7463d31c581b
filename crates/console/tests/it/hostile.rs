//! Input that tries to break the console.

use serde_json::{Value, json};

use crate::support::{JSON, TRACE, TestConsole, request, span, start, start_with};

async fn post(console: &TestConsole, body: &str) -> u16 {
    console.post("/v1/traces", &[JSON], body.as_bytes()).await.status
}

async fn trace(console: &TestConsole) -> Value {
    console.get_json(&format!("/api/traces/{TRACE}")).await
}

fn marks(trace: &Value) -> Vec<&str> {
    trace["marks"].as_array().unwrap().iter().map(|mark| mark["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn odd_traces_are_drawn_and_marked() {
    let cases = [
        (vec![span(1, 2, 0, 10, ""), span(2, 1, 1, 9, "")], vec!["cycle"], 2),
        (vec![span(1, 1, 0, 10, "")], vec!["self_parent"], 1),
        (vec![span(1, 0, 0, 10, ""), span(2, 0, 1, 9, "")], vec!["several_roots"], 2),
        (
            vec![span(1, 0, 0, 10, ""), span(2, 7, 1, 9, ""), span(3, 7, 1, 9, "")],
            vec!["parent_missing", "several_roots"],
            4,
        ),
        (vec![span(1, 0, 10, 0, "")], vec!["reversed_time"], 1),
        (vec![span(1, 0, 0, 10, r#","startTimeUnixNano":0"#)], vec!["zero_time"], 1),
        (vec![span(1, 0, 60_000_000_000, 60_000_000_001, "")], vec!["future_time"], 1),
        (vec![span(1, 0, 0, 10, ""), span(1, 0, 0, 10, "")], vec!["duplicate"], 1),
        (vec![span(1, 0, 0, 10, r#","startTimeUnixNano":"99999999999999999999999""#)], vec!["zero_time"], 1),
    ];
    for (spans, codes, rows) in cases {
        let console = start().await;
        assert_eq!(post(&console, &request(&spans.join(","))).await, 200);
        let trace = trace(&console).await;
        assert_eq!(marks(&trace), codes);
        assert_eq!(trace["spans"].as_array().unwrap().len(), rows, "{codes:?}");
        for view in ["xray", "honeycomb", "otlp", "documents"] {
            assert_eq!(console.get(&format!("/api/traces/{TRACE}/{view}")).await.status, 200, "{codes:?} {view}");
        }
    }
}

#[tokio::test]
async fn chain_of_10000_spans_is_shown() {
    let console = start().await;
    let spans: Vec<_> = (1..=10_000).map(|id| span(id, id - 1, id, 30_000 - id, "")).collect();
    assert_eq!(post(&console, &request(&spans.join(","))).await, 200);
    let trace = trace(&console).await;
    assert_eq!(trace["spans"][9999]["depth"], 9999);
    let path = trace["critical_path"].as_array().unwrap();
    let nanos = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    let sum: u64 = path.iter().map(|segment| nanos(&segment["end"]) - nanos(&segment["start"])).sum();
    assert_eq!(sum.to_string(), trace["summary"]["duration"]);
}

#[tokio::test]
async fn subsegments_300_deep_are_shown() {
    let console = start().await;
    let mut document = String::new();
    for id in 1..=300 {
        let outer = if id == 1 { format!(r#""trace_id":"{}","#, crate::support::XRAY_TRACE) } else { String::new() };
        document += &format!(
            r#"{{"name":"n","id":"{id:016x}",{outer}"start_time":1610612736,"end_time":1610612737,"subsegments":["#
        );
    }
    document += &"]}".repeat(300);
    console.document(&document).await;
    let trace = trace(&console).await;
    assert_eq!(trace["spans"][299]["depth"], 299);
    assert_eq!(console.get(&format!("/api/traces/{TRACE}/xray")).await.status, 200);
}

#[tokio::test]
async fn brackets_and_bombs_do_not_overflow_the_stack() {
    let console = start().await;
    let brackets = format!("{{\"format\":\"json\",\"version\":1}}\n{}", "[".repeat(60_000));
    console.datagram(brackets.as_bytes()).await;
    assert_eq!(post(&console, &"[".repeat(1_000_000)).await, 400);
    let nested = format!("{}1{}", r#"{"arrayValue":{"values":["#.repeat(1000), "]}}".repeat(1000));
    let attribute = format!(r#","attributes":[{{"key":"k","value":{nested}}}]"#);
    assert_eq!(post(&console, &request(&span(1, 0, 0, 1, &attribute))).await, 200);
    assert_eq!(trace(&console).await["spans"][0]["attributes"][0]["type"], "array");
}

#[tokio::test]
async fn excess_is_cut_and_counted() {
    let console = start_with(|options| {
        options.limits.attributes = 3;
        options.limits.text = 10;
    })
    .await;
    let attribute = |index: usize| format!(r#"{{"key":"k{index}","value":{{"stringValue":"{}"}}}}"#, "é".repeat(20));
    let attributes: Vec<_> = (0..5).map(attribute).collect();
    let more = format!(r#","attributes":[{}]"#, attributes.join(","));
    assert_eq!(post(&console, &request(&span(1, 0, 0, 1, &more))).await, 200);
    let trace = trace(&console).await;
    assert_eq!(trace["spans"][0]["attributes"].as_array().unwrap().len(), 3);
    assert_eq!(trace["spans"][0]["attributes"][0]["value"], "ééééé");
    assert!(console.refused().await.iter().any(|(code, count)| code == "cut" && *count >= 5));
}

#[tokio::test]
async fn too_many_attributes_in_all_are_refused() {
    let console = start_with(|options| options.limits.values = 100).await;
    let attributes = vec![r#"{"key":"k"}"#; 101].join(",");
    let more = format!(r#","attributes":[{attributes}]"#);
    assert_eq!(post(&console, &request(&span(1, 0, 0, 1, &more))).await, 413);
}

#[tokio::test]
async fn one_trace_cannot_fill_the_memory() {
    let console = start_with(|options| options.max_bytes = 50_000).await;
    let other = span(1, 0, 0, 1, "").replace(TRACE, "60000000000000000000000000000002");
    assert_eq!(post(&console, &request(&other)).await, 200);
    for batch in 0..20 {
        let spans: Vec<_> = (1..=20).map(|id| span(batch * 20 + id, 0, 0, 1, "")).collect();
        let status = post(&console, &request(&spans.join(","))).await;
        assert_eq!(status, 200);
    }
    let info = console.get_json("/api/info").await;
    assert!(info["bytes"].as_u64().unwrap() <= 50_000);
    assert_eq!((&info["traces"], &info["evicted_traces"]), (&json!(2), &json!(0)));
    assert!(console.refused().await.iter().any(|(code, _)| code == "too_large"));
}

#[tokio::test]
async fn flood_of_traces_stays_within_the_memory_limit() {
    let console = start_with(|options| options.max_bytes = 1 << 20).await;
    for batch in 0..20_u64 {
        let spans = (0..1000_u64).map(|number| {
            span(number + 1, 0, 0, 1, "").replace(TRACE, &format!("60000000{:024x}", batch * 1000 + number + 1))
        });
        let body = request(&spans.collect::<Vec<_>>().join(","));
        assert_eq!(post(&console, &body).await, 200);
    }
    let info = console.get_json("/api/info").await;
    assert!(info["bytes"].as_u64().unwrap() <= 1 << 20);
    assert_eq!(info["traces"].as_u64().unwrap() + info["evicted_traces"].as_u64().unwrap(), 20_000);
}

#[tokio::test]
async fn markup_stays_text() {
    let console = start().await;
    let more =
        r#","name":"<script>alert(1)</script>","attributes":[{"key":"<b>","value":{"stringValue":"\u0000</script>"}}]"#;
    assert_eq!(post(&console, &request(&span(1, 0, 0, 1, more))).await, 200);
    let answer = console.get(&format!("/api/traces/{TRACE}")).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json()["spans"][0]["name"], "<script>alert(1)</script>");
}

#[tokio::test]
async fn refusals_do_not_fill_the_memory() {
    let console = start().await;
    for port in 0..300 {
        let origin = format!("http://evil{port}.example");
        console.post("/v1/traces", &[JSON, ("origin", &origin)], b"{}").await;
    }
    let rows = console.get_json("/api/health").await["refused"].as_array().unwrap().len();
    assert!(rows <= 257);
}

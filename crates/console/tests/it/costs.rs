//! What a trace and a route cost.

use serde_json::{Value, json};

use crate::support::{JSON, TRACE, TestConsole, request, span, start};

const QUERY: &str = r#","kind":3,"attributes":[{"key":"rpc.method","value":{"stringValue":"DynamoDB/Query"}},{"key":"aws.dynamodb.consumed_capacity_units","value":{"doubleValue":4}}]"#;
const WRITE: &str = r#","kind":3,"attributes":[{"key":"rpc.method","value":{"stringValue":"DynamoDB/PutItem"}},{"key":"aws.dynamodb.consumed_capacity_units","value":{"doubleValue":2}}]"#;
const UNKNOWN: &str = r#","kind":3,"attributes":[{"key":"rpc.method","value":{"stringValue":"DynamoDB/Query"}}]"#;

/// The members of an invocation with 512 MiB.
fn invocation(method: &str, route: &str) -> String {
    let text = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#);
    format!(
        r#","kind":2,"attributes":[{},{},{},{{"key":"faas.max_memory","value":{{"intValue":"536870912"}}}}]"#,
        text("faas.trigger", "http"),
        text("http.request.method", method),
        text("http.route", route)
    )
}

async fn send(console: &TestConsole, trace: u32, spans: &[String]) {
    let spans = spans.join(",").replace(TRACE, &format!("60000000{trace:024x}"));
    let answer = console.post("/v1/traces", &[JSON], request(&spans).as_bytes()).await;
    assert_eq!(answer.status, 200);
}

#[track_caller]
fn assert_near(value: &Value, expected: f64) {
    let value = value.as_f64().unwrap();
    assert!((value - expected).abs() < 1e-9, "{value} {expected}");
}

#[tokio::test]
async fn bill_of_a_trace_has_units_spans_and_prices() {
    let console = start().await;
    let spans = [
        span(1, 0, 0, 1_500_000, &invocation("GET", "/users")),
        span(2, 1, 1, 2, QUERY),
        span(3, 1, 3, 4, WRITE),
        span(4, 1, 5, 6, UNKNOWN),
        span(5, 1, 7, 8, ""),
    ];
    console.post("/v1/traces", &[JSON], request(&spans.join(",")).as_bytes()).await;
    let bill = console.get_json(&format!("/api/traces/{TRACE}/cost")).await;
    let lines: Vec<_> = bill["lines"].as_array().unwrap().iter().map(|line| (&line["unit"], &line["amount"])).collect();
    let expected = [
        (&json!("read_units"), &json!(4.0)),
        (&json!("write_units"), &json!(2.0)),
        (&json!("invocations"), &json!(1.0)),
        (&json!("gb_seconds"), &json!(0.001)),
    ];
    assert_eq!(lines, expected);
    let dollars = 4.0 * 0.125 + 2.0 * 0.625 + 0.2 + 0.001 * 16.6667;
    assert_near(&bill["total"]["dollars_per_million"], dollars);
    assert_eq!(bill["total"]["lambda_ms"], 2.0);
    let spans: Vec<_> = bill["spans"].as_array().unwrap().iter().map(|span| span["span"].as_str().unwrap()).collect();
    assert_eq!(spans, ["0000000000000003", "0000000000000002", "0000000000000001"]);
    let unpriced = &bill["unpriced"][0];
    assert_eq!((&unpriced["span"], &unpriced["missing"]), (&json!("0000000000000004"), &json!("capacity_units")));
    assert_eq!(bill["unpriced"].as_array().unwrap().len(), 1);
    assert_eq!((&bill["prices"]["region"], &bill["prices"]["date"]), (&json!("us-east-1"), &json!("2026-11-22")));
    assert_eq!(bill["prices"], console.get_json("/api/info").await["prices"]);
    assert_eq!(bill["not_counted"].as_array().unwrap().len(), 7);
}

#[tokio::test]
async fn routes_have_the_mean_of_their_priced_traces() {
    let console = start().await;
    let root = |method: &str, route: &str, milliseconds: u64| {
        span(1, 0, 0, milliseconds * 1_000_000, &invocation(method, route))
    };
    send(&console, 1, &[root("GET", "/users", 2), span(2, 1, 1, 2, QUERY)]).await;
    send(&console, 2, &[root("GET", "/users", 4), span(2, 1, 1, 2, QUERY), span(3, 1, 1, 2, QUERY)]).await;
    send(&console, 3, &[root("POST", "/users", 10), span(2, 1, 1, 2, WRITE)]).await;
    send(&console, 4, &[span(1, 0, 0, 1, "")]).await;
    let costs = console.get_json("/api/costs").await;
    let rows = costs["routes"].as_array().unwrap();
    let names: Vec<_> = rows.iter().map(|row| [&row["method"], &row["route"], &row["name"]]).collect();
    let (get, post, users) = (json!("GET"), json!("POST"), json!("/users"));
    let (name, null) = (json!("span 1"), Value::Null);
    assert_eq!(names, [[&post, &users, &null], [&get, &users, &null], [&null, &null, &name]]);
    let get = &rows[1];
    assert_eq!((&get["traces"], &get["priced"], &get["mean"]["read_units"]), (&json!(2), &json!(2), &json!(6.0)));
    assert_eq!((&get["mean"]["lambda_ms"], &get["mean"]["invocations"]), (&json!(3.0), &json!(1.0)));
    assert_near(&get["mean"]["dollars_per_million"], 6.0 * 0.125 + 0.2 + 0.0015 * 16.6667);
    assert_near(&get["max_dollars_per_million"], 8.0 * 0.125 + 0.2 + 0.002 * 16.6667);
    assert_eq!((&rows[2]["priced"], &rows[2]["mean"], &rows[2]["share"]), (&json!(0), &null, &null));
    assert_near(&json!(rows[0]["share"].as_f64().unwrap() + rows[1]["share"].as_f64().unwrap()), 1.0);
    assert_eq!((&costs["traces"], &costs["priced"]), (&json!(4), &json!(3)));

    let filtered = console.get_json("/api/costs?filter=http.request.method%3DPOST").await;
    assert_eq!((filtered["routes"].as_array().unwrap().len(), &filtered["traces"]), (1, &json!(1)));
    let refused = console.get("/api/costs?sort=x").await;
    assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("bad_parameter")));
}

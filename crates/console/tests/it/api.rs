//! The JSON API.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{JSON, NOW, TRACE, TestConsole, XRAY_TRACE, request, span, start, start_with};

/// Adds a trace with one root.
async fn add(console: &TestConsole, trace: u32, duration: u64, more: &str) {
    let span = span(u64::from(trace), 0, 0, duration, more).replace(TRACE, &id(trace));
    let answer = console.post("/v1/traces", &[JSON], request(&span).as_bytes()).await;
    assert_eq!(answer.status, 200);
}

fn id(trace: u32) -> String {
    format!("60000000{trace:024x}")
}

fn attribute(key: &str, value: &str) -> String {
    format!(r#","attributes":[{{"key":"{key}","value":{{"stringValue":"{value}"}}}}]"#)
}

fn listed(page: &Value) -> Vec<u32> {
    let id = |trace: &Value| u32::from_str_radix(&trace["id"].as_str().unwrap()[24..], 16).unwrap();
    page["traces"].as_array().unwrap().iter().map(id).collect()
}

#[tokio::test]
async fn pages_follow_each_other_in_every_order() {
    let console = start().await;
    for (trace, duration) in [(1, 50), (2, 10), (3, 40), (4, 20), (5, 30)] {
        add(&console, trace, duration, "").await;
    }
    for (query, expected) in [
        ("", [5, 4, 3, 2, 1]),
        ("sort=received&order=asc", [1, 2, 3, 4, 5]),
        ("sort=duration", [1, 3, 5, 4, 2]),
        ("sort=duration&order=asc", [2, 4, 5, 3, 1]),
        ("sort=name&order=asc", [1, 2, 3, 4, 5]),
        ("sort=spans", [5, 4, 3, 2, 1]),
    ] {
        let mut found = Vec::new();
        let mut next = String::new();
        loop {
            let page = console.get_json(&format!("/api/traces?limit=2&{query}{next}")).await;
            assert_eq!(page["total"], 5);
            found.extend(listed(&page));
            let Some(cursor) = page["next"].as_str() else { break };
            next = format!("&before={cursor}");
        }
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test]
async fn unknown_values_are_last_in_both_directions() {
    let console = start().await;
    for (trace, user) in [(1, Some("b")), (2, None), (3, Some("a"))] {
        let more = user.map(|user| attribute("user.id", user)).unwrap_or_default();
        add(&console, trace, 1, &more).await;
    }
    assert_eq!(listed(&console.get_json("/api/traces?sort=user&order=asc").await), [3, 1, 2]);
    assert_eq!(listed(&console.get_json("/api/traces?sort=user&order=desc").await), [1, 3, 2]);
    for sort in ["cost", "cold_start", "status", "errors", "start"] {
        assert_eq!(listed(&console.get_json(&format!("/api/traces?sort={sort}")).await), [3, 2, 1], "{sort}");
    }
}

#[tokio::test]
async fn new_traces_do_not_shift_the_next_page() {
    let console = start().await;
    for trace in 1..=4 {
        add(&console, trace, 1, "").await;
    }
    let page = console.get_json("/api/traces?limit=2").await;
    add(&console, 5, 1, "").await;
    let cursor = page["next"].as_str().unwrap();
    assert_eq!(listed(&console.get_json(&format!("/api/traces?limit=2&before={cursor}")).await), [2, 1]);
}

#[tokio::test]
async fn filters_select_traces() {
    let console = start().await;
    add(&console, 1, 10, &attribute("user.id", "Zoë")).await;
    add(&console, 2, 20, &attribute("user.id", "bob")).await;
    add(&console, 3, 30, r#","status":{"code":2}"#).await;
    for (query, expected) in [
        ("filter=user.id%3Dbob", &[2][..]),
        ("filter=user.id!%3Dbob", &[3, 1]),
        ("filter=user.id", &[2, 1]),
        ("filter=!user.id", &[3]),
        ("filter=user.id&filter=user.id!%3Dbob", &[1]),
        ("q=ZO%C3%8B", &[1]),
        ("q=span+2", &[2]),
        ("error=true", &[3]),
        ("error=false", &[2, 1]),
        ("min_duration=20&max_duration=29", &[2]),
        ("q=nothing", &[]),
    ] {
        assert_eq!(listed(&console.get_json(&format!("/api/traces?{query}")).await), expected, "{query}");
    }
    for query in
        ["limit=0", "limit=x", "before=x", "sort=x", "order=x", "filter=%3D", "error=x", "min_duration=-1", "x=1"]
    {
        let answer = console.get(&format!("/api/traces?{query}")).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/problem+json")), "{query}");
        assert_eq!(answer.json()["code"], "bad_parameter");
    }
}

#[tokio::test]
async fn summary_describes_the_root() {
    let console = start().await;
    let attributes = r#","kind":2,"attributes":[{"key":"http.request.method","value":{"stringValue":"GET"}},{"key":"http.route","value":{"stringValue":"/users/{id}"}},{"key":"url.path","value":{"stringValue":"/users/7"}},{"key":"http.response.status_code","value":{"intValue":"404"}},{"key":"faas.coldstart","value":{"boolValue":true}},{"key":"faas.trigger","value":{"stringValue":"http"}},{"key":"faas.max_memory","value":{"intValue":"536870912"}}]"#;
    let query = r#","attributes":[{"key":"rpc.method","value":{"stringValue":"DynamoDB/Query"}},{"key":"aws.dynamodb.consumed_capacity_units","value":{"doubleValue":1.5}},{"key":"user.id","value":{"stringValue":"u1"}}]"#;
    let write = r#","attributes":[{"key":"rpc.method","value":{"stringValue":"DynamoDB/PutItem"}},{"key":"aws.dynamodb.consumed_capacity_units","value":{"doubleValue":2}}]"#;
    let spans = [span(2, 1, 1, 2, query), span(3, 1, 3, 4, write), span(1, 0, 0, 1_500_000, attributes)];
    console.post("/v1/traces", &[JSON], request(&spans.join(",")).as_bytes()).await;
    let summary = console.get_json("/api/traces").await["traces"][0].clone();
    let dollars = 1.5 * 0.125 + 2.0 * 0.625 + 0.5 * 0.002 * 16.6667 + 0.2;
    assert!((summary["cost"]["dollars_per_million"].as_f64().unwrap() - dollars).abs() < 1e-9);
    let cost = summary["cost"].clone();
    let expected = json!({
        "id": TRACE, "xray_id": XRAY_TRACE, "received_at": NOW.to_string(), "start": NOW.to_string(),
        "duration": "1500000",
        "root": {"service": "api", "name": "span 1", "kind": "server", "span": "0000000000000001"},
        "method": "GET", "route": "/users/{id}", "path": "/users/7", "status_code": 404, "status": "error",
        "error_spans": 1, "spans": 3, "services": ["api"], "user": "u1", "cold_start": true, "cost": cost,
        "otlp_spans": 3, "xray_spans": 0, "logs": 0, "state": "complete", "pinned": false,
    });
    assert_eq!(summary, expected);
    assert_eq!(
        (&cost["read_units"], &cost["write_units"], &cost["gb_seconds"]),
        (&json!(1.5), &json!(2.0), &json!(0.001))
    );
}

#[tokio::test]
async fn absent_trace_says_why() {
    let console = start().await;
    add(&console, 1, 1, "").await;
    console.send("DELETE", &format!("/api/traces/{}", id(1)), &[], b"").await;
    let code = async |id: &str| {
        let answer = console.get(&format!("/api/traces/{id}")).await;
        assert_eq!(answer.status, 404);
        answer.json()["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(code(&id(1)).await, "evicted");
    assert_eq!(code("5fffffff000000000000000000000001").await, "before_start");
    assert_eq!(code("60000001000000000000000000000001").await, "never_received");
    assert_eq!(code("nonsense").await, "never_received");
    assert_eq!(console.get("/api/nonsense").await.json()["code"], "unknown_path");
}

#[tokio::test]
async fn oldest_traces_are_evicted_whole_except_pinned_ones() {
    let console = start_with(|options| options.max_bytes = 100_000).await;
    add(&console, 1, 1, "").await;
    assert_eq!(console.send("PUT", &format!("/api/traces/{}/pin", id(1)), &[], b"").await.status, 204);
    for trace in 2..=200 {
        add(&console, trace, 1, "").await;
    }
    let info = console.get_json("/api/info").await;
    let (traces, evicted) = (info["traces"].as_u64().unwrap(), info["evicted_traces"].as_u64().unwrap());
    assert!(info["bytes"].as_u64().unwrap() <= 100_000);
    assert_eq!(traces + evicted, 200);
    let page = console.get_json("/api/traces?limit=1000").await;
    assert_eq!(page["evicted"], evicted);
    let kept = listed(&page);
    let newest = u32::try_from(traces - 1).unwrap();
    assert_eq!(kept, (201 - newest..=200).rev().chain([1]).collect::<Vec<_>>());
    assert_eq!(console.get(&format!("/api/traces/{}", id(2))).await.json()["code"], "evicted");
    console.send("DELETE", &format!("/api/traces/{}/pin", id(1)), &[], b"").await;
    add(&console, 201, 1, "").await;
    assert_eq!(console.get(&format!("/api/traces/{}", id(1))).await.status, 404);
    assert_eq!(console.send("DELETE", "/api/traces", &[], b"").await.status, 204);
    let info = console.get_json("/api/info").await;
    assert_eq!((&info["traces"], &info["spans"], &info["bytes"]), (&json!(0), &json!(0), &json!(0)));
}

#[tokio::test]
async fn too_many_pins_are_refused() {
    let console = start_with(|options| options.max_bytes = 10_000).await;
    let mut statuses = Vec::new();
    for trace in 1..=8 {
        add(&console, trace, 1, "").await;
        statuses.push(console.send("PUT", &format!("/api/traces/{}/pin", id(trace)), &[], b"").await.status);
    }
    assert_eq!((statuses[0], statuses[7]), (204, 409));
}

#[tokio::test]
async fn links_are_known_in_both_directions() {
    let console = start().await;
    add(&console, 1, 1, "").await;
    let link = format!(r#","links":[{{"traceId":"{}","spanId":"0000000000000001"}}]"#, id(1));
    add(&console, 2, 1, &link).await;
    let links =
        async |trace: u32| console.get_json(&format!("/api/traces/{}", id(trace))).await["spans"][0]["links"].clone();
    let view = |trace: u32, span: &str, direction: &str| json!([{"trace": id(trace), "span": span, "attributes": [], "known": true, "direction": direction}]);
    assert_eq!(links(2).await, view(1, "0000000000000001", "out"));
    assert_eq!(links(1).await, view(2, "0000000000000002", "in"));
    console.send("DELETE", &format!("/api/traces/{}", id(1)), &[], b"").await;
    assert_eq!(links(2).await[0]["known"], false);
}

#[tokio::test]
async fn exported_trace_is_imported_equal() {
    let console = start().await;
    let more = r#","kind":3,"traceState":"a=b","status":{"code":2,"message":"m"},"droppedLinksCount":2,"attributes":[{"key":"a","value":{"kvlistValue":{"values":[{"key":"b","value":{"bytesValue":"AQ=="}}]}}},{"key":"n","value":{"doubleValue":"NaN"}}],"events":[{"timeUnixNano":"5","name":"e"}]"#;
    let spans = [span(1, 0, 0, 100, ""), span(2, 1, 10, 20, more)].join(",");
    console.post("/v1/traces", &[JSON], request(&spans).as_bytes()).await;
    let before = console.get_json(&format!("/api/traces/{TRACE}")).await;
    let exported = console.get(&format!("/api/traces/{TRACE}/otlp")).await.body;
    console.send("DELETE", "/api/traces", &[], b"").await;
    let answer = console.post("/api/import", &[], &exported).await;
    assert_eq!(answer.json(), json!({"traces": [TRACE], "spans": 2}));
    assert_eq!(console.get_json(&format!("/api/traces/{TRACE}")).await, before);
}

#[tokio::test]
async fn files_of_each_format_are_imported() {
    use prost::Message as _;
    let document =
        format!(r#"{{"name":"api","id":"0000000000000001","trace_id":"{XRAY_TRACE}","start_time":1,"end_time":2}}"#);
    let batch_get = json!([{"Id": "0000000000000001", "Document": document}]).to_string();
    let lines = format!("{}\n{}\n", request(&span(1, 0, 0, 1, "")), request(&span(2, 1, 0, 1, "")));
    let protobuf = crate::otlp_protobuf::request(vec![crate::otlp_protobuf::span(1)]).encode_to_vec();
    for (file, spans) in [
        (document.clone().into_bytes(), 1),
        (format!(" [{document}]").into_bytes(), 1),
        (batch_get.into_bytes(), 1),
        (lines.into_bytes(), 2),
        (protobuf, 1),
    ] {
        let console = start().await;
        let answer = console.post("/api/import", &[], &file).await;
        assert_eq!(answer.json(), json!({"traces": [TRACE], "spans": spans}), "{}", String::from_utf8_lossy(&file));
    }
    let console = start().await;
    for file in ["", "text", "{}", "[]", "{\"resourceSpans\":[]}"] {
        let answer = console.post("/api/import", &[], file.as_bytes()).await;
        assert_eq!((answer.status, answer.json()["code"].clone()), (400, json!("malformed")), "{file}");
    }
}

#[tokio::test]
async fn changes_are_streamed() {
    let console = start().await;
    let mut stream = TcpStream::connect(console.http()).await.unwrap();
    let head = format!("GET /api/events HTTP/1.1\r\nhost: {}\r\n\r\n", console.http());
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut text = String::new();
    let mut read_until = async |end: &str| {
        let mut bytes = [0; 4096];
        while !text.contains(end) {
            let length = stream.read(&mut bytes).await.unwrap();
            assert_ne!(length, 0, "{text}");
            text += std::str::from_utf8(&bytes[..length]).unwrap();
        }
        std::mem::take(&mut text)
    };
    assert!(read_until(": connected").await.contains("content-type: text/event-stream"));
    add(&console, 1, 1, "").await;
    add(&console, 1, 1, "").await;
    let text = read_until("event: trace\ndata: {").await;
    assert_eq!(text.matches("event: trace").count(), 1, "{text}");
    console.send("DELETE", &format!("/api/traces/{}", id(1)), &[], b"").await;
    read_until(&format!("event: deleted\ndata: {{\"id\":\"{}\"}}", id(1))).await;
    console.send("DELETE", "/api/traces", &[], b"").await;
    read_until("event: cleared").await;
}

#[tokio::test]
async fn health_names_senders_and_declared_drops() {
    let console = start().await;
    console.now.store(NOW + 5, Ordering::Relaxed);
    let drops = r#","attributes":[{"key":"lambda_spans.dropped.otlp.refused","value":{"intValue":"3"}}]"#;
    add(&console, 1, 1, drops).await;
    add(&console, 1, 1, drops).await;
    add(&console, 2, 1, drops).await;
    let health = console.get_json("/api/health").await;
    let senders = json!([{"service": "api", "signal": "otlp_json", "spans": 3, "last": (NOW + 5).to_string()}]);
    assert_eq!(health["senders"], senders);
    let declared = json!([{"service": "api", "destination": "otlp", "reason": "refused", "count": 6}]);
    assert_eq!(health["declared_drops"], declared);
}

#[tokio::test]
async fn description_has_every_route() {
    let console = start().await;
    let description = console.get_json("/api/openapi.json").await;
    let routes = include_str!("../../src/api/routes.rs");
    let declared: Vec<_> = routes.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let mut declared: Vec<_> = declared.into_iter().filter(|path| !path.contains('*')).collect();
    declared.sort_unstable();
    let paths = description["paths"].as_object().unwrap();
    let mut described: Vec<_> = paths.keys().map(String::as_str).collect();
    described.sort_unstable();
    assert_eq!(described, declared);
}

//! Groups, heat map, explanation and comparison over the API.

use serde_json::{Value, json};

use crate::support::{JSON, NOW, TRACE, TestConsole, request, span, start};

fn id(trace: u32) -> String {
    format!("60000000{trace:024x}")
}

async fn post(console: &TestConsole, spans: &[String]) {
    assert_eq!(console.post("/v1/traces", &[JSON], request(&spans.join(",")).as_bytes()).await.status, 200);
}

/// Returns the root of a trace with a user and a status.
fn root(trace: u32, start: u64, duration: u64, user: &str, more: &str) -> String {
    let attributes = format!(
        r#","attributes":[{{"key":"app.user","value":{{"stringValue":"{user}"}}}},{{"key":"n","value":{{"intValue":"{trace}"}}}}],"name":"GET"{more}"#
    );
    span(u64::from(trace), 0, start, start + duration, &attributes).replace(TRACE, &id(trace))
}

const SECOND: u64 = 1_000_000_000;

/// 40 fast requests of four users, and 8 slow ones of a fifth one.
async fn requests(console: &TestConsole) {
    let fast =
        (1..=40).map(|trace| root(trace, u64::from(trace % 2) * SECOND, 1_000_000, &format!("u{}", trace % 4), ""));
    let failed = r#","status":{"code":2}"#;
    let slow = (41..=48).map(|trace| root(trace, SECOND, 900_000_000, "slow", if trace == 41 { failed } else { "" }));
    post(console, &fast.chain(slow).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn groups_count_and_measure_requests() {
    let console = start().await;
    requests(&console).await;
    let groups = console.get_json("/api/explore/groups?by=app.user&sort=p95&limit=2").await;
    assert_eq!((&groups["events"], &groups["groups_total"]), (&json!(48), &json!(5)));
    assert_eq!(groups["columns"], json!({"start": NOW.to_string(), "step": "1000000000", "count": 2}));
    let point = json!({
        "column": 1, "count": 8.0, "errors": 1.0, "p50": "900000000", "p95": "900000000", "p99": "900000000",
    });
    let expected = json!({
        "value": "slow", "count": 8.0, "errors": 1.0, "p50": "900000000", "p95": "900000000", "p99": "900000000",
        "max": "900000000", "series": [point],
    });
    assert_eq!(groups["groups"][0], expected);
    assert_eq!(groups["groups"].as_array().unwrap().len(), 2);
    assert_eq!((&groups["total"]["count"], &groups["total"]["value"]), (&json!(48.0), &Value::Null));
    let filtered = console.get_json("/api/explore/groups?filter=app.user%3Du1&by=user").await;
    assert_eq!(filtered["events"], 10);
    let later = format!("/api/explore/groups?from={}&to={}", NOW + SECOND, NOW + 2 * SECOND);
    assert_eq!(console.get_json(&later).await["events"], 28);
    assert_eq!(console.get_json("/api/explore/groups?error=true").await["events"], 1);
}

#[tokio::test]
async fn spans_are_explored_on_request() {
    let console = start().await;
    let child = r#","kind":3,"attributes":[{"key":"table","value":{"stringValue":"posts"}}]"#;
    post(&console, &[span(1, 0, 0, 100, ""), span(2, 1, 10, 40, child), span(3, 1, 50, 60, child)]).await;
    let requests = console.get_json("/api/explore/groups?by=table").await;
    assert_eq!((&requests["events"], &requests["groups"][0]["value"]), (&json!(1), &json!("posts")));
    let spans = console.get_json("/api/explore/groups?of=spans&filter=table&by=kind").await;
    assert_eq!((&spans["events"], &spans["groups"][0]["value"]), (&json!(2), &json!("client")));
    let slow = console.get_json("/api/explore/heat-map?of=spans&min_duration=30&max_duration=30").await;
    assert_eq!(slow["events"], 1);
}

#[tokio::test]
async fn heat_map_has_exact_edges_and_lights_a_value() {
    let console = start().await;
    requests(&console).await;
    let map = console.get_json("/api/explore/heat-map?lit=app.user&lit_value=u1").await;
    let (rows, cells) = (map["rows"].as_array().unwrap(), map["cells"].as_array().unwrap());
    let nanos = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    let top = rows.last().unwrap();
    assert!(nanos(&top["low"]) <= 900_000_000 && 900_000_000 < nanos(&top["high"]));
    let last = rows.len() - 1;
    let cell = |column: u32, row: usize, count: f64, errors: f64, lit: f64| json!({"column": column, "row": row, "count": count, "errors": errors, "lit": lit});
    assert_eq!(*cells, [cell(0, 0, 20.0, 0.0, 0.0), cell(1, 0, 20.0, 0.0, 10.0), cell(1, last, 8.0, 1.0, 0.0)]);
    for (test, lit) in [("lit_absent=true", 0.0), ("lit_above=40", 8.0), ("lit_below=41", 40.0)] {
        let map = console.get_json(&format!("/api/explore/heat-map?lit=n&{test}")).await;
        let sum: f64 = map["cells"].as_array().unwrap().iter().map(|cell| cell["lit"].as_f64().unwrap()).sum();
        assert_eq!(sum, lit, "{test}");
    }
}

#[tokio::test]
async fn explanation_names_the_slow_user_first() {
    let console = start().await;
    requests(&console).await;
    let path = format!("/api/explore/explanation?selected_low=800000000&selected_from={NOW}");
    let found = console.get_json(&path).await;
    assert_eq!((&found["selected"], &found["rest"]), (&json!(8), &json!(40)));
    let first = &found["fields"][0];
    assert_eq!((&first["key"], &first["distinct"]), (&json!("app.user"), &json!(5)));
    let best = &first["values"][0];
    assert_eq!(
        (&best["operator"], &best["value"], &best["typical_of"]),
        (&json!("="), &json!("slow"), &json!("selection"))
    );
    assert_eq!((&best["selected"], &best["rest"], &best["selected_events"]), (&json!(1.0), &json!(0.0), &json!(8)));
    // The number of the trace splits the same events.
    assert_eq!(first["also"], json!([{"key": "n", "operator": ">", "value": "40"}]));
    let example = &found["examples"][0];
    assert_eq!((&example["trace"], &example["failed"]), (&json!(id(41)), &json!(true)));
    assert_eq!((&example["duration"], &example["user"]), (&json!("900000000"), &json!("slow")));
    assert_eq!(found["typical"]["duration"], "1000000");
    let nothing = console.get_json("/api/explore/explanation?selected_high=0").await;
    assert_eq!((&nothing["selected"], &nothing["fields"], &nothing["examples"]), (&json!(0), &json!([]), &json!([])));
}

#[tokio::test]
async fn keys_are_listed_by_frequency() {
    let console = start().await;
    post(&console, &[root(1, 0, 5, "a", ""), span(9, 0, 0, 1, "").replace(TRACE, &id(2))]).await;
    let keys = console.get_json("/api/explore/keys").await;
    let found: Vec<_> = keys["keys"].as_array().unwrap().iter().map(|key| (&key["key"], &key["events"])).collect();
    assert!(found.contains(&(&json!("service.name"), &json!(2))));
    assert!(found.contains(&(&json!("app.user"), &json!(1))));
}

#[tokio::test]
async fn comparison_sums_to_the_difference() {
    let console = start().await;
    let of = |trace: u32, queries: u64| {
        let root = span(1, 0, 0, 100 + queries * 50, r#","kind":2"#);
        let queries = (0..queries)
            .map(|query| span(query + 2, 1, 10 + query * 50, 60 + query * 50, r#","kind":3,"name":"query""#));
        [root].into_iter().chain(queries).map(|span| span.replace(TRACE, &id(trace))).collect::<Vec<_>>()
    };
    post(&console, &of(1, 2)).await;
    post(&console, &of(2, 5)).await;
    let found = console.get_json(&format!("/api/comparison?a={}&b={}", id(1), id(2))).await;
    assert_eq!(
        (&found["difference"], &found["a"]["duration"], &found["b"]["duration"]),
        (&json!("150"), &json!("200"), &json!("350"))
    );
    assert_eq!(found["a"]["summary"]["id"], id(1));
    let rows = found["rows"].as_array().unwrap();
    let critical: Vec<_> = rows.iter().map(|row| (&row["name"], &row["critical_difference"])).collect();
    assert_eq!(critical, [(&json!("span 1"), &json!("0")), (&json!("query"), &json!("150"))]);
    let query = &rows[1];
    assert_eq!(
        (&query["parent"], &query["count_difference"], &query["self_difference"]),
        (&json!(0), &json!(3), &json!("150"))
    );
    assert_eq!(
        query["b"]["spans"][1],
        json!({"id": "0000000000000003", "offset": "60", "duration": "50", "critical": "50"})
    );
    let reversed = console.get_json(&format!("/api/comparison?a={}&b={}", id(2), id(1))).await;
    assert_eq!(reversed["difference"], "-150");
}

#[tokio::test]
async fn invalid_parameters_are_rejected() {
    let console = start().await;
    requests(&console).await;
    for query in [
        "groups?of=x",
        "groups?from=x",
        "groups?sort=x",
        "groups?limit=0",
        "groups?limit=101",
        "groups?filter=%3D",
        "groups?selected_low=1",
        "heat-map?lit=a",
        "heat-map?lit_value=a",
        "heat-map?lit=a&lit_above=x",
        "heat-map?by=a",
        "explanation?selected_from=-1",
        "explanation?x=1",
        "keys?by=a",
        "keys?error=x",
    ] {
        let answer = console.get(&format!("/api/explore/{query}")).await;
        assert_eq!((answer.status, answer.json()["code"].clone()), (400, json!("bad_parameter")), "{query}");
    }
    for query in ["", "?a=1", "?b=1", "?a=1&b=2&c=3"] {
        let answer = console.get(&format!("/api/comparison{query}")).await;
        assert_eq!((answer.status, answer.json()["code"].clone()), (400, json!("bad_parameter")), "{query}");
    }
    let answer = console.get(&format!("/api/comparison?a={}&b={}", id(1), "7".repeat(32))).await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (404, json!("never_received")));
}

#[tokio::test]
async fn empty_console_has_empty_charts() {
    let console = start().await;
    let groups = console.get_json("/api/explore/groups?by=a").await;
    assert_eq!((&groups["events"], &groups["groups"], &groups["columns"]["count"]), (&json!(0), &json!([]), &json!(0)));
    let map = console.get_json("/api/explore/heat-map").await;
    assert_eq!((&map["rows"], &map["cells"]), (&json!([]), &json!([])));
    assert_eq!(console.get_json("/api/explore/explanation").await["selected"], 0);
}

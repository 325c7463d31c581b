use super::*;

fn attributes(prefix: &str, count: usize, bytes: usize) -> Vec<KeyValue> {
    (0..count).map(|n| KeyValue::new(format!("{prefix}{n}"), "x".repeat(bytes))).collect()
}

#[test]
fn fitting_document_is_not_cut() {
    let document = document(child("long", vec![KeyValue::new("long", "x".repeat(60_000))]));
    assert_eq!(document["metadata"], json!({ "default": { "long": "x".repeat(60_000) } }));
}

#[test]
fn largest_attributes_are_cut_first_with_a_mark() {
    let mut all = attributes("n", 10, 20_000);
    all.extend(attributes("app.n", 3, 4_200));
    all.extend(attributes("small", 3, 1_000));
    let document = document(child("huge", all));
    let metadata = &document["metadata"];
    assert_eq!(metadata["lambda_spans"]["lambda_spans.truncated"], true);
    assert_eq!(metadata["default"]["n1"].as_str().unwrap().len(), 4096);
    assert_eq!(metadata["default"]["small1"].as_str().unwrap().len(), 1_000);
    assert_eq!(metadata["default"]["app.n1"].as_str().unwrap().len(), 4_200);
}

#[test]
fn important_attributes_are_cut_last() {
    let mut all = attributes("n", 120, 3_000);
    all.extend(attributes("app.n", 4, 14_000));
    all.push(KeyValue::new("error.type", "conflict"));
    all.push(KeyValue::new("http.response.status_code", 409));
    let document = document(root("huge", all));
    let metadata = document["metadata"]["default"].as_object().unwrap();
    assert_eq!(metadata.len(), 5);
    assert_eq!(metadata["app.n3"].as_str().unwrap().len(), 14_000);
    assert_eq!(metadata["error.type"], "conflict");
    assert_eq!(document["http"]["response"]["status"], 409);
    assert_eq!(document["parent_id"], "53995c3f42cd8ad8");
}

#[test]
fn events_and_links_are_dropped_by_count() {
    let mut events = SpanEvents::default();
    events.events = (0..128).map(|_| Event::new("e", at(1), attributes("n", 4, 1_000), 0)).collect();
    let document = document(SpanData { events, ..child("x", vec![]) });
    let kept = document["metadata"]["lambda_spans"]["events"].as_array().unwrap().len();
    assert!(kept >= 3);
    assert_eq!(document["metadata"]["lambda_spans"]["dropped_events"], 128 - kept);
    assert_eq!(document["metadata"]["lambda_spans"]["lambda_spans.truncated"], true);
}

#[test]
fn minimal_document_is_the_last_resort() {
    let keys = (0..200).map(|n| KeyValue::new(format!("app.{n}{}", "k".repeat(495)), "x".repeat(2_000))).collect();
    let document = document(child("bare", keys));
    assert_eq!(document["metadata"], json!({ "lambda_spans": { "lambda_spans.truncated": true } }));
    assert_eq!(document["name"], "bare");
}

#[test]
fn spans_with_odd_names_are_sent() {
    let exception = |status| {
        let events = event("exception", vec![KeyValue::new("exception.type", "E")]);
        SpanData { events, status, ..child("handled", vec![]) }
    };
    let refused = [
        child("what? {a} (b) * [c] `d` \"e\" 'f', é", vec![]),
        child("", vec![]),
        SpanData { name: "n".repeat(5000).into(), ..child("", vec![]) },
        SpanData { name: "é".repeat(5000).into(), ..child("", vec![]) },
        root("GET /", vec![KeyValue::new("url.path", format!("/{}", "a".repeat(5000)))]),
        child("url", vec![KeyValue::new("url.full", format!("https://h/{}", "ü".repeat(5000)))]),
        child("agent", vec![KeyValue::new("user_agent.original", "a".repeat(5000))]),
        child("peer", vec![KeyValue::new("peer.service", "{peer}".repeat(100))]),
        exception(Status::Unset),
        exception(Status::Ok),
        exception(Status::error("bad")),
        SpanData { status: Status::error("{}".repeat(5000)), ..child("long message", vec![]) },
        SpanData { end_time: at(0) - Duration::from_micros(1), ..child("clock step", vec![]) },
        SpanData { start_time: UNIX_EPOCH - Duration::from_secs(1), ..child("before the epoch", vec![]) },
        SpanData { span_kind: SpanKind::Server, ..child("a server below the root", vec![]) },
        child("NaN", vec![KeyValue::new("app.ratio", f64::NAN), KeyValue::new("ratio", f64::INFINITY)]),
        child("annotations", (0..100).map(|n| KeyValue::new(format!("app.n{n}"), "x".repeat(2000))).collect()),
        child("twins", vec![KeyValue::new("app.a.b", 1), KeyValue::new("app.a_b", 2)]),
        child("huge", attributes("n", 100, 3000)),
    ];
    for span in refused {
        let name = span.name.clone();
        assert_eq!(document(span)["id"], "1111111111111111", "{name}");
    }
}

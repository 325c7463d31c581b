use super::*;

fn with_id(id: u64, parent: u64, span: SpanData) -> SpanData {
    let context = &span.span_context;
    let span_context =
        SpanContext::new(context.trace_id(), SpanId::from(id), TraceFlags::SAMPLED, false, TraceState::NONE);
    SpanData { span_context, parent_span_id: SpanId::from(parent), ..span }
}

fn documents(spans: Vec<SpanData>) -> Vec<Json> {
    let documents = xray("127.0.0.1:2000").documents(&[of_lambda(spans)], &Account::default());
    documents.iter().map(|document| read(&document.datagram)).collect()
}

#[test]
fn invocation_is_one_document_with_nested_spans() {
    let documents = documents(vec![
        with_id(3, 2, child("grandchild", vec![])),
        with_id(2, ROOT_ID, child("child", vec![])),
        with_id(4, 99, child("of a span that has not ended", vec![])),
        root("root", vec![]),
    ]);
    assert_eq!(documents.len(), 2);
    assert_eq!(
        (&documents[0]["name"], &documents[1]["name"]),
        (&json!("root"), &json!("of a span that has not ended"))
    );
    assert_eq!(documents[1]["parent_id"], "0000000000000063");
    assert_eq!(
        documents[0]["subsegments"],
        json!([{
            "name": "child",
            "id": "0000000000000002",
            "start_time": 1_700_000_000.0,
            "end_time": 1_700_000_000.25,
            "subsegments": [{
                "name": "grandchild",
                "id": "0000000000000003",
                "start_time": 1_700_000_000.0,
                "end_time": 1_700_000_000.25,
            }],
        }])
    );
}

fn long(name: &'static str, bytes: usize) -> SpanData {
    child(name, vec![KeyValue::new("long", "x".repeat(bytes))])
}

fn ids(document: &Json) -> Vec<u64> {
    let id = u64::from_str_radix(document["id"].as_str().unwrap(), 16).unwrap();
    let below = document["subsegments"].as_array().into_iter().flatten();
    [id].into_iter().chain(below.flat_map(ids)).collect()
}

fn levels(document: &Json) -> usize {
    1 + document["subsegments"].as_array().into_iter().flatten().map(levels).max().unwrap_or_default()
}

#[test]
fn subtree_that_does_not_fit_is_a_document() {
    let documents = documents(vec![
        with_id(3, 2, long("b", 30_000)),
        with_id(2, ROOT_ID, long("a", 30_000)),
        with_id(4, ROOT_ID, long("c", 20_000)),
        root("root", vec![]),
    ]);
    let shown: Vec<_> = documents.iter().map(|document| (ids(document), &document["parent_id"])).collect();
    let (parent, root) = (json!("53995c3f42cd8ad8"), json!("1111111111111111"));
    assert_eq!(shown, [(vec![ROOT_ID, 4], &parent), (vec![2, 3], &root)]);
}

#[test]
fn root_that_ended_last_is_sent_first() {
    let mut spans: Vec<_> = (1..=500).map(|id| with_id(id, ROOT_ID, long("flat", 100))).collect();
    spans.push(root("root", vec![]));
    let documents = documents(spans);
    let counts: Vec<_> = documents.iter().map(|document| ids(document).len()).collect();
    assert_eq!(documents[0]["name"], "root");
    assert_eq!(counts.iter().sum::<usize>(), 501);
    assert!(counts[0] > 200 && counts[1..].iter().all(|count| *count == 1), "{counts:?}");
}

#[test]
fn deep_invocation_has_documents_of_32_levels() {
    let mut spans: Vec<_> = (1..=1000).rev().map(|id| with_id(id, id - 1, child("deep", vec![]))).collect();
    spans[999].parent_span_id = SpanId::from(ROOT_ID);
    spans.push(root("root", vec![]));
    let documents = documents(spans);
    assert_eq!(documents.len(), 1001_usize.div_ceil(32));
    assert!(documents.iter().all(|document| levels(document) <= 32));
    assert_eq!(documents[0]["name"], "root");
}

#[test]
fn siblings_are_an_array_if_enabled() {
    let xray = xray_with("127.0.0.1:2000", XrayFormat::Segments, true);
    let mut spans: Vec<_> = (1..=800).map(|id| with_id(id, ROOT_ID, long("flat", 100))).collect();
    spans.push(root("root", vec![]));
    let documents = xray.documents(&[of_lambda(spans)], &Account::default());
    assert!(documents.len() < 8, "{}", documents.len());
    assert_eq!(documents.iter().map(|document| document.spans).sum::<usize>(), 801);
    for (position, document) in documents.iter().enumerate() {
        assert!(document.datagram.len() <= 64_000);
        assert_eq!(document.is_first, position == 0);
        let text = document.datagram.strip_prefix(crate::xray::document::HEADER).unwrap();
        let all: Json = serde_json::from_slice(text).unwrap();
        let Json::Array(siblings) = all else {
            assert_eq!(position, 0);
            continue;
        };
        for sibling in &siblings {
            let single = [crate::xray::document::HEADER, sibling.to_string().as_bytes()].concat();
            assert_eq!(read(&single)["parent_id"], "1111111111111111");
        }
        assert_eq!(siblings.len(), document.spans);
    }
}

#[test]
fn invocation_of_10000_spans_keeps_root_and_errors() {
    let xray = xray("127.0.0.1:2000");
    let span = |id: u64| {
        let status = if id.is_multiple_of(100) { Status::error("") } else { Status::Unset };
        // Each is below one that is faster, so that many parents are omitted.
        let parent = if id <= 100 { ROOT_ID } else { id - 100 };
        SpanData { status, end_time: at(id), ..with_id(id, parent, long("one of many", 100)) }
    };
    let mut spans: Vec<_> = (1..10_000).map(span).collect();
    spans.push(root("root", vec![]));
    let account = Account::default();
    account.entered(10_000);
    let documents = xray.documents(&[of_lambda(spans)], &account);
    let read: Vec<_> = documents.iter().map(|document| read(&document.datagram)).collect();
    let sent: Vec<u64> = read.iter().flat_map(ids).collect();
    let omitted = 10_000 - sent.len() as u64;
    assert_eq!(account.counts().dropped, crate::Dropped { overflowed: omitted, ..Default::default() });
    assert_eq!(read[0]["metadata"]["lambda_spans"]["lambda_spans.omitted"], omitted);
    assert!((1..100).all(|error| sent.contains(&(error * 100))), "an error is lost");
    let bytes: usize = documents.iter().map(|document| document.datagram.len()).sum();
    assert!((400_000..500_000).contains(&bytes), "{bytes}");
    let parents = read.iter().skip(1).map(|document| document["parent_id"].as_str().unwrap());
    let parents: Vec<_> = parents.map(|id| u64::from_str_radix(id, 16).unwrap()).collect();
    assert!(parents.iter().all(|parent| sent.contains(parent)), "a parent is not sent");

    // A span that ends late belongs to the same trace.
    let late = xray.documents(&[of_lambda(vec![with_id(10_000, ROOT_ID, long("late", 60_000))])], &account);
    assert_eq!((late.len(), account.counts().dropped.overflowed), (0, omitted + 1));
    let failed = SpanData { status: Status::error(""), ..with_id(10_001, ROOT_ID, child("late", vec![])) };
    assert_eq!(xray.documents(&[of_lambda(vec![failed])], &account).len(), 1);
    let again = xray.documents(&[of_lambda(vec![root("root", vec![])])], &account);
    assert_eq!(again.len(), 1);
}

#[test]
fn trace_has_at_most_50_annotations() {
    let annotated = |id| {
        let attributes = (0..7).map(|n| KeyValue::new(format!("app.n{n}"), n)).collect();
        SpanData { end_time: at(id), ..with_id(id, ROOT_ID, child("x", attributes)) }
    };
    let mut spans: Vec<_> = (1..=10).map(annotated).collect();
    spans.push(root("root", vec![KeyValue::new("app.root", 1)]));
    let xray = xray("127.0.0.1:2000");
    let document = read(&xray.documents(&[of_lambda(spans)], &Account::default())[0].datagram);
    let count = |document: &Json| document["annotations"].as_object().map_or(0, serde_json::Map::len);
    let below: Vec<_> = document["subsegments"].as_array().unwrap().iter().map(count).collect();
    // The root has one, and the slowest have the others.
    assert_eq!((count(&document), below), (1, vec![0, 0, 0, 7, 7, 7, 7, 7, 7, 7]));
    let late = read(&xray.documents(&[of_lambda(vec![annotated(20)])], &Account::default())[0].datagram);
    assert_eq!(count(&late), 0);
    assert_eq!(late["metadata"]["default"].as_object().unwrap().len(), 7);
}

#[test]
fn open_spans_are_sent_root_first() {
    let mut open: Vec<_> = (1..=2000).rev().map(|id| with_id(id, id - 1, long("open", 300))).collect();
    open[1999].parent_span_id = SpanId::from(ROOT_ID);
    open.push(root("root", vec![]));
    let context = XrayContext { parent: Some(SpanId::from(PARENT)), sampled: true };
    let documents = xray("127.0.0.1:2000").in_progress(&open, context);
    let bytes: usize = documents.iter().map(|document| document.datagram.len()).sum();
    assert!((400_000..500_000).contains(&bytes), "{bytes}");
    let names = documents.iter().map(|document| read(&document.datagram)["id"].clone());
    assert_eq!(names.take(3).collect::<Vec<_>>(), ["1111111111111111", "0000000000000001", "0000000000000002"]);
}

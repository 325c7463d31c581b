//! OTLP over UDP. `tests/tools/test_receivers.py` decodes the same datagrams with independent code.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message as _;

use super::*;
use crate::xray::document::Document;

const PREFIX: &[u8] = b"{\"format\":\"json\",\"version\":1}\nT1S";

fn datagrams(finished: FinishedSpans, account: &Account) -> Vec<Document> {
    xray_with("127.0.0.1:2000", XrayFormat::Otlp, false).documents(&[finished], account)
}

fn decode(document: &Document) -> ResourceSpans {
    let text = document.datagram.strip_prefix(PREFIX).unwrap();
    let request = ExportTraceServiceRequest::decode(STANDARD.decode(text).unwrap().as_slice()).unwrap();
    let [resource] = &request.resource_spans[..] else { panic!("one resource") };
    resource.clone()
}

fn spans(documents: &[Document]) -> Vec<Vec<Span>> {
    let spans = |document| decode(document).scope_spans.into_iter().flat_map(|scope| scope.spans).collect();
    documents.iter().map(spans).collect()
}

#[test]
fn datagram_is_an_otlp_request_below_lambdas_segment() {
    let mut root =
        root("GET /items/{id}", vec![KeyValue::new("app.id", 42), KeyValue::new("http.route", "/items/{id}")]);
    let link = SpanContext::new(TraceId::from(5), SpanId::from(6), TraceFlags::SAMPLED, true, TraceState::NONE);
    root.links = SpanLinks::default();
    root.links.links.push(Link::new(link, vec![], 0));
    root.events = SpanEvents::default();
    root.events.events.push(Event::new("an event", at(1), vec![KeyValue::new("app.n", 1)], 0));
    let documents = datagrams(of_lambda(vec![child("call", vec![]), root]), &Account::default());
    assert_eq!(documents.iter().map(|document| (document.spans, document.is_first)).collect::<Vec<_>>(), [(2, true)]);
    let resource = decode(&documents[0]).resource.unwrap();
    assert!(resource.attributes.iter().any(|attribute| attribute.key == "service.name"));
    let [call, root] = &spans(&documents)[0][..] else { panic!("two spans") };
    assert_eq!((call.name.as_str(), &call.parent_span_id), ("call", &root.span_id));
    assert_eq!(root.parent_span_id, PARENT.to_be_bytes());
    assert_eq!(
        (root.events[0].name.as_str(), root.links[0].span_id.as_slice()),
        ("an event", &6_u64.to_be_bytes()[..])
    );
    let keys: Vec<_> = root.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert_eq!(keys, ["app.id", "http.route", "aws.xray.annotations"]);
    assert!(format!("{:?}", root.attributes[2].value).contains("\"app.id\""));
}

#[test]
fn unsampled_spans_have_no_datagram() {
    let account = Account::default();
    let mut unsampled = of_lambda(vec![root("x", vec![])]);
    unsampled.xray.sampled = false;
    assert_eq!(datagrams(unsampled, &account), []);
    assert_eq!(account.counts(), crate::Counts { sampled_out: 1, ..Default::default() });
}

#[test]
fn root_without_a_segment_has_no_parent() {
    let mut alone = of_lambda(vec![root("x", vec![])]);
    alone.xray.parent = None;
    let documents = datagrams(alone, &Account::default());
    assert_eq!(spans(&documents)[0][0].parent_span_id, Vec::<u8>::new());
}

#[test]
fn large_trace_is_split_with_root_and_errors_first() {
    let mut all: Vec<_> =
        (1..=300).map(|id| with_id(id, child("x", vec![KeyValue::new("text", "y".repeat(1000))]))).collect();
    all[200].status = Status::error("");
    all.push(root("root", vec![]));
    let documents = datagrams(of_lambda(all), &Account::default());
    assert!((7..=9).contains(&documents.len()), "{}", documents.len());
    assert!(documents.iter().all(|document| document.datagram.len() <= 64_000));
    assert!(documents.iter().enumerate().all(|(position, document)| document.is_first == (position == 0)));
    let spans = spans(&documents);
    assert_eq!(spans.iter().map(Vec::len).sum::<usize>(), 301);
    assert_eq!(spans[0][0].name, "root");
    assert_eq!(spans[0][1].status.as_ref().unwrap().code, 2);
}

#[test]
fn trace_beyond_the_allowance_keeps_its_root() {
    let account = Account::default();
    let mut all: Vec<_> =
        (1..=800).map(|id| with_id(id, child("x", vec![KeyValue::new("text", "y".repeat(1000))]))).collect();
    all.push(root("root", vec![]));
    let documents = datagrams(of_lambda(all), &account);
    let sent: usize = documents.iter().map(|document| document.spans).sum();
    assert!((350..450).contains(&sent), "{sent}");
    assert_eq!(account.counts().dropped.overflowed, 801 - sent as u64);
    let root = &spans(&documents)[0][0];
    assert!(root.attributes.iter().any(|attribute| attribute.key == "lambda_spans.omitted"));
}

#[test]
fn span_above_the_limit_is_reduced() {
    let large = root("root", vec![KeyValue::new("a", "x".repeat(200_000)), KeyValue::new("b", 2)]);
    let documents = datagrams(of_lambda(vec![large]), &Account::default());
    assert_eq!(documents.len(), 1);
    assert!(documents[0].datagram.len() <= 64_000);
    let keys: Vec<_> = spans(&documents)[0][0].attributes.iter().map(|attribute| attribute.key.clone()).collect();
    assert_eq!(keys, ["a", "b", "lambda_spans.truncated"]);
}

#[test]
fn open_spans_have_no_form_in_otlp() {
    let xray = xray_with("127.0.0.1:2000", XrayFormat::Otlp, false);
    let context = XrayContext { parent: None, sampled: true };
    assert_eq!(xray.in_progress(&[root("x", vec![])], context), []);
    assert!(!xray.replaces());
}

fn with_id(id: u64, span: SpanData) -> SpanData {
    let context = &span.span_context;
    let context = SpanContext::new(context.trace_id(), SpanId::from(id), TraceFlags::SAMPLED, false, TraceState::NONE);
    SpanData { span_context: context, ..span }
}

//! Every span becomes exactly one valid document. `PROPTEST_CASES` sets the number of spans.

use std::slice;

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::Resource;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::validator::faults;
use super::{arbitrary, in_xray, xray};
use crate::trace::accounting::Account;
use crate::trace::finished::XrayContext;
use crate::xray::document::HEADER;
use crate::xray::{Xray, XrayFormat, XraySettings};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_span_becomes_one_valid_document(
        span in arbitrary::span(),
        parent in arbitrary::parent(),
        annotate in arbitrary::annotate(),
        service in arbitrary::service(),
    ) {
        let resource = Resource::builder_empty()
            .with_attributes([
                KeyValue::new("service.name", service),
                KeyValue::new("cloud.provider", "aws"),
                KeyValue::new("cloud.platform", "aws_lambda"),
                KeyValue::new("cloud.region", "eu-west-1"),
            ])
            .build();
        let settings = XraySettings { daemon: "127.0.0.1:2000".to_owned(), format: XrayFormat::Segments, arrays: false };
        let xray = Xray::new(settings, annotate, &resource);
        let account = Account::default();
        let open = xray.in_progress(slice::from_ref(&span), XrayContext { parent, sampled: true }).pop().expect("an open span has a document too");
        prop_assert_eq!(faults(&open.datagram), Vec::<String>::new());
        let finished = in_xray(XrayContext { parent, sampled: true }, vec![span]);
        let documents = xray.documents(&[finished], &account);
        prop_assert_eq!(documents.len(), 1);
        for document in &documents {
            prop_assert_eq!(faults(&document.datagram), Vec::<String>::new());
        }
        prop_assert_eq!(account.counts(), crate::Counts::default());
    }

    #[test]
    fn every_span_of_an_invocation_is_written_once(
        spans in vec(arbitrary::span(), 0..12),
        above in vec(any::<prop::sample::Index>(), 12),
        parent in arbitrary::parent(),
        long in any::<bool>(),
    ) {
        let mut spans = spans;
        // Their own ids, with parents among them, including circles.
        let id = |index: usize| SpanId::from(index as u64 + 1);
        let count = spans.len();
        for (index, (span, above)) in spans.iter_mut().zip(above).enumerate() {
            let trace = TraceId::from(0x5759e988bd862e3fe1be46a994272793_u128);
            span.span_context = SpanContext::new(trace, id(index), TraceFlags::SAMPLED, false, TraceState::NONE);
            span.parent_span_id = id(above.index(count + 1));
            if long {
                span.attributes.push(KeyValue::new("long", "x".repeat(20_000)));
            }
        }
        let xray = xray("127.0.0.1:2000");
        let account = Account::default();
        let finished = in_xray(XrayContext { parent, sampled: true }, spans);
        let mut ids = Vec::new();
        for document in xray.documents(&[finished], &account) {
            prop_assert_eq!(faults(&document.datagram), Vec::<String>::new());
            let before = ids.len();
            collect_ids(&serde_json::from_slice(document.datagram.strip_prefix(HEADER).unwrap()).unwrap(), &mut ids);
            prop_assert_eq!(ids.len() - before, document.spans);
        }
        ids.sort_unstable();
        let expected: Vec<String> = (0..count).map(|index| id(index).to_string()).collect();
        prop_assert_eq!(ids, expected);
    }
}

/// Returns the ids of the spans in a document.
fn collect_ids(document: &Value, ids: &mut Vec<String>) {
    ids.push(document["id"].as_str().unwrap().to_owned());
    for below in document["subsegments"].as_array().into_iter().flatten() {
        collect_ids(below, ids);
    }
}

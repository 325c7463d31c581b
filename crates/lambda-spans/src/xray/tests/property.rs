//! Any span becomes exactly one valid document. `PROPTEST_CASES` says how many spans are tried.

use std::slice;

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use proptest::prelude::*;

use super::arbitrary;
use super::validator::faults;
use crate::accounting::Account;
use crate::invocation::{Finished, To, XrayContext};
use crate::sampling::Decision;
use crate::xray::Xray;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_span_becomes_one_valid_document(
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
        let xray = Xray::new("127.0.0.1:2000".to_owned(), &resource, annotate);
        let account = Account::default();
        let open = xray.in_progress(slice::from_ref(&span), XrayContext { parent, sampled: true }).pop().expect("an open span has a document too");
        prop_assert_eq!(faults(&open), Vec::<String>::new());
        let finished = Finished { xray: XrayContext { parent, sampled: true }, otlp: Decision::Leave, to: To::Both, caller: None, spans: vec![span] };
        let documents = xray.documents(&[finished], &account);
        prop_assert_eq!(documents.len(), 1);
        for document in &documents {
            prop_assert_eq!(faults(document), Vec::<String>::new());
        }
        prop_assert_eq!(account.counts(), crate::Counts::default());
    }
}

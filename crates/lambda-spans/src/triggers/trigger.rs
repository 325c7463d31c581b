//! What an event says about the invocation's span.

use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};

use super::batch::RecordBatch;
use super::event::{RecordFields, is_short_text};
use super::sender;
use crate::attributes::{
    FAAS_TRIGGER, MESSAGING_BATCH_MESSAGE_COUNT, MESSAGING_DESTINATION_NAME, MESSAGING_MESSAGE_ID,
    MESSAGING_OPERATION_NAME, MESSAGING_OPERATION_TYPE, MESSAGING_SYSTEM, OTEL_KIND,
};

/// The maximum number of records that become links: some receivers bill each link as an event.
pub(super) const MAX_LINKS: usize = 128;

/// What invoked the function.
#[derive(Debug, Default)]
pub(super) struct Trigger {
    /// `None` keeps the function's name.
    pub(super) name: Option<String>,
    pub(super) consumer: bool,
    pub(super) attributes: Vec<KeyValue>,
    pub(super) links: Vec<SpanContext>,
    pub(super) batch: Option<RecordBatch>,
}

impl Trigger {
    pub(super) fn faas(trigger: &'static str) -> Self {
        Self { attributes: vec![KeyValue::new(FAAS_TRIGGER, trigger)], ..Self::default() }
    }

    /// Describes the processing of records from `source`, which an event may not name.
    pub(super) fn consumer(trigger: &'static str, source: Option<&str>) -> Self {
        let name = source.map_or_else(|| "process".to_owned(), |source| format!("process {source}"));
        Self { name: Some(name), consumer: true, ..Self::faas(trigger) }
    }

    /// Describes a batch of messages from the queues or topics with the names `destinations`.
    pub(super) fn messages<'a>(
        system: &'static str,
        destinations: impl Iterator<Item = &'a str>,
        batch: RecordBatch,
    ) -> Self {
        let mut names: Vec<&str> = destinations.filter(|name| is_short_text(name)).collect();
        let (only, source) = only_or_several(&mut names);
        let mut trigger = Self::consumer("pubsub", source);
        trigger.set_messaging_system(system);
        if let Some(only) = only {
            trigger.set(MESSAGING_DESTINATION_NAME, only.to_owned());
        }
        if let Some(id) = batch.message_id().filter(|id| is_short_text(id)).map(str::to_owned) {
            trigger.set(MESSAGING_MESSAGE_ID, id);
        }
        trigger.with_batch(batch)
    }

    pub(super) fn with_batch(mut self, batch: RecordBatch) -> Self {
        self.set(MESSAGING_BATCH_MESSAGE_COUNT, batch.len());
        self.batch = Some(batch);
        self
    }

    pub(super) fn set(&mut self, key: &'static str, value: impl Into<opentelemetry::Value>) {
        self.attributes.push(KeyValue::new(key, value));
    }

    pub(super) fn set_messaging_system(&mut self, system: &'static str) {
        self.set(MESSAGING_SYSTEM, system);
        self.set(MESSAGING_OPERATION_NAME, "process");
        self.set(MESSAGING_OPERATION_TYPE, "process");
    }

    /// Links to the sender of each record.
    pub(super) fn link_to_senders(self, records: &[RecordFields<'_>]) -> Self {
        self.link_to(records.iter().flat_map(sender::contexts))
    }

    pub(super) fn link_to(mut self, senders: impl Iterator<Item = SpanContext>) -> Self {
        self.links.extend(senders.take(MAX_LINKS));
        self
    }

    pub(super) fn apply_to(self, context: &Context) -> Option<RecordBatch> {
        let span = context.span();
        if let Some(name) = self.name {
            span.update_name(name);
        }
        if self.consumer {
            span.set_attribute(KeyValue::new(OTEL_KIND, "consumer"));
        }
        span.set_attributes(self.attributes);
        self.links.into_iter().for_each(|link| span.add_link(link, Vec::new()));
        self.batch
    }
}

/// Returns the only one of the distinct `names`, and what the span's name contains instead of several.
pub(super) fn only_or_several<T: AsRef<str> + Ord>(names: &mut Vec<T>) -> (Option<&str>, Option<&str>) {
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [] => (None, None),
        [only] => (Some(only.as_ref()), Some(only.as_ref())),
        [..] => (None, Some("multiple_sources")),
    }
}

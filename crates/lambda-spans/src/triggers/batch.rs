//! A batch of records, and the records that Lambda will retry.

use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context, KeyValue};
use serde::Serialize;
use serde_json::Value;

use crate::attributes::FAAS_BATCH_FAILURES;
use crate::trace::outcome::record_error;

/// The ids of the records, in order of arrival.
#[derive(Debug)]
pub(super) struct RecordBatch {
    ids: Vec<String>,
    /// For a stream: Lambda retries all records from the first failed one.
    ordered: bool,
}

impl RecordBatch {
    pub(super) fn unordered(ids: impl Iterator<Item = String>) -> Self {
        Self { ids: ids.collect(), ordered: false }
    }

    pub(super) fn ordered(ids: impl Iterator<Item = String>) -> Self {
        Self { ids: ids.collect(), ordered: true }
    }

    pub(super) fn len(&self) -> i64 {
        i64::try_from(self.ids.len()).unwrap_or(i64::MAX)
    }

    /// Returns the id of a batch of one.
    pub(super) fn only(&self) -> Option<&str> {
        if let [only] = self.ids.as_slice() { Some(only) } else { None }
    }

    /// Records the batch failures of a response. A response without failures records nothing.
    pub(super) fn record_response(&self, context: &Context, response: &impl Serialize) {
        // If the response cannot be serialized, the runtime reports it.
        let failures = serde_json::to_value(response).ok().map_or(0, |response| self.failures(&response));
        if failures > 0 {
            context
                .span()
                .set_attribute(KeyValue::new(FAAS_BATCH_FAILURES, i64::try_from(failures).unwrap_or(i64::MAX)));
        }
        if failures == self.ids.len() && failures > 0 {
            record_error(context, "batch_failed");
        }
    }

    /// Returns how many records Lambda will retry. It retries all of them if a failure names an unknown record.
    fn failures(&self, response: &Value) -> usize {
        let failed = response.get("batchItemFailures").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut positions = Vec::with_capacity(failed.len());
        for failure in failed {
            let id = failure.get("itemIdentifier").and_then(Value::as_str);
            // A malformed record has no id.
            match self.ids.iter().position(|known| !known.is_empty() && Some(known.as_str()) == id) {
                Some(position) => positions.push(position),
                None => return self.ids.len(),
            }
        }
        positions.sort_unstable();
        positions.dedup();
        match positions.first() {
            Some(first) if self.ordered => self.ids.len() - first,
            _ => positions.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ids() -> impl Iterator<Item = String> {
        ["a", "b", "c"].into_iter().map(str::to_owned)
    }

    fn failed(ids: &[&str]) -> Value {
        json!({ "batchItemFailures": ids.iter().map(|id| json!({ "itemIdentifier": id })).collect::<Vec<_>>() })
    }

    #[test]
    fn each_failed_message_counts_once() {
        let batch = RecordBatch::unordered(ids());
        assert_eq!(batch.failures(&failed(&[])), 0);
        assert_eq!(batch.failures(&failed(&["b"])), 1);
        assert_eq!(batch.failures(&failed(&["c", "a", "c"])), 2);
        assert_eq!(batch.failures(&json!({ "ok": true })), 0);
        assert_eq!(batch.failures(&Value::Null), 0);
    }

    #[test]
    fn stream_retries_from_the_first_failure() {
        let batch = RecordBatch::ordered(ids());
        assert_eq!(batch.failures(&failed(&["b"])), 2);
        assert_eq!(batch.failures(&failed(&["c", "a"])), 3);
    }

    #[test]
    fn record_without_an_id_matches_no_failure() {
        let batch = RecordBatch::unordered(["a", ""].into_iter().map(str::to_owned));
        assert_eq!((batch.failures(&failed(&["a"])), batch.failures(&failed(&[""]))), (1, 2));
    }

    #[test]
    fn failure_without_a_record_is_the_whole_batch() {
        for failure in [failed(&["x"]), json!({ "batchItemFailures": [{}] }), failed(&[""])] {
            assert_eq!(RecordBatch::unordered(ids()).failures(&failure), 3, "{failure}");
        }
    }
}

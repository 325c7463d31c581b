//! A batch of records, and the records that Lambda will retry.

use std::collections::HashSet;

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
    order: Order,
}

/// Which records Lambda retries after a failed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// No other.
    Unordered,
    /// All later records of the batch.
    Stream,
    /// All later records of the same partition.
    Partitions,
}

impl RecordBatch {
    pub(super) fn unordered(ids: impl Iterator<Item = String>) -> Self {
        Self { ids: ids.collect(), order: Order::Unordered }
    }

    pub(super) fn ordered(ids: impl Iterator<Item = String>) -> Self {
        Self { ids: ids.collect(), order: Order::Stream }
    }

    /// Each id comes from [`partition_id`](Self::partition_id).
    pub(super) fn partitioned(ids: impl Iterator<Item = String>) -> Self {
        Self { ids: ids.collect(), order: Order::Partitions }
    }

    /// Returns the id of a Kafka record. `partition` contains the topic.
    pub(super) fn partition_id(partition: &str, offset: i64) -> String {
        format!("{partition}:{offset}")
    }

    pub(super) fn len(&self) -> i64 {
        i64::try_from(self.ids.len()).unwrap_or(i64::MAX)
    }

    /// Returns the id of the message in a batch of one. A Kafka record has only a place.
    pub(super) fn message_id(&self) -> Option<&str> {
        if let [only] = self.ids.as_slice()
            && self.order != Order::Partitions
        {
            Some(only)
        } else {
            None
        }
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
            let id = failure.get("itemIdentifier").and_then(|id| self.id(id));
            // A malformed record has no id.
            match self.ids.iter().position(|known| !known.is_empty() && Some(known) == id.as_ref()) {
                Some(position) => positions.push(position),
                None => return self.ids.len(),
            }
        }
        positions.sort_unstable();
        positions.dedup();
        match self.order {
            Order::Unordered => positions.len(),
            Order::Stream => positions.first().map_or(0, |first| self.ids.len() - first),
            Order::Partitions => self.retried_in_partitions(&positions),
        }
    }

    /// Returns the id in a failure. Kafka's is an object.
    fn id(&self, id: &Value) -> Option<String> {
        if self.order == Order::Partitions {
            return Some(Self::partition_id(id.get("partition")?.as_str()?, id.get("offset")?.as_i64()?));
        }
        id.as_str().map(str::to_owned)
    }

    /// Counts the records from the first failed one of each partition.
    fn retried_in_partitions(&self, positions: &[usize]) -> usize {
        let mut failed = HashSet::new();
        let retried = self.ids.iter().enumerate().filter(|(position, id)| {
            let partition = id.rsplit_once(':').map(|(partition, _)| partition);
            if positions.binary_search(position).is_ok() {
                failed.insert(partition);
                return true;
            }
            failed.contains(&partition)
        });
        retried.count()
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
    fn kafka_retries_from_the_first_of_a_partition() {
        let ids = [("a-0", 7), ("a-0", 8), ("a-0", 9), ("a-1", 7), ("b-0", 1)];
        let batch = RecordBatch::partitioned(ids.iter().map(|(name, offset)| RecordBatch::partition_id(name, *offset)));
        let failed = |ids: &[(&str, i64)]| {
            let ids = ids.iter().map(|(name, offset)| json!({ "partition": name, "offset": offset }));
            json!({ "batchItemFailures": ids.map(|id| json!({ "itemIdentifier": id })).collect::<Vec<_>>() })
        };
        assert_eq!(batch.failures(&failed(&[])), 0);
        assert_eq!(batch.failures(&failed(&[("a-0", 8)])), 2);
        assert_eq!(batch.failures(&failed(&[("a-0", 9), ("a-0", 8), ("b-0", 1)])), 3);
        assert_eq!(batch.failures(&failed(&[("a-1", 8)])), 5);
        assert_eq!(batch.failures(&json!({ "batchItemFailures": [{ "itemIdentifier": "a-0-8" }] })), 5);
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

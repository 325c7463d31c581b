//! The records of the table's stream, as Lambda passes them to the consumer.

use std::time::Duration;

use cruddur::dead_letters::DeadLetters;
use cruddur::store::Store;
use cruddur::stream::{self, BatchResponse, Consumer, StreamEvent};
use dynoxide::Database;
use dynoxide::actions::describe_stream::DescribeStreamRequest;
use dynoxide::actions::get_records::GetRecordsRequest;
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::actions::list_streams::ListStreamsRequest;
use serde_json::Value;

use super::TestApp;

impl TestApp {
    /// All records so far, oldest first.
    pub(crate) fn records(&self) -> Vec<Value> {
        read_from(self.database.as_ref().unwrap(), None).0
    }

    /// The records since the last call.
    pub(crate) fn next_records(&mut self) -> Vec<Value> {
        let (records, position) = read_from(self.database.as_ref().unwrap(), self.position.take());
        self.position = Some(position);
        records
    }

    pub(crate) async fn consume(&self, records: &[Value]) -> BatchResponse {
        consume(&self.state.store, records).await
    }

    /// Consumes records until there are no new ones.
    pub(crate) async fn settle(&mut self) {
        loop {
            let records = self.next_records();
            if records.is_empty() {
                return;
            }
            let records: Vec<_> = records.into_iter().filter(stream::has_side_effects).collect();
            assert_eq!(self.consume(&records).await, BatchResponse::default());
        }
    }
}

/// Consumes records without a dead-letter queue.
pub(crate) async fn consume(store: &Store, records: &[Value]) -> BatchResponse {
    let consumer = Consumer { store: store.clone(), dead_letters: DeadLetters::none() };
    consumer.consume(&StreamEvent { records: records.to_vec() }, Duration::from_secs(60)).await
}

/// The records from a position on, and the next position.
fn read_from(database: &Database, position: Option<String>) -> (Vec<Value>, String) {
    let mut position = position.unwrap_or_else(|| beginning(database));
    let mut records = Vec::new();
    loop {
        let page = database.get_records(GetRecordsRequest { shard_iterator: position, limit: Some(1000) }).unwrap();
        position = page.next_shard_iterator.unwrap();
        if page.records.is_empty() {
            return (records, position);
        }
        records.extend(page.records.iter().map(|record| serde_json::to_value(record).unwrap()));
    }
}

fn beginning(database: &Database) -> String {
    let streams = database.list_streams(ListStreamsRequest::default()).unwrap().streams;
    let stream_arn = streams[0].stream_arn.clone();
    let request = DescribeStreamRequest { stream_arn: stream_arn.clone(), ..DescribeStreamRequest::default() };
    let shard_id = database.describe_stream(request).unwrap().stream_description.shards[0].shard_id.clone();
    let request = GetShardIteratorRequest {
        stream_arn,
        shard_id,
        shard_iterator_type: "TRIM_HORIZON".to_owned(),
        sequence_number: None,
    };
    database.get_shard_iterator(request).unwrap().shard_iterator.unwrap()
}

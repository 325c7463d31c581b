//! Shard ids in DynamoDB's format.
//!
//! DynamoDB's are 28 to 65 characters long, and boto3 rejects shorter ones before it sends a request. Those of dynoxide are
//! `shardId-00000001-` and the name of the table. `docs/upstream/dynoxide-shard-ids.md` proposes the change there.

use std::fmt::Write;

use aws_lc_rs::digest;
use serde_json::Value;

/// The operations of DynamoDB Streams whose requests or responses contain shard ids, as values of `X-Amz-Target`.
pub const TARGETS: [&str; 2] = ["DynamoDBStreams_20120810.DescribeStream", "DynamoDBStreams_20120810.GetShardIterator"];

/// Replaces public shard ids in a request's body by dynoxide's. Returns `None` if the body contains no such id.
///
/// An id of dynoxide stays valid, for clients that stored it.
pub fn to_internal(body: &[u8]) -> Option<Vec<u8>> {
    let mut request: Value = serde_json::from_slice(body).ok()?;
    let table = request.get("StreamArn")?.as_str()?.split('/').nth(1)?.to_owned();
    let mut replaced = false;
    for field in ["ShardId", "ExclusiveStartShardId"] {
        replaced |= replace(request.get_mut(field), &public(&table), internal(&table));
    }
    replaced.then(|| request.to_string().into_bytes())
}

/// Replaces dynoxide's shard ids in a response's body by public ones. Returns `None` if the body contains no such id.
pub fn to_public(body: &[u8]) -> Option<Vec<u8>> {
    let mut response: Value = serde_json::from_slice(body).ok()?;
    let stream = response.get_mut("StreamDescription")?;
    let table = stream.get("TableName")?.as_str()?.to_owned();
    let mut replaced = false;
    for shard in stream.get_mut("Shards")?.as_array_mut()? {
        replaced |= replace(shard.get_mut("ShardId"), &internal(&table), public(&table));
    }
    replaced.then(|| response.to_string().into_bytes())
}

fn replace(value: Option<&mut Value>, from: &str, to: String) -> bool {
    match value {
        Some(value) if value.as_str() == Some(from) => {
            *value = Value::String(to);
            true
        }
        Some(_) | None => false,
    }
}

fn internal(table: &str) -> String {
    dynoxide::streams::shard_id(table)
}

/// Returns an id of 37 characters, as DynamoDB's are: a number of 20 digits and 8 hexadecimal digits.
fn public(table: &str) -> String {
    let mut id = "shardId-00000000000000000001-".to_owned();
    for byte in digest::digest(&digest::SHA256, table.as_bytes()).as_ref().iter().take(4) {
        // Writing to a `String` never fails.
        write!(id, "{byte:02x}").ok();
    }
    id
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const STREAM_ARN: &str = "arn:aws:dynamodb:dynoxide:000000000000:table/cruddur/stream/1.000000000";

    #[test]
    fn public_id_has_dynamodbs_length() {
        for table in ["abc".to_owned(), "cruddur".to_owned(), "t".repeat(255)] {
            assert_eq!(public(&table).len(), 37);
        }
        assert_eq!(public("cruddur"), "shardId-00000000000000000001-e5008043");
        assert_ne!(public("cruddur"), public("Cruddur"));
    }

    #[test]
    fn response_contains_public_ids_only() {
        let response = |id: &str| {
            json!({ "StreamDescription": {
                "TableName": "cruddur", "Shards": [{ "ShardId": id, "SequenceNumberRange": {} }],
                "CreationRequestDateTime": 1_767_225_600.0,
            } })
        };
        let replaced = to_public(response(&internal("cruddur")).to_string().as_bytes()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&replaced).unwrap(), response(&public("cruddur")));
    }

    #[test]
    fn public_id_in_request_is_replaced() {
        for field in ["ShardId", "ExclusiveStartShardId"] {
            let request = |id: &str| json!({ "StreamArn": STREAM_ARN, field: id, "Limit": 1 });
            let replaced = to_internal(request(&public("cruddur")).to_string().as_bytes()).unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&replaced).unwrap(), request(&internal("cruddur")));
        }
    }

    #[test]
    fn other_bodies_stay_unchanged() {
        for body in [
            json!({ "StreamArn": STREAM_ARN, "ShardId": internal("cruddur") }),
            json!({ "StreamArn": STREAM_ARN, "ShardId": public("other") }),
            json!({ "StreamArn": "nonsense", "ShardId": public("cruddur") }),
            json!({ "StreamArn": STREAM_ARN, "ShardId": 1 }),
            json!({ "message": "The stream does not exist" }),
            json!([]),
        ] {
            assert_eq!(to_internal(body.to_string().as_bytes()), None, "{body}");
            assert_eq!(to_public(body.to_string().as_bytes()), None, "{body}");
        }
        assert_eq!((to_internal(b"nonsense"), to_public(b"\xff")), (None, None));
    }
}

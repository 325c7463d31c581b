"""Reads the local server's stream with boto3, which validates the lengths of shard ids and sequence numbers."""

import boto3
import pytest
from botocore.config import Config
from local_server import local_server


@pytest.fixture(scope="module")
def streams():
    with local_server() as server:
        yield boto3.client(
            "dynamodbstreams",
            endpoint_url=server.aws,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}),
        )


@pytest.fixture(scope="module")
def stream(streams):
    (found,) = streams.list_streams(TableName="cruddur")["Streams"]
    return found["StreamArn"]


@pytest.fixture(scope="module")
def shard(streams, stream):
    (found,) = streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
    return found


def read(streams, limit=1000, **position):
    iterator = streams.get_shard_iterator(**position)["ShardIterator"]
    return streams.get_records(ShardIterator=iterator, Limit=limit)["Records"]


def test_shard_id_has_the_length_of_dynamodbs(shard):
    assert 28 <= len(shard["ShardId"]) <= 65


def test_stream_is_read_from_its_beginning(streams, stream, shard):
    position = {"StreamArn": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    records = read(streams, limit=10, **position)
    assert len(records) == 10
    assert {"INSERT"} <= {record["eventName"] for record in records} <= {"INSERT", "MODIFY", "REMOVE"}


def test_stream_is_read_at_a_sequence_number(streams, stream, shard):
    first = shard["SequenceNumberRange"]["StartingSequenceNumber"]
    position = {"StreamArn": stream, "ShardId": shard["ShardId"], "SequenceNumber": first}
    (at,) = read(streams, limit=1, **position, ShardIteratorType="AT_SEQUENCE_NUMBER")
    (after,) = read(streams, limit=1, **position, ShardIteratorType="AFTER_SEQUENCE_NUMBER")
    assert at["dynamodb"]["SequenceNumber"] == first
    assert after["dynamodb"]["SequenceNumber"] > first


def test_shard_id_is_accepted_as_start(streams, stream, shard):
    described = streams.describe_stream(StreamArn=stream, ExclusiveStartShardId=shard["ShardId"])
    assert described["StreamDescription"]["StreamArn"] == stream


def test_end_of_the_stream_has_an_iterator_but_no_records(streams, stream, shard):
    position = {"StreamArn": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "LATEST"}
    iterator = streams.get_shard_iterator(**position)["ShardIterator"]
    page = streams.get_records(ShardIterator=iterator)
    assert page["Records"] == []
    assert page["NextShardIterator"]


def test_unknown_stream_is_reported(streams):
    with pytest.raises(streams.exceptions.ResourceNotFoundException):
        streams.describe_stream(StreamArn="arn:aws:dynamodb:us-east-1:000000000000:table/nothing/stream/1.0")

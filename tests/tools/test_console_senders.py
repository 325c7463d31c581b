"""Sends traces to the console with the SDKs of others: OpenTelemetry's and the X-Ray SDK for Python.

A receiver that decodes with `opentelemetry-proto` gets the same spans. The X-Ray sender prints its documents.
"""

import json
import os
import re
import sys

import grpc
import pytest
from console import api, console, context_of
from console_data import trace_id, xray_id
from documents import blocks
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from otlp import complete_spans, from_json, receiver
from playwright.sync_api import expect
from processes import run, wait_for

expect.set_options(timeout=60_000)

README = "crates/console/README.md"
CHAPTER = "Send traces to it"
KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"]
SIGNALS = {"protobuf": "otlp_http", "json": "otlp_json"}


@pytest.fixture
def server():
    with console() as running:
        yield running


def python(server, *arguments, **variables):
    """Runs Python with the variables that the README sets. Returns its standard output."""
    exports = re.findall(r"export (\w+)=(\S+)", "".join(blocks(README, "sh", CHAPTER)))
    addresses = {"127.0.0.1:4318": server.url.removeprefix("http://"), "127.0.0.1:2000": server.xray}
    environment = {name: re.sub(r"127\.0\.0\.1:\d+", lambda of: addresses[of[0]], value) for name, value in exports}
    finished = run(sys.executable, *arguments, env=os.environ | environment | variables)
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout


def traces(server, count=1):
    """Returns the summaries of the traces, the oldest first, once there are `count` of them."""
    wait_for(lambda: api(server.url, "traces")["total"] == count)
    found = api(server.url, "traces")
    assert found["total"] == count
    return found["traces"][::-1]


def spans(server, trace):
    """Returns the spans of a trace by id, without placeholders, each with the id of its parent instead of its position."""
    found = api(server.url, f"traces/{trace['id']}")["spans"]
    return {
        one["id"]: one | {"parent": None if one["parent"] is None else found[one["parent"]]["id"]}
        for one in found
        if not one["placeholder"]
    }


def path_names(found):
    """Returns the name of each span after the names of its ancestors."""

    def path(key):
        return [*path(found[key]["parent"]), found[key]["name"]] if key else []

    return sorted(map(path, found))


# OpenTelemetry's SDK


def test_python_example_with_opentelemetry_is_shown(server):
    example, _ = blocks(README, "python", CHAPTER)
    python(server, "-c", example)
    (trace,) = traces(server)
    assert (trace["otlp_spans"], trace["xray_spans"], trace["state"]) == (1, 0, "complete")
    assert path_names(spans(server, trace)) == [["handler"]]


def test_page_shows_the_traces_of_both_python_examples(chromium, server):
    for example in blocks(README, "python", CHAPTER):
        python(server, "-c", example)
    with context_of(chromium) as open_page:
        page = open_page(server.url)
        for name, count, tab in [("handler", 1, "Honeycomb"), ("example", 2, "X-Ray")]:
            page.goto(server.url)
            rows = page.get_by_role("table", name="Traces").locator("tbody tr")
            expect(rows).to_have_count(2)
            rows.filter(has_text=name).get_by_role("link").first.click()
            spans = page.get_by_role("treegrid").locator("[role=row][data-row]")
            expect(spans).to_have_count(count)
            expect(spans.first).to_contain_text(name)
            page.get_by_role("tab", name=tab).click()
            expect(page.get_by_role("tabpanel")).to_contain_text(name)


@pytest.mark.parametrize("form", ["protobuf", "json"])
@pytest.mark.parametrize("compression", ["gzip", "deflate", "none"])
def test_spans_of_opentelemetry_sdk_arrive_complete(server, form, compression):
    with receiver("127.0.0.1") as reference:
        python(
            server,
            "tests/tools/sender_otel.py",
            form,
            reference.endpoint,
            OTEL_EXPORTER_OTLP_COMPRESSION=compression,
        )
    assert reference.faults == []
    senders = api(server.url, "health")["senders"]
    assert [(one["service"], one["signal"], one["spans"]) for one in senders] == [("users", SIGNALS[form], 4)]
    sent = complete_spans(reference.requests())
    assert sorted(span["name"] for span in sent.values()) == ["DynamoDB.Query", "GET /users/{id}", "consume", "publish"]
    found = traces(server, 2)
    exported = [from_json(api(server.url, f"traces/{trace['id']}/otlp")) for trace in found]
    assert complete_spans(exported) == sent
    shown = {(trace["id"], key): span for trace in found for key, span in spans(server, trace).items()}
    assert shown.keys() == sent.keys()
    for key, span in sent.items():
        of = shown[key]
        assert (of["parent"] or "", of["name"], of["kind"]) == (span["parent"], span["name"], KINDS[span["kind"]])
        assert (of["start"], of["end"]) == (str(span["start"]), str(span["end"]))
        assert [one["key"] for one in of["attributes"]] == [key for key, _ in span["attributes"]]
        assert [(one["name"], one["time"]) for one in of["events"]] == [
            (name, str(at)) for name, at, _ in span["events"]
        ]


@pytest.mark.parametrize("form", ["protobuf", "json"])
def test_log_lines_of_opentelemetry_sdk_join_their_span(server, form):
    with receiver("127.0.0.1") as reference:
        python(server, "tests/tools/sender_otel.py", form, reference.endpoint)
    ((trace, span),) = [key for key, of in complete_spans(reference.requests()).items() if of["kind"] == 2]
    logs = api(server.url, f"traces/{trace}")["logs"]
    assert [(one["severity_number"], one["severity"], one["span"]) for one in logs] == [
        (13, "WARN", span),
        (6, "DEBUG", span),
    ]
    assert logs[0]["body"] == "no <b>user</b>"
    assert logs[0]["attributes"] == [{"key": "user", "type": "string", "value": "worf"}]
    assert json.loads(logs[1]["body"]) == {"found": [1, 2.5], "next": None}


def test_grpc_exporter_gets_the_setting_for_http():
    # Other consoles on this machine have the port on 127.0.0.1.
    with console(listen="127.0.0.43") as server:
        with grpc.insecure_channel("127.0.0.43:4317") as channel, pytest.raises(grpc.RpcError) as refused:
            TraceServiceStub(channel).Export(ExportTraceServiceRequest(), timeout=60)
        assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
        settings = set(re.findall(r"OTEL_\w+=[^\s,;]+", refused.value.details()))
        assert settings == {f"OTEL_EXPORTER_OTLP_ENDPOINT={server.url}", "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"}
        example = blocks(README, "python", CHAPTER)[0].replace("otlp.proto.http", "otlp.proto.grpc")
        finished = run(
            sys.executable,
            "-c",
            example,
            env=os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.43:4317", "NO_PROXY": "*"},
        )
        assert "UNIMPLEMENTED" in finished.stderr
        assert settings <= set(re.findall(r"OTEL_\w+=[^\s,;]+", finished.stderr))
        assert api(server.url, "traces")["total"] == 0
        assert [one["code"] for one in api(server.url, "health")["refused"]] == ["grpc"]


# The X-Ray SDK


def test_python_example_with_xray_sdk_is_shown(server):
    _, example = blocks(README, "python", CHAPTER)
    python(server, "-c", example)
    (trace,) = traces(server)
    assert (trace["otlp_spans"], trace["xray_spans"], trace["state"]) == (0, 2, "complete")
    assert path_names(spans(server, trace)) == [["example"], ["example", "work"]]


def flat(document, parent=None):
    """Yields the segment and its subsegments, each with the id of its parent."""
    yield parent or document.get("parent_id"), document
    for inner in document.get("subsegments", []):
        yield from flat(inner, document["id"])


@pytest.mark.parametrize("place", ["server", "lambda"])
def test_documents_of_xray_sdk_arrive_unchanged(server, place):
    variables = {}
    if place == "lambda":
        header = f"Root={xray_id(trace_id(7))};Parent=53995c3f42cd8ad8;Sampled=1"
        variables = {"LAMBDA_TASK_ROOT": "/var/task", "_X_AMZN_TRACE_ID": header}
    sent = python(server, "tests/tools/sender_xray.py", **variables).splitlines()
    (trace,) = traces(server)
    wait_for(lambda: len(api(server.url, f"traces/{trace['id']}/xray")["documents"]) == len(sent))
    xray = api(server.url, f"traces/{trace['id']}/xray")
    assert sorted(one["raw"] for one in xray["documents"]) == sorted(sent)
    assert [one["refused"] for one in xray["documents"]] == [[]] * len(sent)
    expected = {of["id"]: (parent, of) for document in sent for parent, of in flat(json.loads(document))}
    shown = spans(server, trace)
    assert shown.keys() == expected.keys()
    for key, (parent, of) in expected.items():
        # X-Ray names the service of a call; the console adds the operation.
        name = ".".join([of["name"], *filter(None, [of.get("aws", {}).get("operation")])])
        assert (shown[key]["parent"], shown[key]["name"]) == (parent, name)
        assert (shown[key]["status"] == "fault") == bool(of.get("fault"))
        assert abs(int(shown[key]["start"]) - of["start_time"] * 1e9) < 1000
        assert abs(int(shown[key]["end"]) - of["end_time"] * 1e9) < 1000
    drawn = {one["id"]: one for one in xray["timeline"] if not one["only_aws"]}
    assert {key: one["annotations"] or None for key, one in drawn.items()} == {
        key: of.get("annotations") for key, (_, of) in expected.items()
    }
    assert {key: one["metadata"] or None for key, one in drawn.items()} == {
        key: of.get("metadata") for key, (_, of) in expected.items()
    }


def test_xray_sdk_reads_the_sampling_rules(server):
    program = """
import os
from aws_xray_sdk.core.sampling.connector import ServiceConnector

connector = ServiceConnector()
connector.setup_xray_client(*os.environ["AWS_XRAY_DAEMON_ADDRESS"].split(":"), client=None)
(rule,) = connector.fetch_sampling_rules()
print(rule.name, rule.rate)
"""
    assert python(server, "-c", program).split() == ["Default", "1.0"]

"""Uses the local server with its console.

What the console says is compared with what two receivers of the user got: one of OTLP, and a UDP socket for the X-Ray
documents. The console gets its own copies over the wire.
"""

import contextlib
import json
import re
import socket
import threading
import urllib.error
import urllib.request
from collections import defaultdict

import pytest
from console import api, context_of
from local_server import local_server
from otlp import complete_spans, from_json, receiver
from playwright.sync_api import expect
from processes import free_port, wait_for, wait_until

expect.set_options(timeout=60_000)

HEADER = {"format": "json", "version": 1}
KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"]
STATUSES = ["unset", "ok", "error"]
TYPES = {"string_value": "string", "int_value": "int", "bool_value": "bool", "double_value": "double"}
REQUESTS = [
    ("GET", "/api/activities/home", None, 200),
    ("GET", "/api/activities/notifications", None, 200),
    ("GET", "/api/activities/search?term=tailor%20%E2%98%95", None, 200),
    ("GET", "/api/activities/@worf", None, 200),
    ("GET", "/api/activities/01a2185f-8e27-7b52-9d5c-000000000000", None, 404),
    ("GET", "/api/nothing", None, 404),
    ("POST", "/api/activities", {"message": "<b>\u2615</b>", "ttl": "1-day"}, 200),
    ("POST", "/api/activities", {"message": "", "ttl": "1-day"}, 422),
    ("GET", "/api/message_groups", None, 200),
]


class Daemon:
    """The documents that arrive at a UDP socket in place of the X-Ray daemon."""

    def __init__(self, listener):
        self._listener = listener
        self._documents = []
        self._lock = threading.Lock()
        self.address = "{}:{}".format(*listener.getsockname())

    def receive(self):
        while datagram := self._listener.recv(65_536):
            header, document = datagram.split(b"\n", 1)
            assert json.loads(header) == HEADER
            with self._lock:
                self._documents.append(document.decode())

    def documents(self):
        """Returns the documents of each trace, sorted."""
        found = defaultdict(list)
        with self._lock:
            for document in self._documents:
                found[json.loads(document)["trace_id"].replace("1-", "", 1).replace("-", "")].append(document)
        return {trace: sorted(documents) for trace, documents in found.items()}


@contextlib.contextmanager
def daemon():
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        listener.bind(("127.0.0.1", 0))
        found = Daemon(listener)
        thread = threading.Thread(target=found.receive, daemon=True)
        thread.start()
        yield found
        # An empty datagram ends the thread.
        listener.sendto(b"", listener.getsockname())
        thread.join(timeout=60)


def call(server, method, path, body=None):
    """Returns the status and the trace id of an authenticated request."""
    headers = {
        "Authorization": f"Bearer {server.token}",
        "Content-Type": "application/json",
        "User-Agent": "tests/1 \xe9",
    }
    request = urllib.request.Request(server.api + path, body and json.dumps(body).encode(), headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.headers["x-trace-id"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["x-trace-id"]


@pytest.fixture(scope="module")
def observed():
    """The user's receivers, `otlp` and `xray`, and the `url` of the console, after some requests with the ids `traces`."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with receiver("127.0.0.1") as otlp, daemon() as xray:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp.endpoint, "AWS_XRAY_DAEMON_ADDRESS": xray.address}
        with local_server("--console-port", str(port), **variables) as server:
            traces = []
            for method, path, body, status in REQUESTS:
                answered, trace = call(server, method, path, body)
                assert answered == status, path
                traces.append(trace)

            posts = {
                trace
                for trace, (method, _, _, status) in zip(traces, REQUESTS, strict=True)
                if (method, status) == ("POST", 200)
            }
            seen = {}

            def is_complete():
                """Notes what has arrived. Returns whether the console has as many spans as the receivers, and no work is left."""
                sent, documents = complete_spans(otlp.requests()), xray.documents()
                kept = api(url, "traces?limit=1000")["traces"]
                seen.update(otlp=sent, xray=documents, kept=[trace["id"] for trace in kept])
                roots = {trace for (trace, _), span in sent.items() if not span["parent"]}
                # The stream consumer's trace links to the request that it follows.
                linked = {trace for span in sent.values() for trace, *_ in span["links"]}
                segments = sum(parts(json.loads(one)) for of in documents.values() for one in of)
                return (
                    roots.issuperset(traces)
                    and linked.issuperset(posts)
                    and sum(trace["otlp_spans"] for trace in kept) == len(sent)
                    and sum(trace["xray_spans"] for trace in kept) == segments
                )

            wait_for(is_complete)
            assert otlp.faults == []
            yield {**seen, "traces": traces, "url": url}


def parts(segment):
    """Returns the number of segments and subsegments in a document."""
    return 1 + sum(map(parts, segment.get("subsegments", [])))


def test_console_keeps_the_traces_that_destinations_got(observed):
    assert set(observed["traces"]) <= set(observed["kept"])
    assert sorted(observed["kept"]) == sorted({trace for trace, _ in observed["otlp"]})
    assert sorted(observed["kept"]) == sorted(observed["xray"])


def test_console_exports_the_spans_that_otlp_got(observed):
    exported = [from_json(api(observed["url"], f"traces/{trace}/otlp")) for trace in observed["kept"]]
    assert complete_spans(exported) == observed["otlp"]


def test_console_shows_the_spans_that_otlp_got(observed):
    shown = {}
    for trace in observed["kept"]:
        found = api(observed["url"], f"traces/{trace}")["spans"]
        for one in found:
            parent = "" if one["parent"] is None else found[one["parent"]]["id"]
            shown[trace, one["id"]] = {
                "parent": parent,
                "name": one["name"],
                "kind": one["kind"],
                "times": (one["start"], one["end"]),
                "attributes": {of["key"]: (of["type"], of["value"]) for of in one["attributes"]},
                "events": [of["name"] for of in one["events"]],
                "message": one["status_message"] or "",
            }
    assert shown == {
        key: {
            "parent": span["parent"],
            "name": span["name"],
            "kind": KINDS[span["kind"]],
            "times": (str(span["start"]), str(span["end"])),
            "attributes": {name: shown_value(*of) for name, of in span["attributes"]},
            "events": [name for name, _, _ in span["events"]],
            "message": span["status"][1],
        }
        for key, span in observed["otlp"].items()
    }


def shown_value(kind, value):
    """Returns the type and the value in the API, which writes integers as text."""
    return TYPES[kind], str(value) if kind == "int_value" else value


def test_console_keeps_documents_byte_for_byte(observed):
    kept = {}
    for trace in observed["kept"]:
        documents = api(observed["url"], f"traces/{trace}/xray")["documents"]
        assert [one["refused"] for one in documents] == [[]] * len(documents)
        kept[trace] = sorted(one["raw"] for one in documents)
    assert kept == observed["xray"]


def test_honeycomb_events_are_the_spans_that_otlp_got(observed):
    for trace in observed["kept"]:
        events = [one["fields"] for one in api(observed["url"], f"traces/{trace}/honeycomb")["events"]]
        spans = {one["trace.span_id"]: one for one in events if one.get("meta.annotation_type") is None}
        sent = {key: span for (of, key), span in observed["otlp"].items() if of == trace}
        assert spans.keys() == sent.keys()
        for key, span in sent.items():
            one = spans[key]
            assert (one["name"], one["trace.trace_id"], one.get("trace.parent_id", "")) == (
                span["name"],
                trace,
                span["parent"],
            )
            assert {name: of for name, (_, of) in span["attributes"]}.items() <= one.items()


def test_request_is_followed_from_the_terminal_to_the_page(chromium):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with local_server("--console-port", str(port)) as server, context_of(chromium) as open_page:
        page = open_page(f"{url}/")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        status, trace = call(server, "GET", "/api/activities/notifications")
        assert status == 200
        row = page.get_by_role("table", name="Traces").locator(f"tbody tr[data-id='{trace}']")
        expect(row.locator(".col-name")).to_contain_text("GET /api/activities/notifications")
        expect(row.locator(".col-status")).to_have_text("200")
        row.get_by_role("link").first.click()
        assert_waterfall(page)
        expect(page).to_have_url(f"{url}/#/trace/{trace}")
        page.get_by_role("tab", name="X-Ray").click()
        table = page.locator(".map-node").filter(has_text="AWS::DynamoDB::Table")
        expect(table).to_contain_text("cruddur")
        documents = api(url, f"traces/{trace}/xray")["documents"]
        expect(page.locator(".document")).to_have_count(len(documents))
        page.get_by_role("tab", name="Honeycomb").click()
        events = api(url, f"traces/{trace}/honeycomb")["events"]
        rows = page.get_by_role("table", name="Honeycomb events").locator("tbody tr")
        expect(rows).to_have_count(len(events))

        def line():
            return [one for one in server.lines() if trace in one]

        wait_until("the line of the request is printed", line, server.process)
        (printed,) = line()
        assert re.split(r"\s+", printed)[:3] == ["GET", "/api/activities/notifications", "200"]
        assert printed.endswith(f" {url}/#/trace/{trace}")
        linked = open_page(printed.split()[-1])
        assert_waterfall(linked)
        assert f"{url}/" in server.printed()


def assert_waterfall(page):
    """Asserts that the page shows the tree of the request, with its calls of DynamoDB."""
    rows = page.get_by_role("treegrid").locator("[role=row][data-row]")
    expect(rows.first).to_contain_text("GET /api/activities/notifications")
    expect(rows.filter(has_text="DynamoDB.Query").first).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("/api/activities/notifications")

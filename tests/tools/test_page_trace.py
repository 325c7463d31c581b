"""The traces that begin in Cruddur's page: what the browser sends, and what the console gets."""

import json
import re
from pathlib import Path

import pytest
from console import api, context_of
from page import done, posts, server_with_console, sign_in, trace_of, write
from playwright.sync_api import expect
from processes import wait_for

expect.set_options(timeout=60_000)

# Runs the module of the page with a fixed clock and fixed ids.
MODULE = """
async () => {
  const { Tracer } = await import("/tracing.js");
  const sent = [];
  let time = 1764332400123.4567, ids = 0;
  const random = (digits) => String(++ids).padStart(digits, "0");
  const send = async (body) => { sent.push(JSON.parse(body)); return true; };
  const tracer = new Tracer({ now: () => time, random });
  tracer.sendTo(send);
  const root = tracer.start("post");
  const call = root.child("POST /api/activities", "client", { "http.response.status_code": 503, "navigation.dns_ms": 2, gone: null });
  const headers = call.headers();
  call.fail("503");
  time += 12.5;
  call.end();
  call.end();
  root.end();
  await tracer.flush();
  return { sent, headers, duration: root.duration };
}
"""
# A receiver that fails gets three requests, and each of its failures is ignored.
FAILING = """
async (failure) => {
  const { receiver, Tracer } = await import("/tracing.js");
  const receive = receiver("/v1/traces");
  let requests = 0;
  const send = async (body) => {
    requests++;
    if (failure === "throws") throw new Error("lost");
    return receive(body);
  };
  const tracer = new Tracer({ now: () => 1764332400000, random: (digits) => "1".repeat(digits) });
  tracer.sendTo(send);
  for (let index = 0; index < 10; index++) {
    tracer.start("post").end();
    await tracer.flush();
  }
  return { requests, headers: tracer.start("post").headers() };
}
"""
# Ends more spans than a batch has before the receiver is known.
EARLY = """
async () => {
  const { browserEnvironment, Tracer } = await import("/tracing.js");
  const tracer = new Tracer(browserEnvironment());
  for (let index = 0; index < 33; index++) tracer.start("post").end();
  await tracer.flush();
  const sizes = [];
  await tracer.sendTo(async (body) => sizes.push(JSON.parse(body).resourceSpans[0].scopeSpans[0].spans.length));
  return { sizes, sends: tracer.sends };
}
"""
# The computer sleeps for two hours while one span is open: the monotonic clock stands still.
SLEEP = """
async () => {
  const { browserEnvironment, Tracer } = await import("/tracing.js");
  const tracer = new Tracer(browserEnvironment());
  const open = tracer.start("post");
  const real = Date.now;
  Date.now = () => real() + 7_200_000;
  const child = open.child("POST /api/activities", "client");
  const next = tracer.start("like");
  for (const span of [child, open, next]) span.end();
  const error = next.start - Date.now();
  Date.now = real;
  return { error, epoch: next.trace.slice(0, 8), open: [open.start, open.duration], child: [child.start, child.duration] };
}
"""

# The type of a column in Honeycomb, and the field of a value in OTLP.
VALUES = {"string": "stringValue", "integer": "intValue", "float": "doubleValue", "boolean": "boolValue"}

HIDE = """
Object.defineProperty(document, "visibilityState", { value: "hidden" });
document.dispatchEvent(new Event("visibilitychange"));
"""


@pytest.fixture(name="server", scope="module")
def running_server():
    with server_with_console() as server:
        yield server


@pytest.fixture
def page(chromium, server):
    with context_of(chromium) as open_page:
        yield open_page(server.api)


@pytest.fixture
def observed(chromium, server):
    """A page that was signed in and has posted, its requests, and the spans that it sent, by id."""
    requests, spans = [], {}

    def receive(route):
        assert route.request.headers["content-type"] == "application/json"
        assert {"traceparent", "x-amzn-trace-id", "authorization"}.isdisjoint(route.request.headers)
        (resource,) = json.loads(route.request.post_data)["resourceSpans"]
        (scope,) = resource["scopeSpans"]
        spans.update({span["spanId"]: span for span in scope["spans"]})
        route.fulfill(json={"partialSuccess": {}})

    with context_of(chromium) as open_page:
        page = open_page("about:blank")
        page.route("**/v1/traces", receive)
        page.on("request", lambda request: requests.append(request) if is_traced(request) else None)
        page.goto(server.api)
        sign_in(page)
        write(page, "Traced from the browser")
        done(page, "post")
        wait_for(lambda: page.evaluate("1") and any(span["name"] == "post" for span in spans.values()))
        yield page, requests, spans


def is_traced(request):
    return "/api/" in request.url or "/local/" in request.url


def attributes(span):
    return {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}


def test_span_is_encoded_as_otlp_json(page):
    found = page.evaluate(MODULE)
    (request,) = found["sent"]
    (resource,) = request["resourceSpans"]
    call, root = resource["scopeSpans"][0]["spans"]
    # 1764332400 seconds, in hexadecimal.
    trace = "6929937000000000000000000000001"[:8] + "1".zfill(24)
    assert int(trace[:8], 16) == 1764332400
    assert call == {
        "traceId": trace,
        "spanId": "3".zfill(16),
        "parentSpanId": "2".zfill(16),
        "name": "POST /api/activities",
        "kind": 3,
        "startTimeUnixNano": "1764332400123457000",
        "endTimeUnixNano": "1764332400135957000",
        "attributes": [
            {"key": "http.response.status_code", "value": {"intValue": "503"}},
            {"key": "navigation.dns_ms", "value": {"doubleValue": 2}},
            {"key": "error.type", "value": {"stringValue": "503"}},
        ],
        "status": {"code": 2},
    }
    assert (root["kind"], root["spanId"], root.get("parentSpanId"), root.get("status")) == (
        1,
        "2".zfill(16),
        None,
        None,
    )
    assert found["headers"] == {
        "traceparent": f"00-{trace}-{'3'.zfill(16)}-01",
        "x-amzn-trace-id": f"Root=1-{trace[:8]}-{trace[8:]}",
    }
    assert found["duration"] == 12.5


@pytest.mark.parametrize(
    ("failure", "answer"),
    [
        ("throws", {}),
        ("rejects", {"status": 404}),
        ("rejects a span", {"json": {"partialSuccess": {"rejectedSpans": "1"}}}),
    ],
)
def test_failing_receiver_is_left_alone(page, failure, answer):
    page.route("**/v1/traces", lambda route: route.fulfill(**answer))
    assert page.evaluate(FAILING, failure) == {"requests": 3, "headers": {}}


def test_spans_wait_for_their_receiver(page):
    assert page.evaluate(EARLY) == {"sizes": [32, 1], "sends": True}


def test_spans_have_the_right_time_after_a_sleep(page):
    found = page.evaluate(SLEEP)
    assert abs(found["error"]) < 1000
    start, duration = found["open"]
    assert int(found["epoch"], 16) - start / 1000 > 7199
    assert duration > 7_199_000
    inner, took = found["child"]
    assert start < inner <= inner + took <= start + duration


def test_lost_spans_do_not_disturb_the_page(chromium, server):
    with context_of(chromium) as open_page:
        page = open_page("about:blank")
        page.route("**/v1/traces", lambda route: route.abort())
        page.goto(server.api)
        sign_in(page)
        write(page, "Written without a receiver")
        expect(page.get_by_role("alert")).to_have_count(0)


def test_each_request_continues_its_client_span(observed):
    _, requests, spans = observed
    assert len(requests) >= 5
    for request in requests:
        match = re.fullmatch("00-([0-9a-f]{32})-([0-9a-f]{16})-01", request.headers["traceparent"])
        trace, span = match.groups()
        assert request.headers["x-amzn-trace-id"] == f"Root=1-{trace[:8]}-{trace[8:]}"
        sent = spans[span]
        assert (sent["traceId"], sent["kind"]) == (trace, 3)
        assert sent["name"].startswith(request.method)
        parent = spans[sent["parentSpanId"]]
        assert (parent["traceId"], parent["kind"], parent.get("parentSpanId")) == (trace, 1, None)


def test_page_load_has_timing_and_web_vitals(observed):
    _, _, spans = observed
    (load,) = [span for span in spans.values() if span["name"] == "page load"]
    found = attributes(load)
    assert (found["app.page"], found["app.outcome"], found["navigation.type"]) == ("home", "done", "navigate")
    assert 0 < found["navigation.ttfb_ms"] <= found["navigation.dom_interactive_ms"] <= found["navigation.load_ms"]
    assert found["web_vitals.lcp_ms"] > 0
    assert 0 <= found["web_vitals.cls"] < 0.1
    (settings,) = [span for span in spans.values() if span["name"] == "GET /settings.json"]
    assert (settings["parentSpanId"], settings["traceId"], settings["kind"]) == (load["spanId"], load["traceId"], 3)
    assert attributes(settings)["http.response.status_code"] == "200"


def test_attributes_are_columns_in_honeycomb(observed):
    _, _, spans = observed
    columns = json.loads(Path("operate/honeycomb.json").read_text())["columns"]
    types = {column["name"]: VALUES[column["type"]] for column in columns if "cruddur-web" in column["datasets"]}
    for span in spans.values():
        for one in span["attributes"]:
            assert list(one["value"]) == [types[one["key"]]], one


def test_spans_contain_nothing_private(observed):
    page, _, spans = observed
    text = json.dumps(list(spans.values()))
    token = json.loads(page.evaluate("localStorage.getItem('cruddur-session')"))["token"]
    for private in [token, "andrewbrown", "Andrew", "Traced from the browser"]:
        assert private not in text


def test_final_web_vitals_follow_when_the_page_is_hidden(observed):
    page, _, spans = observed
    page.evaluate(HIDE)
    wait_for(lambda: page.evaluate("1") and any(span["name"] == "web vitals" for span in spans.values()))
    (final,) = [span for span in spans.values() if span["name"] == "web vitals"]
    assert spans[final["parentSpanId"]]["name"] == "page load"
    assert attributes(final)["web_vitals.inp_ms"] >= 0


def test_post_is_one_trace_from_the_browser_to_the_table(page, server):
    sign_in(page)
    write(page, "One trace")
    trace, link = trace_of(page, "post")

    def spans():
        try:
            return api(server.console, f"traces/{trace}")["spans"]
        except OSError:
            return []

    wait_for(lambda: page.evaluate("1") and any(span["service"] == "cruddur-web" for span in spans()))
    found = spans()
    (root,) = [span for span in found if span["name"] == "post"]
    (call,) = [span for span in found if span["service"] == "cruddur-web" and span["kind"] == "client"]
    (served,) = [span for span in found if span["kind"] == "server"]
    assert (root["parent"], call["parent"], served["parent"]) == (None, root["index"], call["index"])
    assert any(span["name"].startswith("DynamoDB.") for span in found)
    documents = api(server.console, f"traces/{trace}/xray")["documents"]
    assert {json.loads(one["raw"])["trace_id"] for one in documents} == {f"1-{trace[:8]}-{trace[8:]}"}
    with page.expect_popup() as opened:
        link.click()
    rows = opened.value.get_by_role("treegrid").locator("[role=row][data-row]")
    expect(rows.first).to_contain_text("post")
    expect(posts(page).first).to_be_visible()

"""Opens the console in a browser, and sends it traces over the wire as a Lambda function does."""

import json
import re

import console_data as data
import pytest
from console import DESKTOP, PHONE, console, context_of, violations
from console_data import documents, home, query, span, span_id, spans_request, trace_id
from playwright.sync_api import expect

expect.set_options(timeout=60_000)

FAILING_COSTS = """
() => {
  const real = fetch;
  window.fetch = (url, ...rest) => String(url).includes("api/costs") ? Promise.reject(new TypeError("failed")) : real(url, ...rest);
  window.repair = () => { window.fetch = real; };
}
"""

# Another tab that reads the stream of events passes on that it lagged.
LAG = """
() => new BroadcastChannel(`lambda-console ${new URL(".", location.href).pathname}`).postMessage({ type: "lagged", data: null })
"""

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script><b>bold</b>"
TIMES = "\u00d7"
STACK = "  0: cruddur::store::feed::query\n     at src/store/feed.rs:88"


@pytest.fixture(name="server")
def running_console():
    with console() as running:
        yield running


@pytest.fixture
def page(chromium, server):
    with context_of(chromium) as open_page:
        yield open_page(server.url)


def send(server, number=1, spans=None, **values):
    """Sends the spans of a trace, those of the home feed by default. Returns its id."""
    trace = trace_id(number)
    data.post(server.url, spans_request(trace, home(trace) if spans is None else spans, **values))
    return trace


def visit(page, server, trace, **params):
    query_text = "&".join(f"{name}={of}" for name, of in params.items())
    page.goto(f"{server.url}/#/trace/{trace}{'?' if params else ''}{query_text}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def listed(page):
    return page.get_by_role("table", name="Traces").locator("tbody tr")


def tree(page):
    return page.get_by_role("treegrid").locator("[role=row][data-row]")


def tree_row(page, text):
    return tree(page).filter(has_text=text)


def details(page):
    return page.get_by_role("complementary", name="Selected span")


def labels(page):
    return [one.strip() for one in tree(page).locator(".name").all_inner_texts()]


def copied(page):
    return page.evaluate("navigator.clipboard.readText()")


# The list of traces


def test_empty_list_shows_set_up_for_each_language(page, server):
    expect(page.get_by_role("heading", name="Waiting for the first trace")).to_be_visible()
    for language, words in {
        "Rust": "lambda_spans::run",
        "Python": "opentelemetry-instrument",
        "Node.js": "auto-instrumentations-node",
        "sam local": "sam local start-api",
    }.items():
        page.get_by_role("tab", name=language).click()
        expect(page.get_by_role("tabpanel")).to_contain_text(words)
    page.get_by_role("tab", name="Python").click()
    expect(page.get_by_role("tabpanel")).to_contain_text(f"OTEL_EXPORTER_OTLP_ENDPOINT={server.url}")
    expect(page.get_by_role("tabpanel")).to_contain_text(f"AWS_XRAY_DAEMON_ADDRESS={server.xray}")


def test_new_trace_appears_without_reload(page, server):
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    trace = send(server)
    row = listed(page)
    expect(row).to_have_count(1)
    expect(row).to_have_attribute("data-id", trace)
    expect(row.locator(".col-name")).to_contain_text("GET /api/activities/home")
    expect(row.locator(".col-status")).to_have_text("200")
    expect(row.locator(".col-duration")).to_have_text("12.0 ms")
    expect(row.locator(".col-user")).to_have_text("andrewbrown")
    expect(row.locator(".col-spans")).to_have_text("10")
    expect(row.locator(".col-cost")).to_contain_text("$")


def test_no_row_moves_under_the_pointer(page, server):
    first = send(server, 1)
    listed(page).hover()
    second = send(server, 2)
    news = page.get_by_role("button", name="1 new")
    expect(news).to_be_visible()
    expect(listed(page)).to_have_count(1)
    news.click()
    expect(listed(page)).to_have_count(2)
    assert [listed(page).nth(at).get_attribute("data-id") for at in range(2)] == [second, first]


def test_no_row_moves_under_the_focus(page, server):
    send(server, 1)
    expect(listed(page)).to_have_count(1)
    page.keyboard.press("ArrowDown")
    send(server, 2)
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    expect(listed(page)).to_have_count(1)
    page.keyboard.press(".")
    expect(listed(page)).to_have_count(2)


def test_no_row_moves_under_the_focus_when_the_list_is_read_again(page, server):
    """The list is read again after the stream of events was interrupted."""
    shown = send(server, 1)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(listed(page)).to_have_count(1)
    page.keyboard.press("ArrowDown")
    with page.expect_response(lambda answer: "api/traces?" in answer.url):
        send(server, 2)
        page.evaluate(LAG)
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    expect(listed(page)).to_have_count(1)
    expect(listed(page)).to_have_attribute("data-id", shown)


def test_paused_list_counts_arrivals(page, server):
    expect(page.get_by_role("heading", name="Waiting for the first trace")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    send(server, 1)
    send(server, 2)
    expect(page.get_by_role("button", name="2 arrived while paused")).to_be_visible()
    expect(listed(page)).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    expect(listed(page)).to_have_count(2)
    send(server, 3)
    expect(listed(page)).to_have_count(3)


def test_paused_list_is_kept_when_it_is_read_again(page, server):
    shown = send(server, 1)
    expect(listed(page)).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    listed(page).get_by_role("link").click()
    expect(tree(page).first).to_be_visible()
    send(server, 2)
    with page.expect_response(lambda answer: "api/traces?" in answer.url):
        page.go_back()
    expect(page.get_by_role("button", name="1 arrived while paused")).to_be_visible()
    expect(listed(page)).to_have_count(1)
    expect(listed(page)).to_have_attribute("data-id", shown)


def test_filter_survives_reload_and_back(page, server):
    send(server, 1, home(trace_id(1), user="andrewbrown"))
    send(server, 2, home(trace_id(2), user="bayko"))
    expect(listed(page)).to_have_count(2)
    search = page.get_by_role("searchbox")
    search.fill("app.user=bayko")
    search.press("Enter")
    expect(listed(page)).to_have_count(1)
    expect(listed(page).locator(".col-user")).to_have_text("bayko")
    page.reload()
    expect(listed(page)).to_have_count(1)
    listed(page).get_by_role("link").click()
    expect(tree(page).first).to_be_visible()
    page.go_back()
    expect(listed(page)).to_have_count(1)
    page.get_by_role("button", name="Remove the filter app.user=bayko").click()
    expect(listed(page)).to_have_count(2)
    page.go_back()
    expect(listed(page)).to_have_count(1)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("app.user!=bayko", [1, 3]),
        ("app.result_length>19", [1, 2]),
        ("app.user=*", [1, 2]),
        ("!app.user", [3]),
    ],
)
def test_filter_compares_all_spans(page, server, typed, found):
    send(server, 1, home(trace_id(1), user="andrewbrown"))
    send(server, 2, home(trace_id(2), user="bayko"))
    send(server, 3, [span(1, "job", attributes={"app.result_length": 3})])
    expect(listed(page)).to_have_count(3)
    page.get_by_role("searchbox").fill(typed)
    page.get_by_role("searchbox").press("Enter")
    expect(listed(page)).to_have_count(len(found))
    assert {row.get_attribute("data-id") for row in listed(page).all()} == {trace_id(number) for number in found}


def test_text_errors_and_duration_filter_the_list(page, server):
    send(server, 1, home(trace_id(1), took=12))
    send(server, 2, home(trace_id(2), took=250, status=500, error="the table is gone"))
    expect(listed(page)).to_have_count(2)
    errors = page.get_by_role("search").get_by_role("button", name="Errors")
    errors.click()
    expect(listed(page)).to_have_count(1)
    expect(listed(page).locator(".col-status")).to_contain_text("500")
    errors.click()
    expect(listed(page)).to_have_count(2)
    page.get_by_role("textbox", name="Minimum duration").fill("0.1 s")
    page.keyboard.press("Enter")
    expect(listed(page)).to_have_count(1)
    page.get_by_role("textbox", name="Minimum duration").fill("")
    page.keyboard.press("Enter")
    expect(listed(page)).to_have_count(2)
    page.get_by_role("searchbox").fill("nothing has this text")
    expect(page.get_by_role("heading", name="No trace matches")).to_be_visible()
    page.get_by_role("button", name="Remove all filters").click()
    expect(listed(page)).to_have_count(2)


def test_health_checks_are_hidden(page, server):
    send(server, 1)
    send(server, 2, [span(1, "GET /api/health-check", kind="server", attributes={"http.route": "/api/health-check"})])
    expect(listed(page)).to_have_count(2)
    page.get_by_role("button", name="Hide health checks").click()
    expect(listed(page)).to_have_count(1)
    expect(listed(page)).to_have_attribute("data-id", trace_id(1))


@pytest.mark.parametrize(("column", "order"), [("Duration", [2, 3, 1]), ("Spans", [3, 1, 2]), ("User", [2, 1, 3])])
def test_column_sorts_the_list(page, server, column, order):
    send(server, 1, home(trace_id(1), user="bayko", took=10, queries=8))
    send(server, 2, home(trace_id(2), user="andrewbrown", took=30, queries=5, status=500, error="no"))
    send(server, 3, home(trace_id(3), user="mira", took=20, queries=12))
    expect(listed(page)).to_have_count(3)
    header = page.get_by_role("columnheader", name=column)
    for direction, expected in [("ascending" if column == "User" else "descending", order), (None, order[::-1])]:
        header.get_by_role("button").click()
        expect(header).to_have_attribute("aria-sort", direction or re.compile("ending"))
        for at, number in enumerate(expected):
            expect(listed(page).nth(at)).to_have_attribute("data-id", trace_id(number))


def test_cleared_list_is_empty(page, server):
    send(server)
    expect(listed(page)).to_have_count(1)
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Delete all").click()
    expect(page.get_by_role("heading", name="Waiting for the first trace")).to_be_visible()


def test_partial_trace_is_completed_in_place(page, server):
    root, *others = home(trace_id(1))
    send(server, 1, others)
    row = listed(page)
    expect(row.locator(".state-chip")).to_have_text("root not received yet")
    send(server, 1, [root])
    expect(row.locator(".col-name")).to_contain_text("/api/activities/home")
    expect(row.locator(".state-chip")).to_have_count(0)
    expect(row).to_have_count(1)


def test_list_says_that_it_loads(page, server):
    send(server)
    held, released = [], []

    def hold(route):
        if released:
            route.continue_()
        else:
            held.append(route)

    page.route("**/api/traces?*", hold)
    page.reload()
    expect(page.get_by_text("Loading traces")).to_be_visible()
    released.append(True)
    held[-1].continue_()
    expect(listed(page)).to_have_count(1)


def test_failed_list_can_be_loaded_again(page, server):
    send(server)
    problem = {"title": "Internal error", "status": 500, "detail": "The store is gone.", "code": "internal"}
    page.route("**/api/traces?*", lambda route: route.fulfill(status=500, json=problem))
    # Otherwise the page loads the list again once it has the stream.
    page.route("**/api/events", lambda route: route.abort())
    page.reload()
    expect(page.get_by_role("alert").filter(has_text="The store is gone.")).to_be_visible()
    page.unroute("**/api/traces?*")
    page.get_by_role("button", name="Try again").click()
    expect(listed(page)).to_have_count(1)


def test_page_reconnects_after_a_restart(chromium):
    with context_of(chromium) as open_page:
        with console() as first:
            page = open_page(first.url)
            send(first)
            expect(listed(page)).to_have_count(1)
        expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_visible()
        with console(first.port) as second:
            expect(page.get_by_role("heading", name="Waiting for the first trace")).to_be_visible()
            expect(page.get_by_text("does not answer")).to_have_count(0)
            send(second, 2)
            expect(listed(page)).to_have_attribute("data-id", trace_id(2))


def test_trace_that_is_shown_outlives_the_console(chromium):
    with context_of(chromium) as open_page:
        with console() as first:
            page = open_page(first.url)
            visit(page, first, send(first))
            expect(tree(page)).to_have_count(3)
        expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_visible()
        expect(tree(page)).to_have_count(3)
        with console(first.port):
            expect(page.locator("[data-state=gone]")).to_be_visible()
            expect(tree(page)).to_have_count(3)


def test_tabs_share_one_stream(chromium, server):
    with context_of(chromium) as open_page:
        first, second = open_page(server.url), open_page(server.url)
        expect(first.get_by_text("Live", exact=True)).to_be_visible()
        expect(second.get_by_text("Live", exact=True)).to_be_visible()
        streams = "performance.getEntriesByType('resource').filter((one) => one.name.endsWith('api/events')).length"
        second.bring_to_front()
        send(server)
        expect(listed(second)).to_have_count(1)
        first.bring_to_front()
        expect(listed(first).or_(first.get_by_role("button", name="1 new")).first).to_be_visible()
        assert second.evaluate(streams) == 0
        first.close(run_before_unload=False)
        send(server, 2)
        expect(listed(second)).to_have_count(2)


# One trace


def test_equal_siblings_are_folded(page, server):
    visit(page, server, send(server))
    expect(tree(page)).to_have_count(3)
    group = tree_row(page, f"8 {TIMES} DynamoDB.Query")
    expect(group).to_have_attribute("aria-expanded", "false")
    expect(group.locator(".sum")).to_contain_text("Σ")
    group.locator(".twist").click()
    expect(tree(page)).to_have_count(11)
    page.reload()
    expect(tree(page)).to_have_count(11)
    page.get_by_role("button", name="Fold", exact=True).click()
    expect(tree(page)).to_have_count(10)
    expect(page.get_by_text(f"8 {TIMES}")).to_have_count(0)


def test_errors_in_a_folded_group_stay_visible(page, server):
    spans = home(trace_id(1))
    spans[4]["status"] = {"code": 2, "message": "throttled"}
    visit(page, server, send(server, 1, spans))
    expect(tree(page)).to_have_count(4)
    expect(tree(page).nth(2)).to_contain_text("1 error")
    expect(tree(page).nth(3)).to_contain_text("Fault")
    page.keyboard.press("e")
    expect(details(page)).to_contain_text("throttled")


def test_rows_tell_their_place_in_the_tree(page, server):
    visit(page, server, send(server))
    grid = page.get_by_role("treegrid")
    expect(grid).to_have_attribute("aria-rowcount", "4")
    place = [
        [row.get_attribute(f"aria-{name}") for name in ("level", "posinset", "setsize", "rowindex")]
        for row in tree(page).all()
    ]
    assert place == [["1", "1", "1", "2"], ["2", "1", "1", "3"], ["3", "1", "1", "4"]]
    page.keyboard.press("ArrowDown")
    expect(grid).to_have_attribute("aria-activedescendant", "row-0")
    expect(tree(page).first).to_have_attribute("aria-selected", "true")


def test_critical_path_is_drawn_and_hidden(page, server):
    visit(page, server, send(server))
    expect(tree(page).first.locator(".critical").first).to_be_visible()
    # The folded group keeps the parts that it hides.
    expect(tree_row(page, f"8 {TIMES}").locator(".critical").first).to_be_visible()
    page.get_by_role("button", name="Critical path").click()
    expect(page.locator(".critical")).to_have_count(0)
    expect(page).to_have_url(re.compile("critical=off"))


def test_selected_span_has_a_permalink(page, server):
    trace = send(server)
    visit(page, server, trace)
    tree_row(page, "home-activities").click()
    expect(details(page).get_by_role("heading", name="home-activities")).to_be_visible()
    expect(page).to_have_url(re.compile(f"span={span_id(2)}"))
    page.reload()
    expect(details(page)).to_contain_text("app.result_length")
    page.go_back()
    expect(details(page)).to_have_count(0)
    page.go_forward()
    expect(details(page)).to_be_visible()
    visit(page, server, trace, span=span_id(5))
    expect(details(page)).to_contain_text("aws.dynamodb.count")
    expect(tree(page)).to_have_count(11)


def test_trace_id_opens_in_both_forms(page, server):
    trace = send(server)
    visit(page, server, data.xray_id(trace))
    expect(tree(page)).to_have_count(3)
    page.goto(server.url)
    page.get_by_role("searchbox").fill(data.xray_id(trace))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(trace))
    expect(tree(page)).to_have_count(3)


def test_search_steps_through_matches(page, server):
    trace = send(server)
    visit(page, server, trace)
    page.keyboard.press("Control+f")
    page.keyboard.type("DynamoDB/Query")
    expect(page.locator(".found")).to_have_text("8")
    page.keyboard.press("Enter")
    expect(page.locator(".found")).to_have_text("1 of 8")
    expect(details(page)).to_contain_text(span_id(3))
    page.keyboard.press("Enter")
    expect(page.locator(".found")).to_have_text("2 of 8")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    visit(page, server, trace, find="DynamoDB/Query")
    page.keyboard.press("p")
    expect(page.locator(".found")).to_have_text("8 of 8")
    page.keyboard.press("n")
    expect(page.locator(".found")).to_have_text("1 of 8")


@pytest.mark.parametrize("text", ["home-ACT", span_id(2), "feed.merged", "a line of the feed", "app.result_length"])
def test_search_reads_all_text_of_a_span(page, server, text):
    trace = send(server)
    data.post(server.url, data.logs_request(trace, [(2, 3, "INFO", "a line of the feed")]), "/v1/logs")
    visit(page, server, trace, find=text)
    expect(page.locator(".found")).to_have_text("1")
    expect(page.locator(".row.match")).to_contain_text("home-activities")


def test_only_matches_keep_their_ancestors(page, server):
    visit(page, server, send(server, 1, [*home(trace_id(1)), span(50, "other", 1, 1, parent=1)]), find="feed.merged")
    expect(tree(page)).to_have_count(4)
    page.get_by_role("button", name="Only matches").click()
    expect(tree(page)).to_have_count(2)
    assert labels(page) == ["GET /api/activities/home", "home-activities"]


def drag(page, selector, start, end):
    """Drags the mouse between two parts of the width of an element."""
    box = page.locator(selector).bounding_box()
    page.mouse.move(box["x"] + box["width"] * start, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, box["y"] + 10, steps=4)
    page.mouse.up()


def test_drag_zooms_and_back_undoes_it(page, server):
    visit(page, server, send(server))
    expect(tree(page)).to_have_count(3)
    drag(page, ".ruler", 0.25, 0.5)
    expect(page).to_have_url(re.compile(r"zoom=\d+-\d+"))
    start, end = (int(of) for of in re.search(r"zoom=(\d+)-(\d+)", page.url).groups())
    assert abs(start - 3_000_000) < 100_000
    assert abs(end - 6_000_000) < 100_000
    expect(page.get_by_role("button", name="Reset zoom")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("button", name="Reset zoom")).to_be_hidden()
    drag(page, ".minimap", 0.5, 0.75)
    expect(page).to_have_url(re.compile(r"zoom=\d+-\d+"))
    page.keyboard.press("0")
    expect(page).not_to_have_url(re.compile("zoom="))


def test_idle_time_is_skipped(page, server):
    trace = send(
        server, 1, [span(1, "send", 0, 20, kind="producer"), span(2, "process", 4020, 40, parent=1, kind="consumer")]
    )
    visit(page, server, trace)
    expect(page.locator(".skipped")).to_have_text("4.00 s")
    short = tree_row(page, "send").locator(".bar").bounding_box()["width"]
    page.get_by_role("button", name="Skip idle").click()
    expect(page.locator(".skipped")).to_have_count(0)
    assert tree_row(page, "send").locator(".bar").bounding_box()["width"] < short / 5


def test_clock_skew_is_adjusted_by_a_switch(page, server):
    trace = trace_id(1)
    data.post(server.url, spans_request(trace, [span(1, "caller", 0, 20, kind="client")], **{"host.name": "a"}))
    data.post(
        server.url, spans_request(trace, [span(2, "called", 500, 10, parent=1, kind="server")], **{"host.name": "b"})
    )
    visit(page, server, trace)
    expect(page.locator("[data-mark=clock_skew]")).to_be_visible()
    expect(tree_row(page, "called").locator(".time")).to_contain_text("starts at 500 ms")
    page.get_by_role("button", name="Adjust clocks").click()
    expect(tree_row(page, "called").locator(".time")).to_contain_text("starts at 5.00 ms")
    page.go_back()
    expect(tree_row(page, "called").locator(".time")).to_contain_text("starts at 500 ms")


def test_any_span_can_be_the_root(page, server):
    visit(page, server, send(server), span=span_id(2))
    expect(details(page)).to_be_visible()
    page.keyboard.press("r")
    expect(tree(page)).to_have_count(2)
    assert labels(page)[0] == "home-activities"
    page.get_by_role("button", name="Below home-activities").click()
    expect(tree(page)).to_have_count(3)


def test_keyboard_reaches_everything(page, server):
    send(server)
    expect(listed(page)).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(listed(page).get_by_role("link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(tree(page)).to_have_count(3)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(tree(page).nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowLeft")
    expect(tree(page)).to_have_count(2)
    page.keyboard.press("ArrowRight")
    expect(tree(page)).to_have_count(3)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(tree(page)).to_have_count(11)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("Next match")
    page.keyboard.press("Escape")
    page.keyboard.press("5")
    expect(page.get_by_role("tab", name="X-Ray")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    expect(details(page)).to_have_count(0)
    page.keyboard.press("Escape")
    expect(listed(page)).to_have_count(1)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("key!=value")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()


def large(count=10_000):
    children = [
        query(number, number * 0.4, 0.3, 1)
        if number % 3
        else span(number, f"step {number}", number * 0.4, 0.3, parent=1)
        for number in range(2, count)
    ]
    return [
        span(1, "import", 0, count * 0.4 + 5, kind="server"),
        *children,
        span(count, "the last", count * 0.4, 2, parent=1),
    ]


def test_ten_thousand_spans_are_few_elements(page, server):
    visit(page, server, send(server, 1, large()))
    expect(page.get_by_role("treegrid")).to_have_attribute("aria-rowcount", "10001")
    count = "document.querySelectorAll('[role=row][data-row]').length"
    assert page.evaluate(count) < 60
    page.get_by_role("treegrid").focus()
    page.keyboard.press("End")
    expect(tree_row(page, "the last")).to_be_visible()
    assert page.evaluate(count) < 60
    page.keyboard.press("/")
    page.keyboard.type("step 5001")
    page.keyboard.press("Enter")
    expect(tree_row(page, "step 5001")).to_be_visible()
    assert page.evaluate(count) < 60
    assert page.evaluate("document.querySelectorAll('*').length") < 2000


@pytest.mark.parametrize(
    ("code", "spans"),
    [
        ("parent_missing", [span(1, "a child", parent=99), span(2, "another child", 2, parent=99)]),
        ("cycle", [span(1, "a", parent=2), span(2, "b", parent=1), span(3, "root")]),
        ("self_parent", [span(1, "a", parent=1)]),
        ("several_roots", [span(1, "a"), span(2, "b", 3)]),
        ("duplicate", [span(1, "a"), span(1, "a")]),
        ("reversed_time", [span(1, "a", 10, -5)]),
        ("future_time", [span(1, "a", 1e9)]),
    ],
)
def test_odd_trace_is_drawn_and_marked(page, server, code, spans):
    visit(page, server, send(server, 1, spans))
    mark = page.locator(f"[data-mark={code}]")
    expect(mark).to_be_visible()
    for name in {one["name"] for one in spans}:
        expect(tree_row(page, name).first).to_be_visible()
    mark.click()
    expect(details(page)).to_be_visible()


def test_missing_parent_has_one_row(page, server):
    visit(page, server, send(server, 1, [span(1, "a child", parent=99), span(2, "another child", 2, parent=99)]))
    expect(tree(page)).to_have_count(3)
    expect(tree(page).first).to_contain_text("Span not received")
    expect(tree(page).nth(1)).to_have_attribute("aria-level", "2")


def test_root_that_arrives_later_is_offered(page, server):
    root, *others = home(trace_id(1))
    visit(page, server, send(server, 1, others))
    expect(page.locator("[data-state=root_missing]")).to_be_visible()
    send(server, 1, [root])
    page.get_by_role("button", name="1 more spans").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("GET /api/activities/home")
    expect(page.locator(".trace-head .state-chip")).to_have_count(0)


@pytest.mark.parametrize("code", ["never_received", "before_start"])
def test_unknown_trace_says_why(page, server, code):
    # The first id has no time, the second is older than the console.
    trace = {"never_received": "7" * 32, "before_start": trace_id(77)}[code]
    send(server)
    page.goto(f"{server.url}/#/trace/{trace}")
    expect(page.locator(f".message[data-code={code}]")).to_be_visible()
    page.get_by_role("link", name="All traces", exact=True).click()
    expect(listed(page)).to_have_count(1)


def test_evicted_traces_are_counted(chromium):
    with console(None, "--max-mib", "1") as small, context_of(chromium) as open_page:
        page = open_page(small.url)
        for number in range(1, 6):
            send(small, number, large(1500))
        expect(listed(page).first).to_be_visible()
        page.reload()
        expect(page.get_by_text(re.compile(r"older traces? evicted"))).to_be_visible()
        page.goto(f"{small.url}/#/trace/{trace_id(1)}")
        expect(page.locator(".message[data-code=evicted]")).to_be_visible()


def test_trace_appears_when_its_first_span_arrives(page, server):
    page.goto(f"{server.url}/#/trace/{trace_id(1)}")
    expect(page.locator(".message[data-code=before_start]")).to_be_visible()
    send(server)
    expect(tree(page)).to_have_count(3)


def test_events_and_log_are_on_bars_and_in_lists(page, server):
    trace = send(server)
    lines = [
        (2, 3, "INFO", "feed read"),
        (2, 6, "WARN", '{"shard":3,"took_ms":4.2}'),
        (77, 7, "INFO", "of a lost span"),
        (None, 8, "ERROR", "of no span"),
    ]
    data.post(server.url, data.logs_request(trace, lines), "/v1/logs")
    visit(page, server, trace, span=span_id(2))
    expect(tree_row(page, "home-activities").locator(".point.event")).to_have_count(1)
    expect(tree_row(page, "home-activities").locator(".point.log")).to_have_count(2)
    moments = details(page).locator(".moments > li")
    expect(moments).to_have_count(3)
    expect(moments.nth(0)).to_contain_text("feed read")
    expect(moments.nth(2)).to_contain_text("feed.merged")
    # JSON in a log line is a tree.
    expect(moments.nth(1).locator(".json-key").filter(has_text="shard")).to_be_visible()
    page.get_by_role("tab", name="Events and log").click()
    expect(page.locator(".moments > li")).to_have_count(5)
    expect(page.locator(".moments > li").nth(2)).to_contain_text("of a lost span")
    expect(page.locator(".moments > li").nth(3)).to_contain_text("of no span")
    page.locator(".moments > li").first.get_by_role("link", name="home-activities").click()
    expect(details(page).get_by_role("heading", name="home-activities")).to_be_visible()


def test_exception_shows_its_stack(page, server):
    exception = {
        "exception.type": "ThrottlingException",
        "exception.message": "Rate exceeded",
        "exception.stacktrace": STACK,
    }
    visit(
        page,
        server,
        send(server, 1, [span(1, "a", 0, 5, error="failed", events=[("exception", 2, exception)])]),
        span=span_id(1),
    )
    found = details(page).locator(".exception")
    expect(found).to_contain_text("ThrottlingException")
    expect(found).to_contain_text("Rate exceeded")
    expect(found.locator("pre")).to_have_text(STACK)
    expect(tree(page).locator(".point.thrown")).to_have_count(1)


def test_links_lead_in_both_directions(page, server):
    post = send(server, 1, [span(1, "POST /api/activities", 0, 9, kind="server")])
    effect = send(
        server, 2, [span(1, "process cruddur", 900, 30, kind="consumer", links=[(post, 1), (trace_id(9), 1)])]
    )
    visit(page, server, effect, span=span_id(1))
    links = details(page).locator(".links > li")
    expect(links).to_have_count(2)
    expect(links.filter(has_text="not kept here")).to_have_count(1)
    details(page).locator(".trace-link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("POST /api/activities")
    expect(details(page).locator(".links > li")).to_contain_text("caused")
    details(page).locator(".trace-link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("process cruddur")


def test_span_is_copied_as_json_and_markdown(page, server):
    visit(
        page,
        server,
        send(server, 1, [span(1, "a | b", 0, 5, attributes={"app.big": 2**63 - 1, "app.part": 0.1})]),
        span=span_id(1),
    )
    details(page).get_by_role("button", name="JSON").click()
    expect(page.locator("#toast")).to_have_text("Copied as OTLP JSON")
    request = json.loads(copied(page))
    (one,) = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert (one["traceId"], one["spanId"], one["name"]) == (trace_id(1), span_id(1), "a | b")
    assert {item["key"]: item["value"] for item in one["attributes"]} == {
        "app.big": {"intValue": "9223372036854775807"},
        "app.part": {"doubleValue": 0.1},
    }
    # The console accepts what it copied.
    assert data.post(server.url, request) == 200
    details(page).get_by_role("button", name="Markdown").click()
    expect(page.locator("#toast")).to_have_text("Copied as Markdown")
    text = copied(page)
    assert text.startswith("### a \\| b (cruddur-api, internal)")
    assert "| app.big | 9223372036854775807 |" in text


def test_value_filters_and_excludes_traces(page, server):
    send(server, 1, home(trace_id(1), user="bayko"))
    trace = send(server, 2, home(trace_id(2), user="andrewbrown"))
    for button, left in {"Traces with this app.user": 2, "Traces without this app.user": 1}.items():
        visit(page, server, trace, span=span_id(1))
        details(page).locator(".property", has_text="app.user").get_by_role("button", name=button).click()
        expect(listed(page)).to_have_count(1)
        expect(listed(page)).to_have_attribute("data-id", trace_id(left))


def test_values_keep_all_their_digits_and_text(page, server):
    values = {
        "app.big": -(2**63),
        "app.json": '{"list":[1,{"deep":true}],"text":"x"}',
        "app.long": "ab" * 400,
        "app.list": ["a", 1, True],
        "app.url": "https://example.com/x",
    }
    visit(page, server, send(server, 1, [span(1, "a", attributes=values)]), span=span_id(1))
    row = details(page).locator(".property")
    expect(row.filter(has_text="app.big").locator("dd")).to_have_text("-9223372036854775808")
    expect(row.filter(has_text="app.json").locator(".json-key").filter(has_text="list")).to_be_visible()
    row.filter(has_text="app.json").get_by_role("button", name="Raw").click()
    expect(row.filter(has_text="app.json").locator("pre")).to_have_text(values["app.json"])
    long = row.filter(has_text="app.long")
    expect(long.locator("dd")).not_to_contain_text(values["app.long"])
    long.get_by_role("button", name="All 800 characters").click()
    expect(long.locator("dd")).to_contain_text(values["app.long"])
    # An URL is text with a button that copies it.
    url = row.filter(has_text="app.url")
    expect(url.get_by_role("link")).to_have_count(0)
    url.hover()
    url.get_by_role("button", name="Copy the value of app.url").click()
    expect(page.locator("#toast")).to_have_text("Copied")
    assert copied(page) == values["app.url"]


def test_hostile_span_stays_text(page, server):
    spans = [
        span(
            1,
            HOSTILE,
            0,
            5,
            kind="server",
            error=HOSTILE,
            attributes={
                "http.request.method": HOSTILE,
                "http.route": HOSTILE,
                "enduser.id": HOSTILE,
                HOSTILE: HOSTILE,
                "url.full": "javascript:alert(3)",
            },
            events=[
                (HOSTILE, 1, {HOSTILE: HOSTILE}),
                (
                    "exception",
                    2,
                    {"exception.type": HOSTILE, "exception.message": HOSTILE, "exception.stacktrace": HOSTILE},
                ),
            ],
        ),
        span(
            2,
            HOSTILE,
            1,
            2,
            parent=1,
            kind="client",
            attributes={"db.system.name": HOSTILE, "db.collection.name": HOSTILE},
        ),
    ]
    trace = send(server, 1, spans, service=HOSTILE, **{HOSTILE: HOSTILE})
    data.post(
        server.url,
        data.logs_request(trace, [(1, 3, "INFO", HOSTILE), (None, 3, "INFO", HOSTILE)], service=HOSTILE),
        "/v1/logs",
    )
    data.send_documents(
        server.xray, documents(trace, spans, annotations={"a": HOSTILE}, metadata={HOSTILE: {HOSTILE: HOSTILE}})
    )
    inert = "[...document.querySelectorAll('main img, main script, main b')].filter((one) => one.tagName !== 'B' || one.textContent === 'bold').length"
    expect(listed(page)).to_contain_text(HOSTILE)
    assert page.evaluate(inert) == 0
    for tab in ("waterfall", "flame", "names", "events", "xray", "honeycomb", "sides", "cost"):
        visit(page, server, trace, tab=tab, span=span_id(1))
        expect(page.get_by_role("tabpanel")).to_contain_text("<img src=x")
        assert page.evaluate(inert) == 0
    page.goto(f"{server.url}/#/health")
    expect(page.get_by_role("table", name="Senders")).to_contain_text(HOSTILE)
    assert page.evaluate(inert) == 0
    assert "bold" not in page.evaluate("[...document.querySelectorAll('a')].map((one) => one.href).join()")


# Other forms of a trace


def test_flame_graph_merges_equal_paths(page, server):
    visit(page, server, send(server), tab="flame")
    boxes = page.locator(".flame-box")
    expect(boxes).to_have_count(3)
    expect(boxes.nth(2)).to_contain_text(f"8 {TIMES} DynamoDB.Query")
    assert boxes.nth(2).bounding_box()["width"] < boxes.first.bounding_box()["width"]
    boxes.nth(1).click()
    expect(details(page).get_by_role("heading", name="home-activities")).to_be_visible()


def test_names_are_summed(page, server):
    visit(page, server, send(server), tab="names")
    rows = page.get_by_role("table", name="Span names").locator("tbody tr")
    expect(rows).to_have_count(3)
    row = rows.filter(has_text="DynamoDB.Query")
    expect(row.locator("td").nth(1)).to_have_text("8")
    page.get_by_role("columnheader", name="Count").get_by_role("button").click()
    expect(rows.first).to_contain_text("DynamoDB.Query")
    row.get_by_role("button", name="DynamoDB.Query").click()
    expect(page.locator(".found")).to_have_text("8")


def test_xray_draws_what_arrived(page, server):
    spans = home(trace_id(1))
    trace = send(server, 1, spans)
    sent = documents(trace, spans)
    data.send_documents(server.xray, sent)
    expect(listed(page)).to_have_count(1)
    visit(page, server, trace, tab="xray")
    expect(page.locator(".map-node").filter(has_text="AWS::DynamoDB::Table")).to_have_count(1)
    expect(page.locator(".map-node").filter(has_text="8 requests")).to_have_count(1)
    expect(page.locator(".map-node.only-aws").first).to_be_visible()
    rows = page.get_by_role("table", name="Segments timeline").locator("tbody tr:not(.only-aws):not(.node-row)")
    expect(rows).to_have_count(10)
    rows.filter(has_text="home-activities").get_by_role("button").click()
    opened = page.locator(".opened")
    expect(opened.locator(".part", has=page.get_by_role("heading", name="Annotations"))).to_contain_text(
        "app_result_length"
    )
    expect(page).to_have_url(re.compile(f"span={span_id(2)}"))
    page.reload()
    expect(opened).to_be_visible()
    document = page.locator(".document").filter(has_text="home-activities")
    document.locator("summary").first.click()
    document.get_by_role("button", name="Raw").click()
    assert json.loads(document.locator("pre").inner_text()) == sent[1]


def test_documents_that_aws_refuses_are_marked(page, server):
    spans = [span(1, "job"), span(2, "n" * 201, parent=1)]
    trace = send(server, 1, spans)
    data.send_documents(server.xray, documents(trace, spans))
    expect(listed(page)).to_have_count(1)
    visit(page, server, trace, tab="xray")
    expect(page.get_by_text("AWS would refuse 1 document of 2")).to_be_visible()
    refused = page.locator(".document").filter(has_text="AWS refuses")
    refused.locator("summary").first.click()
    expect(refused.locator("[data-code=name_too_long]")).to_be_visible()


def test_tabs_without_data_say_why(page, server):
    trace = send(server)
    visit(page, server, trace, tab="xray")
    expect(page.get_by_role("heading", name="X-Ray got nothing of this trace")).to_be_visible()
    other = trace_id(2)
    data.send_documents(server.xray, documents(other, home(other)))
    page.goto(server.url)
    expect(listed(page)).to_have_count(2)
    visit(page, server, other, tab="honeycomb")
    expect(page.get_by_role("heading", name="Honeycomb got nothing of this trace")).to_be_visible()


def test_honeycomb_shows_the_stored_events(page, server):
    trace = send(server)
    visit(page, server, trace, tab="honeycomb")
    table = page.get_by_role("table", name="Honeycomb events")
    # Ten spans, and the event of one of them.
    expect(table.locator("tbody tr")).to_have_count(11)
    columns = table.get_by_role("columnheader").all_inner_texts()
    assert {"name", "duration_ms", "trace.parent_id", "trace.span_id", "trace.trace_id", "meta.annotation_type"} <= set(
        columns
    )
    cell = (
        table.locator("tbody tr", has_text="home-activities")
        .first.locator("td")
        .nth(columns.index("trace.parent_id") - 1)
    )
    expect(cell).to_have_text(span_id(1))
    page.get_by_role("button", name="Raw").click()
    events = json.loads(page.locator("pre.raw").inner_text())
    assert events[0]["data"]["name"] == "GET /api/activities/home"
    sent = {item["key"]: data.plain(item["value"]) for item in home(trace)[0]["attributes"]}
    assert sent.items() <= events[0]["data"].items()
    page.reload()
    expect(page.locator("pre.raw")).to_be_visible()


def test_sides_show_what_each_lost(page, server):
    spans = home(trace_id(1))
    trace = send(server, 1, spans)
    sent = documents(trace, spans)
    del sent[0]["metadata"]["default"]["faas.trigger"]
    data.send_documents(server.xray, sent)
    expect(listed(page)).to_have_count(1)
    visit(page, server, trace, tab="sides")
    table = page.get_by_role("table", name="X-Ray and Honeycomb side by side")
    row = table.locator("tbody tr")
    expect(row.filter(has_text="http.response.status_code").locator(".side-state")).to_have_text("Both")
    expect(row.filter(has_text="faas.trigger").locator(".side-state")).to_have_text("Only Honeycomb")
    page.get_by_label("Only differences").check()
    expect(table.locator("tbody tr.both")).to_have_count(0)
    page.get_by_label("Only differences").uncheck()
    page.get_by_role("combobox").select_option(span_id(2))
    expect(table).to_contain_text("app.result_length")
    expect(page).to_have_url(re.compile(f"span={span_id(2)}"))


MEMORY = {"faas.max_memory": 512 << 20}


def test_cost_of_a_trace_has_units_spans_and_prices(page, server):
    trace = send(server, 1, **MEMORY)
    visit(page, server, trace, tab="cost")
    lines = page.get_by_role("table", name="Cost by unit").locator("tbody tr")
    expect(lines).to_have_count(3)
    for row, cells in enumerate(
        [
            ("DynamoDB read units", "4", "$0.50"),
            ("Lambda requests", "1", "$0.20"),
            ("Lambda GB-seconds", "0.006", "$0.10"),
        ]
    ):
        unit, amount, dollars = cells
        expect(lines.nth(row).locator("td").nth(0)).to_contain_text(unit)
        expect(lines.nth(row).locator("td").nth(1)).to_have_text(amount)
        expect(lines.nth(row).locator("td").nth(3)).to_have_text(dollars)
    expect(page.locator(".tiles")).to_contain_text("$0.80")
    spans = page.get_by_role("table", name="Cost by span").locator("tbody tr")
    expect(spans).to_have_count(9)
    expect(spans.first).to_contain_text("12 ms, 0.006 GB-seconds and 1 request")
    expect(page.locator("[data-not-counted]")).to_have_count(7)
    expect(page.locator(".cost-notes")).to_contain_text("us-east-1, 2026-11-22")
    page.reload()
    expect(lines).to_have_count(3)
    spans.first.get_by_role("link").click()
    expect(details(page).get_by_role("heading", name="GET /api/activities/home")).to_be_visible()
    page.go_back()
    expect(spans).to_have_count(9)


def test_span_without_its_units_is_listed(page, server):
    trace = send(server, 1)
    visit(page, server, trace, tab="cost")
    unpriced = page.get_by_role("table", name="Spans without a cost").locator("tbody tr")
    expect(unpriced).to_have_count(1)
    expect(unpriced.locator("[data-missing=memory]")).to_be_visible()
    other = send(server, 2, [span(1, "job")])
    visit(page, server, other, tab="cost")
    expect(page.get_by_role("heading", name="No span says what it consumed")).to_be_visible()


def test_cost_by_route_is_sorted_and_leads_to_the_traces(page, server):
    page.goto(f"{server.url}/#/costs")
    expect(page.get_by_role("heading", name="Waiting for the first trace")).to_be_visible()
    send(server, 1, home(trace_id(1)), **MEMORY)
    send(server, 2, home(trace_id(2), queries=4), **MEMORY)
    put = {"rpc.method": "DynamoDB/PutItem", "aws.dynamodb.consumed_capacity_units": 5.0}
    fields = {"http.request.method": "POST", "http.route": "/api/activities"}
    post = [
        span(1, "POST /api/activities", kind="server", attributes=fields),
        span(2, "DynamoDB.PutItem", parent=1, kind="client", attributes=put),
    ]
    send(server, 3, post)
    page.get_by_role("button", name="3 changed traces").click()
    rows = page.get_by_role("table", name="Cost by route").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("POST /api/activities")
    home_row = [cell.inner_text() for cell in rows.nth(1).locator("td").all()][1:]
    assert home_row == ["2", "3", "0", "12", "0.006", "1", "$0.68", "$0.80"]
    page.get_by_role("columnheader", name="Traces").get_by_role("button").click()
    expect(rows.nth(0)).to_contain_text("/api/activities/home")
    page.reload()
    expect(page.get_by_role("columnheader", name="Traces")).to_have_attribute("aria-sort", "descending")
    expect(rows.nth(0)).to_contain_text("/api/activities/home")
    expect(page.get_by_role("navigation").get_by_role("link", name="Cost")).to_have_attribute("aria-current", "page")
    rows.nth(0).get_by_role("link").click()
    expect(listed(page)).to_have_count(2)
    page.go_back()
    expect(rows).to_have_count(2)


def test_costs_count_new_traces_on_request(page, server):
    send(server, 1, **MEMORY)
    expect(listed(page)).to_have_count(1)
    page.goto(f"{server.url}/#/costs")
    rows = page.get_by_role("table", name="Cost by route").locator("tbody tr")
    expect(rows.locator("td").nth(1)).to_have_text("1")
    send(server, 2, **MEMORY)
    news = page.get_by_role("button", name="1 changed trace")
    expect(news).to_be_visible()
    expect(rows.locator("td").nth(1)).to_have_text("1")
    news.click()
    expect(rows.locator("td").nth(1)).to_have_text("2")
    expect(news).to_be_hidden()
    page.goto(f"{server.url}/#/costs?filter=app.user%3Dnobody")
    expect(page.get_by_role("heading", name="No trace matches")).to_be_visible()
    page.get_by_role("button", name="Remove the filter app.user=nobody").click()
    expect(rows).to_have_count(1)


def test_failed_costs_can_be_loaded_again(page, server):
    page.evaluate(FAILING_COSTS)
    page.goto(f"{server.url}/#/costs")
    expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_visible()
    # In one step: the view also reloads when its event stream reconnects, and then removes the button.
    page.get_by_role("button", name="Try again").evaluate("(button) => { repair(); button.click(); }")
    expect(page.get_by_role("heading", name="Waiting for the first trace")).to_be_visible()


def test_failed_tab_can_be_loaded_again(page, server):
    trace = send(server)
    page.route("**/honeycomb", lambda route: route.abort())
    visit(page, server, trace, tab="honeycomb")
    expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_visible()
    page.unroute("**/honeycomb")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("table", name="Honeycomb events")).to_be_visible()


def test_health_names_senders_and_refusals(page, server):
    send(server)
    response = page.request.post(
        f"{server.url}/v1/traces",
        headers={"Origin": "http://evil.example", "Content-Type": "application/json"},
        data={},
    )
    assert response.status == 403
    page.get_by_role("link", name="Health").click()
    expect(page.get_by_role("table", name="Senders")).to_contain_text("cruddur-api")
    expect(page.get_by_role("table", name="Refusals")).to_contain_text("--allow-origin http://evil.example")
    expect(page.get_by_role("navigation").get_by_role("link", name="Health")).to_have_attribute("aria-current", "page")


# The whole page


def test_trace_is_pinned_and_deleted(page, server):
    visit(page, server, send(server))
    page.get_by_role("button", name="Pin").click()
    expect(page.get_by_role("button", name="Pinned")).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.get_by_role("button", name="Pinned")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Waiting for the first trace")).to_be_visible()


def test_exported_trace_is_imported(page, server, tmp_path):
    trace = send(server)
    visit(page, server, trace)
    with page.expect_download() as download:
        page.get_by_role("link", name="OTLP").click()
    download.value.save_as(tmp_path / "trace.json")
    page.goto(server.url)
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Delete all").click()
    expect(page.get_by_role("heading", name="Waiting for the first trace")).to_be_visible()
    page.locator("input[type=file]").set_input_files(tmp_path / "trace.json")
    expect(page).to_have_url(re.compile(trace))
    expect(tree(page)).to_have_count(3)


def test_times_are_local_or_utc(page, server):
    visit(page, server, send(server))
    started = page.locator(".trace-facts div", has_text="Started")
    expect(started).to_contain_text(re.compile("E[SD]T|GMT-[45]"))
    page.get_by_role("button", name="Local time").click()
    expect(started).to_contain_text("UTC")
    expect(page).to_have_url(re.compile("tz=utc"))
    page.reload()
    expect(started).to_contain_text("UTC")


def test_theme_is_switched_and_remembered(page):
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name=re.compile("System theme")).click()
    page.get_by_role("button", name=re.compile("Light theme")).click()
    expect(page.get_by_role("button", name=re.compile("Dark theme"))).to_be_visible()
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    expect(page.get_by_role("button", name=re.compile("Dark theme"))).to_be_visible()
    assert page.evaluate(background) == dark


def rich(server):
    """Sends a trace with errors, log, links and documents, and a partial one. Returns the id of the first."""
    spans = home(trace_id(1), cold=True, status=500, error="the table is throttled")
    spans[4]["status"] = {"code": 2, "message": "Rate exceeded"}
    spans[0]["links"] = [{"traceId": trace_id(2), "spanId": span_id(1)}]
    trace = send(server, 1, spans)
    data.post(server.url, data.logs_request(trace, [(2, 3, "WARN", "slow"), (None, 3, "ERROR", '{"a":1}')]), "/v1/logs")
    data.send_documents(server.xray, documents(trace, spans, metadata=3))
    send(server, 2, [span(2, "a child", parent=1)])
    return trace


PLACES = [
    "#/",
    "#/?filter=app.user%3Dnobody",
    "#/health",
    "#/costs",
    "#/trace/77",
    *[
        f"#/trace/TRACE?tab={tab}&span={span_id(2)}"
        for tab in ("waterfall", "flame", "names", "events", "xray", "honeycomb", "sides", "cost")
    ],
]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_no_violation(chromium, server, theme, size):
    with context_of(chromium, size, theme, reduced_motion="reduce") as open_page:
        page = open_page(server.url)
        expect(page.get_by_role("heading", name="Waiting for the first trace")).to_be_visible()
        assert violations(page) == []
        trace = rich(server)
        for place in PLACES:
            page.goto(f"{server.url}/{place.replace('TRACE', trace)}")
            expect(page.locator("main .loading")).to_have_count(0)
            expect(page.locator("main h1").first).to_be_attached()
            assert violations(page) == [], place
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0], place
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        assert violations(page) == []


def test_phone_shows_list_trace_and_details(chromium, server):
    with context_of(chromium, PHONE, has_touch=True) as open_page:
        page = open_page(server.url)
        send(server)
        row = listed(page)
        expect(row.locator(".col-duration")).to_be_in_viewport()
        row.get_by_role("link").tap()
        expect(tree(page)).to_have_count(3)
        expect(tree(page).first.locator(".bar")).to_be_in_viewport()
        tree_row(page, "home-activities").tap()
        expect(details(page)).to_be_in_viewport()
        expect(details(page).get_by_role("heading", name="home-activities")).to_be_in_viewport()
        details(page).get_by_role("button", name="Close").tap()
        expect(details(page)).to_have_count(0)


def test_page_works_below_a_path(chromium, server):
    """Answers requests below `/tools/traces/` as a proxy does."""
    prefix = "/tools/traces"
    with context_of(chromium) as open_page:
        page = open_page("about:blank")

        def forward(route):
            route.fulfill(response=route.fetch(url=route.request.url.replace(prefix, "", 1)))

        page.route(re.compile(f"{prefix}/(?!api/events)"), forward)
        send(server)
        page.goto(f"{server.url}{prefix}/")
        expect(listed(page)).to_have_count(1)
        listed(page).get_by_role("link").click()
        expect(tree(page)).to_have_count(3)

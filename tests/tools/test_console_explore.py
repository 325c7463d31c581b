"""The view Explore of the console in a browser: charts, heat map, and what is different in a selected region."""

import re

import console_data as data
import pytest
from console import DESKTOP, PHONE, api, console, context_of, violations
from console_data import home, span, spans_request, trace_id
from playwright.sync_api import expect

expect.set_options(timeout=60_000)

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture(name="server")
def running_console():
    with console() as running:
        yield running


@pytest.fixture(name="crowd", scope="module")
def console_with_a_slow_user():
    """A console with 5,000 requests of 50 users. The five slow ones are all of the user `mira`, who has 95 others."""
    with console() as running:
        requests = [request(number) for number in range(1, 5001)]
        data.post(running.url, spans_request("", requests))
        yield running


@pytest.fixture
def page(chromium, server):
    with context_of(chromium) as open_page:
        yield open_page(f"{server.url}/#/explore")


def request(number):
    slow = number <= 5
    user = "mira" if number <= 100 else f"user-{number % 49}"
    fields = {
        "http.request.method": "GET",
        "http.route": "/api/activities/home" if number % 3 else "/api/notifications",
        "http.response.status_code": 500 if number % 500 == 7 else 200,
        "faas.coldstart": number % 97 == 0,
        "faas.invocation_id": f"{number:032x}",
        "app.user": user,
        "enduser.id": user,
        "app.result_length": number * 7 % 60,
    }
    took = 900 + number if slow else 8 + number * 37 % 60
    # 50 seconds, so that the columns are one second wide.
    one = span(1, "GET", number % 50 * 1000, took, kind="server", attributes=fields)
    return {"traceId": trace_id(number), **one}


def send(server, number=1, spans=None, **values):
    trace = trace_id(number)
    data.post(server.url, spans_request(trace, home(trace) if spans is None else spans, **values))
    return trace


def several(server, count=12):
    """Sends requests of two users. The last two are slow."""
    for number in range(1, count + 1):
        slow = number > count - 2
        send(
            server, number, home(trace_id(number), user="mira" if slow else "bayko", took=900 if slow else 10 + number)
        )


def heat(page):
    return page.get_by_role("application", name="Durations")


def fields(page):
    return page.locator(".explain-field")


def drag(page, left, top, right, bottom):
    """Selects a part of the heat map. The edges are parts of its size."""
    box = heat(page).bounding_box()
    page.mouse.move(box["x"] + box["width"] * left, box["y"] + box["height"] * top)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * right, box["y"] + box["height"] * bottom, steps=4)
    page.mouse.up()


def groups(page):
    return page.get_by_role("table", name="Groups").locator("tbody tr")


def lit_cells(page):
    return page.locator(".heat-cells")


# The explanation


def test_slow_user_is_the_first_field_of_the_explanation(chromium, crowd):
    with context_of(chromium) as open_page:
        page = open_page(f"{crowd.url}/#/explore")
        expect(heat(page).locator("svg path").first).to_be_attached()
        drag(page, 0.01, 0.01, 0.99, 0.2)
        expect(page.locator(".explain-counts")).to_have_text("5 selected requests against 4,995 others")
        first = fields(page).first
        expect(first).to_have_attribute("data-key", "app.user")
        expect(first.locator(".explain-score")).to_contain_text("0.55")
        value = first.locator(".explain-value").first
        expect(value.locator(".value-name")).to_have_text("mira")
        assert value.locator(".shares .num").all_inner_texts() == ["100 %", "1.9 %"]
        expect(first.locator(".explain-also")).to_contain_text("enduser.id mira")
        examples = page.get_by_role("list", name="Example traces").locator("li")
        expect(examples).to_have_count(5)
        # The unique id of each request explains nothing.
        expect(page.locator("[data-key='faas.invocation_id'] .explain-score")).to_contain_text("0.04")
        examples.first.get_by_role("link", name="GET", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("/api/")
        page.go_back()
        expect(fields(page).first).to_have_attribute("data-key", "app.user")


def test_value_lights_its_cells_and_filters(chromium, crowd):
    with context_of(chromium) as open_page:
        page = open_page(f"{crowd.url}/#/explore?sel=---&tz=utc")
        expect(page.locator(".explain-none")).to_be_visible()
        page.goto(f"{crowd.url}/#/explore?sel=--800000000-")
        value = fields(page).first.locator(".explain-value").first
        value.hover()
        expect(lit_cells(page)).to_have_attribute("data-lit", re.compile("[1-9]"))
        lit = int(lit_cells(page).get_attribute("data-lit"))
        path = "explore/heat-map?of=requests&lit=app.user&lit_value=mira"
        assert lit == sum(cell["lit"] > 0 for cell in api(crowd.url, path)["cells"])
        page.mouse.move(5, 5)
        expect(lit_cells(page)).to_have_attribute("data-lit", "0")
        value.locator(".value-name").focus()
        expect(lit_cells(page)).to_have_attribute("data-lit", str(lit))
        value.locator(".value-name").click()
        expect(page).to_have_url(re.compile("filter=app.user"))
        expect(page.locator(".explain-counts")).to_have_text("5 selected requests against 95 others")


def test_selection_survives_reload_and_back(chromium, crowd):
    with context_of(chromium) as open_page:
        page = open_page(f"{crowd.url}/#/explore")
        expect(page.get_by_role("heading", name="Why are some slow?")).to_be_visible()
        drag(page, 0.01, 0.01, 0.99, 0.2)
        expect(fields(page).first).to_be_visible()
        expect(page).to_have_url(re.compile(r"sel=\d+-\d+-\d+-\d+"))
        counts = page.locator(".explain-counts").inner_text()
        page.reload()
        expect(page.locator(".explain-counts")).to_have_text(counts)
        expect(page.locator(".heat-selection")).to_be_visible()
        page.get_by_role("button", name="Zoom").click()
        expect(page.get_by_role("button", name="Remove the minimum duration")).to_be_visible()
        expect(page.get_by_role("table", name="Traces").locator("tbody tr")).to_have_count(5)
        page.go_back()
        expect(page.locator(".explain-counts")).to_have_text(counts)
        page.go_back()
        expect(page.get_by_role("heading", name="Why are some slow?")).to_be_visible()
        expect(page.locator(".heat-selection")).to_be_hidden()


def test_region_is_selected_with_the_keyboard(chromium, crowd):
    with context_of(chromium) as open_page:
        page = open_page(f"{crowd.url}/#/explore")
        expect(heat(page).locator("svg path").first).to_be_attached()
        page.keyboard.press("h")
        expect(heat(page)).to_be_focused()
        # The slowest cell is chosen at first.
        expect(page.locator("#heat-readout")).to_contain_text("request")
        page.keyboard.press("Home")
        page.keyboard.press("Shift+End")
        for _ in range(8):
            page.keyboard.press("Shift+ArrowDown")
        page.keyboard.press("Enter")
        expect(fields(page).first).to_have_attribute("data-key", "app.user")
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.locator(".value-name:focus").count():
                break
        expect(lit_cells(page)).to_have_attribute("data-lit", re.compile("[1-9]"))
        page.keyboard.press("Escape")
        expect(page.locator(".explain-field")).to_have_count(0)
        page.keyboard.press("s")
        expect(page.locator(".explain-counts")).to_be_visible()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("Select the slowest 5 %")


def test_slow_request_is_compared_with_a_typical_one(page, server):
    several(server)
    page.reload()
    page.get_by_role("button", name="Select the slowest 5 %").click()
    page.get_by_role("list", name="Example traces").get_by_role("link", name="Compare").first.click()
    expect(page).to_have_url(re.compile(r"#/compare\?a=[0-9a-f]{32}&b=[0-9a-f]{32}"))
    expect(page.get_by_role("region", name="Difference")).to_contain_text("longer")


# Charts and groups


def test_preset_groups_by_user_and_sorts(chromium, crowd):
    with context_of(chromium) as open_page:
        page = open_page(f"{crowd.url}/#/explore")
        page.get_by_role("button", name="Latency by user").click()
        expect(groups(page)).to_have_count(20)
        expect(page.get_by_text("The first 20 of 50 values")).to_be_visible()
        row = groups(page).first
        expect(row.locator(".group-name")).to_have_text("mira")
        expect(row.locator("td[data-label=Count]")).to_have_text("100")
        expect(row.locator("td[data-label=Longest]")).to_have_text("905 ms")
        page.get_by_role("columnheader", name="Count").get_by_role("button").click()
        expect(page.get_by_role("columnheader", name="Count")).to_have_attribute("aria-sort", "descending")
        expect(page.locator(".chart")).to_have_count(3)
        expect(page.locator(".chart-line").first).to_be_attached()
        page.reload()
        expect(groups(page)).to_have_count(20)
        page.go_back()
        expect(page.get_by_role("columnheader", name="P95")).to_have_attribute("aria-sort", "descending")
        groups(page).first.get_by_role("button", name="mira").click()
        expect(groups(page)).to_have_count(1)
        expect(page.get_by_role("img", name="Requests over time")).to_be_visible()


def test_any_field_groups_requests_or_spans(page, server):
    several(server)
    page.reload()
    by = page.get_by_role("combobox", name="Group by")
    by.fill("app.result_length")
    by.press("Enter")
    expect(groups(page)).to_have_count(1)
    expect(groups(page).locator(".group-name")).to_have_text("20")
    page.get_by_role("combobox", name="Count").select_option("spans")
    expect(groups(page)).to_have_count(2)
    expect(groups(page).first.locator(".group-name")).to_have_text("absent")
    expect(page).to_have_url(re.compile("of=spans"))
    page.get_by_role("button", name="Spans by name").click()
    expect(groups(page).filter(has_text="DynamoDB.Query").locator("td[data-label=Count]")).to_have_text("96")
    page.get_by_role("button", name="Recent traces").click()
    expect(groups(page)).to_have_count(0)
    expect(page.get_by_role("table", name="Traces").locator("tbody tr")).to_have_count(10)
    page.get_by_role("button", name="Slowest", exact=True).click()
    expect(page.get_by_role("table", name="Traces").locator("tbody tr").first).to_contain_text("900 ms")


def test_filters_apply_to_every_chart(page, server):
    several(server)
    page.reload()
    search = page.get_by_role("searchbox")
    search.fill("app.user=mira")
    search.press("Enter")
    expect(page.get_by_role("table", name="Traces").locator("tbody tr")).to_have_count(2)
    expect(page.get_by_role("img", name="Requests over time, at most")).to_be_visible()
    search.fill("nothing has this text")
    search.press("Enter")
    expect(page.get_by_role("heading", name="No request matches")).to_be_visible()
    page.get_by_role("button", name="Remove all filters").click()
    expect(page.get_by_role("table", name="Traces").locator("tbody tr")).to_have_count(10)
    page.get_by_role("link", name="All 12 matching traces").click()
    expect(page.get_by_role("table", name="Traces").locator("tbody tr")).to_have_count(12)


# States


def test_empty_view_is_filled_by_the_first_trace(page, server):
    expect(page.get_by_role("heading", name="Waiting for the first trace")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    send(server)
    expect(heat(page)).to_be_visible()
    expect(page.locator("[aria-busy]")).to_have_count(0)
    send(server, 2)
    page.get_by_role("button", name="1 new").click()
    expect(page.get_by_role("table", name="Traces").locator("tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Traces", exact=True).click()
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Delete all").click()
    page.go_back()
    expect(page.get_by_role("heading", name="Waiting for the first trace")).to_be_visible()


def test_partial_trace_and_eviction_are_told(chromium):
    with console(None, "--max-mib", "1") as small, context_of(chromium) as open_page:
        root, *others = home(trace_id(1))
        for number in range(2, 8):
            many = [span(at, f"step {at}", at, 1, parent=1) for at in range(2, 1200)]
            send(small, number, [span(1, "import", 0, 2000, kind="server"), *many])
        send(small, 1, others)
        page = open_page(f"{small.url}/#/explore")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        expect(page.get_by_text("root not received yet")).to_be_visible()
        expect(page.get_by_text(re.compile(r"older traces? evicted"))).to_be_visible()
        send(small, 1, [root])
        page.get_by_role("button", name="1 new").click()
        expect(page.get_by_text("root not received yet")).to_have_count(0)


def test_view_says_that_it_loads_or_failed(page, server):
    several(server)
    held = []

    def hold(route):
        held.append(route)

    # Otherwise the page loads the view again once it has the stream.
    page.route("**/api/events", lambda route: route.abort())
    page.route("**/api/explore/heat-map?*", hold)
    page.reload()
    expect(page.get_by_text("Loading …")).to_be_visible()
    page.unroute("**/api/explore/heat-map?*")
    held[0].abort()
    expect(page.locator(".message").filter(has_text="does not answer")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(heat(page)).to_be_visible()
    problem = {"title": "Internal error", "status": 500, "detail": "The comparison broke.", "code": "internal"}
    page.route("**/api/explore/explanation?*", lambda route: route.fulfill(status=500, json=problem))
    page.keyboard.press("s")
    expect(page.get_by_role("alert").filter(has_text="The comparison broke.")).to_be_visible()
    page.unroute("**/api/explore/explanation?*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".explain-counts")).to_be_visible()


def test_invalid_filter_in_the_address_is_told(page, server):
    several(server)
    page.goto(f"{server.url}/#/explore?filter=%3D")
    expect(page.get_by_role("alert")).to_contain_text("filter")


def test_hostile_values_stay_text(page, server):
    for number in range(1, 31):
        values = {HOSTILE: HOSTILE if number > 20 else "plain", "enduser.id": HOSTILE, "http.route": HOSTILE}
        one = span(1, HOSTILE, 0, 900 if number > 20 else 5, kind="server", attributes=values, error=HOSTILE)
        send(server, number, [one], service=HOSTILE)
    page.reload()
    page.get_by_role("button", name="Select the slowest 5 %").wait_for()
    page.goto(f"{server.url}/#/explore?sel=--500000000-&by=user")
    expect(fields(page).first.locator("h3")).to_have_text(HOSTILE)
    expect(fields(page).first.locator(".value-name").first).to_have_text(HOSTILE)
    expect(groups(page).first.locator(".group-name")).to_have_text(HOSTILE)
    fields(page).first.locator(".explain-value").first.hover()
    expect(lit_cells(page)).to_have_attribute("data-lit", re.compile("[1-9]"))
    assert page.locator("main img, main script, main b").count() == 0


# The whole view

PLACES = [
    "#/explore?filter=app.user%3Dnobody",
    "#/explore?by=user&sort=p95",
    "#/explore?sel=--800000000-&by=http.route&filter=app.user",
    "#/explore?of=spans&by=name&list=slowest",
    "#/explore?filter=%3D",
]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_no_violation(chromium, server, theme, size):
    with context_of(chromium, size, theme, reduced_motion="reduce") as open_page:
        page = open_page(f"{server.url}/#/explore")
        expect(page.get_by_role("heading", name="Waiting for the first trace")).to_be_visible()
        assert violations(page) == []
        several(server)
        for place in PLACES:
            page.goto(f"{server.url}/{place}")
            expect(page.locator("main .loading")).to_have_count(0)
            expect(page.locator("[aria-busy]")).to_have_count(0)
            assert violations(page) == [], place
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0], place


def test_phone_explains_a_tapped_selection(chromium, server):
    with context_of(chromium, PHONE, has_touch=True) as open_page:
        page = open_page(f"{server.url}/#/explore")
        several(server, 40)
        page.reload()
        expect(heat(page)).to_be_in_viewport()
        page.get_by_role("button", name="Select the slowest 5 %").tap()
        first = fields(page).first
        expect(first.locator(".value-name").first).to_have_text("mira")
        first.scroll_into_view_if_needed()
        box = first.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE[0]

"""The view Compare of the console in a browser: two traces, whose parts sum to the difference."""

import re

import console_data as data
import pytest
from console import DESKTOP, PHONE, console, context_of, violations
from console_data import home, span, spans_request, trace_id
from playwright.sync_api import expect

expect.set_options(timeout=60_000)

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
FAST, SLOW = trace_id(1), trace_id(2)


@pytest.fixture(name="server")
def running_console():
    with console() as running:
        yield running


@pytest.fixture
def page(chromium, server):
    with context_of(chromium) as open_page:
        yield open_page(server.url)


def send(server, trace, spans, **values):
    data.post(server.url, spans_request(trace, spans, **values))


def two(server):
    """Sends two requests of one route: the second one takes longer, and initializes the function first."""
    send(server, FAST, home(FAST, took=12))
    send(server, SLOW, home(SLOW, took=57, queries=12, cold=True, user="bayko"))


def visit(page, server, a=FAST, b=SLOW, **params):
    more = "".join(f"&{name}={of}" for name, of in params.items())
    page.goto(f"{server.url}/#/compare?a={a}&b={b}{more}")


def rows(page):
    return page.get_by_role("table", name="Differences").locator("tbody tr")


def differences(page):
    values = rows(page).locator(".difference").evaluate_all("cells => cells.map((cell) => cell.dataset.value)")
    return [int(value) for value in values if value is not None]


def total(page):
    return int(page.locator("[data-sum]").get_attribute("data-sum"))


def test_parts_sum_to_the_difference(page, server):
    two(server)
    visit(page, server)
    expect(page.get_by_role("region", name="Difference")).to_contain_text("B took 45.0 ms longer")
    expect(rows(page).first).to_be_visible()
    found = differences(page)
    assert sum(found) == total(page) == 45_000_000
    assert [abs(one) for one in found] == sorted((abs(one) for one in found), reverse=True)
    query = rows(page).filter(has_text="DynamoDB.Query")
    expect(query.locator("td[data-label=Count]")).to_have_text("8 → 12")
    expect(rows(page).filter(has_text="init")).to_contain_text("only in B")


def test_traces_are_picked_in_the_list(page, server):
    two(server)
    listed = page.get_by_role("table", name="Traces").locator("tbody tr")
    expect(listed).to_have_count(2)
    first = page.locator(f"[data-id='{FAST}']")
    first.hover()
    first.get_by_role("button", name="Compare this trace with another one").click()
    expect(page.get_by_text("choose a second trace")).to_be_visible()
    expect(page).to_have_url(re.compile("compare="))
    second = page.locator(f"[data-id='{SLOW}']")
    second.hover()
    second.get_by_role("button", name="Compare with this trace").click()
    expect(page).to_have_url(re.compile(f"a={FAST}&b={SLOW}"))
    expect(rows(page).first).to_be_visible()


def test_trace_offers_others_of_its_route(page, server):
    two(server)
    send(server, trace_id(3), [span(1, "another job", 0, 3)])
    page.goto(f"{server.url}/#/trace/{SLOW}")
    page.get_by_role("link", name="Compare").last.click()
    candidates = page.get_by_role("list", name="Traces to choose").get_by_role("button")
    expect(candidates).to_have_count(1)
    candidates.click()
    expect(page.get_by_role("region", name="Difference")).to_contain_text("B took 45.0 ms less")
    page.get_by_role("button", name="Choose another trace B").click()
    page.get_by_role("textbox", name="Id of trace B").fill(f"1-{FAST[:8]}-{FAST[8:]}")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"b={FAST}"))
    expect(rows(page).first).to_be_visible()


def test_comparison_survives_reload_swap_and_back(page, server):
    two(server)
    visit(page, server)
    page.get_by_role("button", name="As a tree").click()
    expect(rows(page).first).to_contain_text("GET /api/activities/home")
    in_tree = rows(page).count()
    page.reload()
    expect(rows(page)).to_have_count(in_tree)
    assert sum(differences(page)) == 45_000_000
    page.get_by_role("button", name="Swap the traces").click()
    expect(page.get_by_role("region", name="Difference")).to_contain_text("45.0 ms less")
    assert total(page) == -45_000_000
    rows(page).filter(has_text="DynamoDB.Query").get_by_role("link", name=re.compile("in A")).click()
    expect(page.get_by_role("complementary", name="Selected span")).to_contain_text("DynamoDB.Query")
    page.go_back()
    expect(rows(page)).to_have_count(in_tree)


def test_comparison_works_with_the_keyboard(page, server):
    two(server)
    page.get_by_role("link", name="Compare", exact=True).focus()
    page.keyboard.press("Enter")
    candidates = page.get_by_role("list", name="Traces to choose").get_by_role("button")
    expect(candidates).to_have_count(2)
    candidates.last.focus()
    page.keyboard.press("Enter")
    expect(candidates).to_have_count(1)
    candidates.focus()
    page.keyboard.press("Enter")
    expect(rows(page).first).to_be_visible()
    page.keyboard.press("x")
    expect(page).to_have_url(re.compile(f"a={SLOW}&b={FAST}"))
    page.keyboard.press("t")
    expect(page.get_by_role("button", name="As a tree")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("code", ["never_received", "before_start"])
def test_missing_trace_says_why(page, server, code):
    two(server)
    # The first id has no time, the second is older than the console.
    visit(page, server, FAST, {"never_received": "7" * 32, "before_start": trace_id(77)}[code])
    expect(page.locator(f".message[data-code={code}]")).to_be_visible()
    page.get_by_role("button", name="Choose others").click()
    expect(page.get_by_role("list", name="Traces to choose").get_by_role("button")).to_have_count(2)


def test_view_says_that_it_is_empty_loads_or_failed(page, server):
    # Otherwise the page loads the view again once it has the stream.
    page.route("**/api/events", lambda route: route.abort())
    page.goto(f"{server.url}/#/compare")
    page.reload()
    expect(page.get_by_role("heading", name="There is no trace yet")).to_be_visible()
    two(server)
    held = []

    def hold(route):
        held.append(route)

    page.route("**/api/comparison?*", hold)
    visit(page, server)
    expect(page.get_by_text("Loading …")).to_be_visible()
    page.unroute("**/api/comparison?*")
    held[0].abort()
    expect(page.locator(".message").filter(has_text="does not answer")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(rows(page).first).to_be_visible()


def test_partial_trace_is_compared_and_told(page, server):
    two(server)
    partial = trace_id(3)
    send(server, partial, home(partial, took=30)[1:])
    visit(page, server, FAST, partial)
    expect(rows(page).first).to_be_visible()
    expect(page.locator(".picker").last).to_contain_text("not all spans received")
    assert sum(differences(page)) == total(page)


def test_trace_compared_with_itself_has_no_difference(page, server):
    two(server)
    visit(page, server, FAST, FAST)
    expect(page.get_by_role("heading", name="Both took the same time")).to_be_visible()
    expect(rows(page)).to_have_count(0)


def test_large_traces_show_the_greatest_differences(page, server):
    for trace, took in ((FAST, 1), (SLOW, 2)):
        steps = [span(at, f"step {at}", at * 3, took if at % 2 else 1, parent=1) for at in range(2, 5000)]
        send(server, trace, [span(1, "import", 0, 16_000, kind="server"), *steps])
    visit(page, server)
    expect(rows(page)).to_have_count(201)
    assert total(page) == 0
    page.get_by_role("button", name=re.compile("Show .* more rows")).click()
    expect(page.get_by_role("button", name=re.compile("Show .* more rows"))).to_have_count(0)
    assert sum(differences(page)) == 0


def test_hostile_spans_stay_text(page, server):
    for trace, took in ((FAST, 5), (SLOW, 9)):
        fields = {
            "db.system.name": HOSTILE,
            "db.collection.name": HOSTILE,
            "enduser.id": HOSTILE,
            "http.route": HOSTILE,
        }
        send(
            server,
            trace,
            [
                span(1, HOSTILE, 0, took, kind="server", attributes=fields, error=HOSTILE),
                span(2, HOSTILE, 1, took - 2, parent=1, kind="client", attributes=fields),
            ],
            service=HOSTILE,
        )
    visit(page, server)
    expect(rows(page).locator(".label").first).to_have_text(HOSTILE)
    assert page.locator("main img, main script, main b").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_no_violation(chromium, server, theme, size):
    with context_of(chromium, size, theme, reduced_motion="reduce") as open_page:
        page = open_page(f"{server.url}/#/compare")
        expect(page.get_by_role("heading", name="There is no trace yet")).to_be_visible()
        assert violations(page) == []
        two(server)
        places = ["", f"a={FAST}", f"a={FAST}&b={SLOW}", f"a={FAST}&b={SLOW}&order=tree", f"a={FAST}&b={'7' * 32}"]
        for place in places:
            page.goto(f"{server.url}/#/compare?{place}")
            expect(page.locator("main .loading")).to_have_count(0)
            assert violations(page) == [], place
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0], place
        page.goto(f"{server.url}/#/?compare={FAST}")
        expect(page.get_by_text("choose a second trace")).to_be_visible()
        assert violations(page) == []


def test_phone_shows_differences_as_cards(chromium, server):
    with context_of(chromium, PHONE, has_touch=True) as open_page:
        page = open_page(server.url)
        two(server)
        visit(page, server)
        first = rows(page).first
        expect(first).to_be_visible()
        box = first.bounding_box()
        assert box["x"] + box["width"] <= PHONE[0]
        expect(first.locator(".difference")).to_be_visible()

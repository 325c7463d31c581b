"""Opens Cruddur's page in a browser, with the local server and its console behind it."""

import json
import re
import time
import urllib.request
from pathlib import Path

import pytest
from console import DESKTOP, PHONE, context_of, violations
from local_server import get, local_server
from page import (
    done,
    holding,
    is_as_wide_as_the_window,
    posts,
    server_with_console,
    sign_in,
    sign_out,
    tab_to,
    trace_of,
    write,
)
from playwright.sync_api import expect
from processes import wait_for

expect.set_options(timeout=60_000)

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script><b>bold</b> javascript:alert(3)"
PROBLEM = {
    "type": "about:blank",
    "title": "Service Unavailable",
    "status": 503,
    "detail": "Retry.",
    "code": "overloaded",
}
MENTIONS = json.loads((Path(__file__).parents[1] / "mentions.json").read_text(encoding="utf-8"))
LINKS = """async (texts) => {
  const { h, linked } = await import("/dom.js");
  return texts.map((text) => {
    const element = h("p", {}, ...linked(text));
    const links = [...element.querySelectorAll("a")];
    return [element.textContent, links.map((link) => [link.getAttribute("href"), link.textContent])];
  });
}"""
TRACE = "6925a400bd862e3fe1be46a994272793"
VIEWS = [
    "",
    "search",
    "search?q=cloud",
    "search?q=nothing",
    "notifications",
    "messages",
    "messages/new/worf",
    "@andrewbrown",
    "sign-in",
    "nowhere",
]


@pytest.fixture(name="server", scope="module")
def running_server():
    with server_with_console() as server:
        yield server


@pytest.fixture
def page(chromium, server):
    with context_of(chromium) as open_page:
        yield open_page(server.api)


def token(server, handle):
    return get(f"{server.api}/local/sign-in", data={"handle": handle})["access_token"]


def create(server, handle, message, ttl="7-days"):
    return get(f"{server.api}/api/activities", token(server, handle), {"message": message, "ttl": ttl})["uuid"]


def visit(page, server, view):
    page.goto(f"{server.api}/#/{view}")
    expect(page.locator("main h1").first).to_be_attached()
    expect(page.locator(".loading")).to_have_count(0)


# Traces


def test_reload_is_found_in_the_console(page, server):
    sign_in(page)
    write(page, "Found after a reload")
    sent, _ = trace_of(page, "post")
    page.reload()
    expect(posts(page).filter(has_text="Found after a reload")).to_be_visible()
    trace, link = trace_of(page, "page load")
    assert trace != sent
    assert re.fullmatch(r"\d+(\.\d+)? (ms|s)", done(page, "page load").locator(".took").inner_text())
    expect(link).to_have_attribute("href", f"{server.console}/#/trace/{trace}")
    with page.expect_popup() as opened:
        link.click()
    rows = opened.value.get_by_role("treegrid").locator("[role=row][data-row]")
    expect(rows.filter(has_text="GET /api/activities/home").first).to_be_visible()
    opened.value.goto(f"{server.console}/#/trace/{sent}")
    expect(rows.filter(has_text="POST /api/activities").first).to_be_visible()


def test_notification_links_to_the_request_of_the_reply(page, server):
    uuid = create(server, "andrewbrown", "Who has honor?")
    sign_in(page, "Worf")
    visit(page, server, f"post/{uuid}")
    page.get_by_label("Reply to Andrew Brown").fill("I have honor.")
    page.get_by_role("button", name="Reply", exact=True).click()
    expect(posts(page).filter(has_text="I have honor.")).to_be_visible()
    trace, _ = trace_of(page, "reply")
    sign_out(page)
    sign_in(page)
    andrew = token(server, "andrewbrown")
    wait_for(lambda: any(one["trace_id"] == trace for one in get(f"{server.api}/api/activities/notifications", andrew)))
    visit(page, server, "notifications")
    found = page.locator("main article").filter(has_text="I have honor.")
    expect(found).to_contain_text("Worf replied to you")
    expect(found.get_by_role("link", name="Trace of the request")).to_have_attribute(
        "href", f"{server.console}/#/trace/{trace}"
    )
    found.locator(".permalink").click()
    expect(page.locator("article.subject")).to_contain_text("I have honor.")


def test_without_a_console_only_the_trace_id_is_shown(chromium):
    with local_server() as server, context_of(chromium) as open_page:
        page = open_page(server.api)
        row = done(page, "page load")
        expect(row.locator("code")).to_have_text(re.compile("^[0-9a-f]{32}$"))
        expect(row.get_by_role("link")).to_have_count(0)


# Actions


def test_like_and_repost_survive_a_reload(page, server):
    uuid = create(server, "garek", "Like this")
    sign_in(page)
    post = page.locator(f"[data-id='{uuid}']")
    like, repost = post.get_by_role("button", name="Like"), post.get_by_role("button", name="Repost")
    like.click()
    repost.click()
    done(page, "like")
    done(page, "repost")
    expect(like).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(like).to_have_attribute("aria-pressed", "true")
    expect(like).to_have_text("Like 1")
    expect(repost).to_have_text("Repost 1")
    like.click()
    expect(like).to_have_attribute("aria-pressed", "false")
    done(page, "undo like")
    page.reload()
    expect(like).to_have_attribute("aria-pressed", "false")
    expect(like).to_have_text("Like ")


def test_reaction_outside_home_begins_unknown(page, server):
    uuid = create(server, "garek", "Liked before the thread is opened")
    sign_in(page)
    liked = page.locator(f"[data-id='{uuid}']").get_by_role("button", name="Like")
    liked.click()
    expect(done(page, "like")).to_have_class("done")
    visit(page, server, f"post/{uuid}")
    like, repost = page.get_by_role("button", name="Like"), page.get_by_role("button", name="Repost")
    expect(like).to_have_text("Like 1")
    assert like.get_attribute("aria-pressed") is None
    # Without reposts, the user has not reposted it.
    expect(repost).to_have_attribute("aria-pressed", "false")
    answer = holding(page, "**/like")
    like.click()
    request = answer()
    assert request.request.method == "PUT"
    expect(like).to_have_text("Like 1")
    request.continue_()
    expect(like).to_have_attribute("aria-pressed", "true")
    done(page, "like")
    expect(like).to_have_text("Like 1")


def test_failed_like_is_taken_back(page, server):
    uuid = create(server, "garek", "Like this in vain")
    sign_in(page)
    page.route("**/like", fail)
    post = page.locator(f"[data-id='{uuid}']")
    post.get_by_role("button", name="Like").click()
    expect(post.get_by_role("alert")).to_contain_text("The server is busy")
    expect(post.get_by_role("button", name="Like")).to_have_attribute("aria-pressed", "false")


def test_own_post_is_deleted_after_a_question(page):
    sign_in(page)
    post = write(page, "Deleted in a moment")
    post.get_by_role("button", name="Delete this post").click()
    expect(post).to_contain_text("Deleted in a moment")
    post.get_by_role("button", name="Delete for good?").click()
    expect(page.get_by_text("You have deleted this post.")).to_be_visible()
    page.reload()
    expect(posts(page).first).to_be_visible()
    expect(posts(page).filter(has_text="Deleted in a moment")).to_have_count(0)


def test_deletion_of_an_open_post_closes_its_replies(page, server):
    sign_in(page)
    visit(page, server, f"post/{create(server, 'andrewbrown', 'Deleted while it is open')}")
    page.get_by_role("button", name="Delete this post").click()
    page.get_by_role("button", name="Delete for good?").click()
    expect(page.get_by_role("heading", name="You have deleted this post")).to_be_focused()
    expect(page.get_by_role("textbox")).to_have_count(0)
    expect(page.get_by_text("expired")).to_have_count(0)


def test_profile_is_edited(page, server):
    sign_in(page, "Londo Mollari")
    visit(page, server, "@londo")
    page.get_by_role("button", name="Edit profile").click()
    page.get_by_label("Display name").fill("Londo of the Republic")
    page.get_by_label("Bio").fill("Ambassador, like @garek")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Londo of the Republic")).to_be_visible()
    expect(page.get_by_role("button", name="Edit profile")).to_be_focused()
    page.reload()
    expect(page.locator(".profile")).to_contain_text("Ambassador, like @garek")
    expect(page.locator(".me-name")).to_contain_text("Londo of the Republic")
    page.locator(".profile").get_by_role("link", name="@garek").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("@garek")


def test_handle_in_another_case_is_shown_as_chosen(page, server):
    sign_in(page)
    title = page.get_by_role("heading", level=1)
    visit(page, server, "@WORF")
    expect(title).to_have_text("@worf")
    expect(page).to_have_title("@worf · Cruddur")
    visit(page, server, "messages/new/WORF")
    expect(page.get_by_label("Message to @worf", exact=True)).to_be_focused()
    expect(title).to_have_text("Message to @worf")
    expect(page).to_have_title("Message to @worf · Cruddur")


def test_search_finds_posts(page, server):
    uuid = create(server, "bayko", "Quadrotriticale is a grain")
    found = f"{server.api}/api/activities/search?term=quadrotriticale"
    wait_for(lambda: len(get(found)) == 1)
    visit(page, server, "search")
    page.get_by_role("searchbox", name="Search for posts").fill("quadrotriticale")
    page.keyboard.press("Enter")
    expect(page.locator(f"[data-id='{uuid}']")).to_be_visible()
    expect(posts(page)).to_have_count(1)


def test_conversation_begins_and_is_continued(page, server):
    sign_in(page, "Alt Brown")
    page.get_by_role("link", name="Messages").click()
    page.get_by_label("Handle of the user to write to").fill("@bayko")
    page.keyboard.press("Enter")
    page.get_by_label("Message to @bayko").fill("First message")
    page.get_by_role("button", name="Send").click()
    log = page.get_by_role("log")
    expect(log).to_contain_text("First message")
    page.get_by_label("Message", exact=True).fill("Second message")
    page.keyboard.press("Control+Enter")
    expect(log.locator("li")).to_have_count(2)
    sign_out(page)
    sign_in(page, "Andrew Bayko")
    visit(page, server, "messages")
    page.locator("main article").filter(has_text="Second message").get_by_role("link").click()
    expect(log.locator("li")).to_have_count(2)
    expect(page.get_by_role("heading", level=1)).to_have_text("Alt Brown")


def test_older_messages_load_once(page, server):
    worf = token(server, "worf")
    for number in range(21):
        get(f"{server.api}/api/messages", worf, {"message": f"Message {number}", "handle": "londo"})
    group = get(f"{server.api}/api/message_groups", worf)[0]["uuid"]
    sign_in(page, "Worf")
    visit(page, server, f"messages/{group}")
    log, older = page.get_by_role("log"), page.get_by_role("button", name="Older messages")
    expect(log.locator("li")).to_have_count(20)
    answer = holding(page, "**/api/messages/*")
    older.click()
    request = answer()
    expect(older).to_have_count(0)
    request.continue_()
    expect(log.locator("li")).to_have_count(21)
    expect(log.locator("li").first).to_be_focused()
    expect(log).to_have_attribute("aria-busy", "false")


def test_late_answer_does_not_leave_the_view(page, server):
    visit(page, server, "sign-in")
    answer = holding(page, "**/local/sign-in")
    page.get_by_role("button", name="Garek").click()
    search = page.get_by_role("navigation").get_by_role("link", name="Search")
    search.click()
    answer().continue_()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Search")
    visit(page, server, "messages/new/worf")
    answer = holding(page, "**/api/messages")
    page.get_by_label("Message to @worf").fill("Sent while leaving")
    page.get_by_role("button", name="Send").click()
    search.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Search")
    answer().continue_()
    expect(done(page, "message")).to_have_class("done")
    expect(page).to_have_url(f"{server.api}/#/search")


def test_notifications_are_counted_and_marked_as_read(page, server):
    create(server, "worf", "A mention of @garek")
    garek = token(server, "garek")
    wait_for(lambda: any(one["kind"] == "mention" for one in get(f"{server.api}/api/activities/notifications", garek)))
    sign_in(page, "Garek")
    link = page.get_by_role("navigation").get_by_role("link", name="Notifications")
    expect(link).to_contain_text(re.compile(r"[1-9]\d* unread"))
    link.click()
    expect(page.locator("article.unread").first).to_be_visible()
    page.get_by_role("button", name="Mark all as read").click()
    expect(page.locator("article.unread")).to_have_count(0)
    expect(link).to_have_text("Notifications")
    page.reload()
    expect(page.locator("main article").first).to_be_visible()
    expect(page.locator("article.unread")).to_have_count(0)


# States


def fail(route):
    headers = {"content-type": "application/problem+json", "x-trace-id": TRACE}
    route.fulfill(status=503, headers=headers, body=json.dumps(PROBLEM))


def reject_token(route):
    route.fulfill(status=401, json={"title": "Unauthorized", "code": "bad_token"})


def test_error_links_to_its_trace_and_can_be_retried(page, server):
    page.route("**/api/activities/home", fail)
    page.reload()
    alert = page.get_by_role("alert")
    expect(alert.get_by_role("heading")).to_have_text("The server is busy")
    expect(alert.get_by_role("link", name="Trace of the failed request")).to_have_attribute(
        "href", f"{server.console}/#/trace/{TRACE}"
    )
    expect(done(page, "page load")).to_have_class("failed")
    page.unroute("**/api/activities/home")
    alert.get_by_role("button", name="Try again").click()
    expect(posts(page).first).to_be_visible()
    expect(alert).to_have_count(0)


def test_unreachable_api_is_reported(page, server):
    page.route("**/api/**", lambda route: route.abort())
    page.reload()
    alert = page.get_by_role("alert")
    expect(alert.get_by_role("heading")).to_have_text("The API does not answer")
    trace, _ = trace_of(page, "page load")
    expect(alert.get_by_role("link", name="Trace of the failed request")).to_have_attribute(
        "href", f"{server.console}/#/trace/{trace}"
    )


def test_rejected_post_keeps_its_text(page):
    sign_in(page)
    area, alert = page.get_by_label("New post"), page.get_by_role("alert")
    page.get_by_role("button", name="Post", exact=True).click()
    expect(alert).to_be_visible()
    expect(area).to_be_focused()
    area.fill("\u2615" * 281)
    expect(page.locator("#new-post-count")).to_have_text("-1 characters left")
    page.get_by_role("button", name="Post", exact=True).click()
    expect(alert.get_by_role("link", name="Trace of the failed request")).to_be_visible()
    expect(area).to_have_value("\u2615" * 281)
    expect(area).to_have_attribute("aria-invalid", "true")


def time_out(route):
    """Passes the request on, and loses the response."""
    route.fetch()
    route.fulfill(status=504, json={"title": "Gateway Timeout", "detail": "Retry."})


def test_retry_after_a_timeout_posts_once(page):
    sign_in(page)
    area, send = page.get_by_label("New post"), page.get_by_role("button", name="Post", exact=True)
    area.fill("Posted once")
    # A rejected retry does not prove that the first request has failed.
    throttle = {"status": 429, "json": {"title": "Too Many Requests", "detail": "Retry."}}
    for answer in [time_out, lambda route: route.fulfill(**throttle)]:
        page.route("**/api/activities", answer, times=1)
        send.click()
        expect(done(page, "post")).to_have_class("failed")
        expect(page.get_by_role("alert")).to_be_visible()
    send.click()
    expect(area).to_have_value("")
    page.reload()
    expect(posts(page).filter(has_text="Posted once")).to_have_count(1)


def test_text_that_is_changed_after_a_timeout_is_sent_on_request(page):
    sign_in(page)
    area, send = page.get_by_label("New post"), page.get_by_role("button", name="Post", exact=True)
    page.route("**/api/activities", time_out, times=1)
    area.fill("Sent, but not answered")
    send.click()
    expect(page.get_by_role("alert")).to_contain_text("Gateway Timeout")
    area.fill("Sent after a change")
    send.click()
    # The API has the first text.
    expect(page.get_by_role("alert")).not_to_contain_text("Gateway Timeout")
    expect(page.get_by_role("alert")).not_to_contain_text("Idempotency")
    expect(area).to_have_value("Sent after a change")
    send.click()
    expect(area).to_have_value("")
    page.reload()
    expect(posts(page).filter(has_text="Sent, but not answered")).to_have_count(1)
    expect(posts(page).filter(has_text="Sent after a change")).to_have_count(1)


def test_text_is_locked_while_it_is_sent(page):
    sign_in(page)
    area, search = page.get_by_label("New post"), page.locator("#to-search")
    post = holding(page, "**/api/activities")
    for focused in [search, area]:
        area.fill("Sent slowly")
        page.keyboard.press("Control+Enter")
        held = post()
        expect(area).not_to_be_editable()
        area.press_sequentially("!")
        focused.focus()
        held.continue_()
        expect(area).to_be_editable()
        expect(area).to_have_value("")
        expect(focused).to_be_focused()
    expect(posts(page).filter(has_text="Sent slowly!")).to_have_count(0)


def test_expired_session_asks_to_sign_in(page, server):
    sign_in(page)
    session = {"token": "expired", "user": {"handle": "worf", "display_name": "Worf"}, "expires_at": 4e12}
    page.evaluate("(session) => localStorage.setItem('cruddur-session', session)", json.dumps(session))
    page.goto(f"{server.api}/#/notifications")
    page.reload()
    expect(page.locator("main").get_by_role("link", name="Sign in")).to_be_visible()
    expect(page.locator("#to-sign-in")).to_be_visible()
    expect(page.locator("#toast")).to_have_text("Your session has expired.")
    page.reload()
    expect(page.locator("#to-sign-in")).to_be_visible()


def test_expired_session_keeps_the_text(page):
    sign_in(page)
    area, alert = page.get_by_label("New post"), page.get_by_role("alert")
    area.fill("Written before the session expired")
    page.route("**/api/activities", reject_token)
    page.get_by_role("button", name="Post", exact=True).click()
    expect(page.locator("#to-sign-in")).to_be_visible()
    expect(area).to_have_value("Written before the session expired")
    page.unroute("**/api/activities")
    with page.expect_popup() as opened:
        alert.get_by_role("link", name="Sign in").click()
    opened.value.get_by_role("button", name="Andrew Brown").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.get_by_role("button", name="Post", exact=True).click()
    expect(posts(page).filter(has_text="Written before the session expired")).to_be_visible()


def test_sign_out_reaches_other_tabs(page, server):
    sign_in(page)
    other = page.context.new_page()
    other.goto(f"{server.api}/#/messages")
    expect(other.get_by_label("Handle of the user to write to")).to_be_visible()
    sign_out(page)
    expect(other.locator("#to-sign-in")).to_be_visible()
    expect(other.get_by_label("Handle of the user to write to")).to_have_count(0)


def test_late_rejection_keeps_the_next_session(page):
    sign_in(page)
    post = holding(page, "**/api/activities")
    page.get_by_label("New post").fill("Rejected after the next sign-in")
    page.get_by_role("button", name="Post", exact=True).click()
    late = post()
    sign_out(page)
    sign_in(page, "Worf")
    reject_token(late)
    expect(done(page, "post")).to_have_class("failed")
    expect(page.locator(".me-name")).to_contain_text("@worf")


def test_views_of_a_user_ask_to_sign_in(page, server):
    for view in ["notifications", "messages", "messages/new/worf"]:
        visit(page, server, view)
        expect(page.locator("main").get_by_role("link", name="Sign in")).to_be_visible()


def test_empty_views_say_so(page, server):
    visit(page, server, "search?q=nothingcontainsthis")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
    page.route("**/api/activities/home", lambda route: route.fulfill(json=[]))
    page.goto(f"{server.api}/#/")
    expect(page.get_by_role("heading", name="No posts")).to_be_visible()
    visit(page, server, "nowhere")
    expect(page.get_by_role("heading", name="This page does not exist")).to_be_visible()


def test_loading_is_announced(page):
    waiting = []

    def hold(route):
        waiting.append(route)

    # The request of the page before the reload may still be pending.
    expect(posts(page).first).to_be_visible()
    page.route("**/api/activities/home", hold)
    page.reload()
    expect(page.get_by_role("status").filter(has_text="Loading")).to_be_attached()
    expect(page.locator(".skeleton").first).to_be_visible()
    for route in waiting:
        route.continue_()
    expect(page.locator(".skeleton")).to_have_count(0)
    expect(posts(page).first).to_be_visible()


# Expiry


def test_post_expires_while_the_page_is_open(chromium, server):
    with context_of(chromium) as open_page:
        page = open_page("about:blank")
        page.clock.install()
        page.goto(server.api)
        sign_in(page)
        write(page, "Gone in an hour", "1-hour")
        post = posts(page).first
        expect(post.locator(".left")).to_contain_text("59 min left")
        page.clock.fast_forward("58:30")
        expect(post.locator(".left")).to_contain_text("1 min left")
        expect(post.locator(".left")).to_have_attribute("data-urgency", "urgent")
        post.get_by_role("button", name="Delete this post").focus()
        page.clock.fast_forward("01:31")
        expect(post).to_have_text("This post has expired.")
        expect(post).to_be_focused()
        expect(page.get_by_text("Gone in an hour")).to_have_count(0)
        expect(posts(page).nth(1).locator(".left")).to_be_visible()


def test_open_thread_expires_with_its_post(chromium, server):
    uuid = create(server, "worf", "A thread for an hour", "1-hour")
    get(f"{server.api}/api/activities/{uuid}/reply", token(server, "garek"), {"message": "A reply for an hour"})
    with context_of(chromium) as open_page:
        page = open_page("about:blank")
        page.clock.install()
        page.goto(server.api)
        sign_in(page)
        visit(page, server, f"post/{uuid}")
        expect(page.get_by_text("A reply for an hour")).to_be_visible()
        page.get_by_label("Reply to Worf").fill("Too late")
        page.clock.fast_forward("01:00:01")
        expect(page.get_by_role("heading", name="This post has expired")).to_be_focused()
        expect(page.locator("#toast")).to_have_text("This post has expired.")
        expect(page.get_by_text("A reply for an hour")).to_have_count(0)
        expect(page.get_by_role("textbox")).to_have_count(0)


def test_post_that_expires_before_its_view_is_reported(page, server):
    uuid = create(server, "worf", "Expires on the way")

    def expire(route):
        response = route.fetch()
        thread = response.json()
        thread["activity"]["expires_at"] = thread["activity"]["created_at"]
        route.fulfill(response=response, json=thread)

    page.route(f"**/api/activities/{uuid}", expire)
    visit(page, server, f"post/{uuid}?reply")
    expect(page.get_by_role("heading", name="This post has expired")).to_be_visible()
    expect(posts(page)).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_expiry_follows_the_clock_of_the_server(chromium, server):
    uuid = create(server, "worf", "An hour by the server's clock", "1-hour")
    with context_of(chromium) as open_page:
        page = open_page("about:blank")
        page.clock.install(time=time.time() + 7200)
        page.goto(server.api)
        expect(page.locator(f"[data-id='{uuid}'] .left")).to_contain_text("59 min left")
        visit(page, server, f"post/{uuid}")
        expect(page.locator(".subject .left")).to_contain_text("59 min left")
        page.clock.fast_forward("01:00:01")
        expect(page.get_by_role("heading", name="This post has expired")).to_be_visible()


def test_notification_expires_with_its_post(chromium, server):
    uuid = create(server, "londo", "A post for an hour", "1-hour")
    get(f"{server.api}/api/activities/{uuid}/reply", token(server, "garek"), {"message": "Seen for an hour"})
    londo = token(server, "londo")
    wait_for(lambda: any(one["kind"] == "reply" for one in get(f"{server.api}/api/activities/notifications", londo)))
    with context_of(chromium) as open_page:
        page = open_page("about:blank")
        page.clock.install()
        page.goto(server.api)
        sign_in(page, "Londo")
        visit(page, server, "notifications")
        row = page.locator("main article").first
        expect(row).to_contain_text("Seen for an hour")
        row.locator(".permalink").focus()
        page.clock.fast_forward("01:00:01")
        expect(page.get_by_text("Seen for an hour")).to_have_count(0)
        expect(row).to_be_focused()
        expect(row.get_by_role("link")).to_have_count(0)


# Mentions


@pytest.mark.parametrize("topic", MENTIONS)
def test_page_links_the_mentions_of_the_api(page, topic):
    cases = MENTIONS[topic]
    for case, (text, links) in zip(cases, page.evaluate(LINKS, [case["text"] for case in cases]), strict=True):
        assert text == case["text"]
        assert all(href == f"#/@{shown[1:]}" and shown[0] in "@\uff20" for href, shown in links), text
        # The API lists a user once, and the page links each mention.
        handles = {}
        for href, _ in links:
            handles.setdefault(href.lower(), href.removeprefix("#/@"))
        assert list(handles.values()) == case["mentions"], text


# Safety


def test_hostile_text_stays_text(page, server):
    worf = token(server, "worf")
    uuid = create(server, "worf", f"{HOSTILE} @andrewbrown")
    get(f"{server.api}/api/activities/{uuid}/reply", worf, {"message": HOSTILE})
    get(f"{server.api}/api/messages", worf, {"message": HOSTILE, "handle": "andrewbrown"})
    get(f"{server.api}/api/profile/update", worf, {"display_name": "<i>Worf</i>", "bio": HOSTILE})
    andrew = token(server, "andrewbrown")
    wait_for(
        lambda: any(
            one["message"].startswith(HOSTILE) for one in get(f"{server.api}/api/activities/notifications", andrew)
        )
    )
    sign_in(page)
    conversation = get(f"{server.api}/api/message_groups", andrew)[0]["uuid"]
    for view in [
        "",
        f"post/{uuid}",
        "@worf",
        "notifications",
        "messages",
        f"messages/{conversation}",
        f"search?q={HOSTILE}",
        f"@{HOSTILE}",
    ]:
        visit(page, server, view)
        expect(
            page.locator("main")
            .get_by_text("<img src=x")
            .or_(page.locator("main input"))
            .or_(page.get_by_role("alert"))
            .first
        ).to_be_visible()
        expect(page.locator("main :is(img, script, b, i:not([class]))")).to_have_count(0)
    get(f"{server.api}/api/profile/update", worf, {"display_name": "Worf", "bio": ""})


def test_security_policy_refuses_foreign_code(server):
    request = urllib.request.Request(server.api, headers={"accept": "text/html"})
    with urllib.request.urlopen(request, timeout=60) as response:
        rules = dict(rule.strip().split(" ", 1) for rule in response.headers["content-security-policy"].split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == rules["frame-ancestors"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"


# Accessibility


def test_everything_works_by_keyboard(chromium, server):
    with context_of(chromium) as open_page:
        page = open_page(server.api)
        expect(posts(page).first).to_be_visible()
        tab_to(page, "#skip")
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        tab_to(page, "main a.button")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Worf")).to_be_visible()
        tab_to(page, "button.user:has(.c4)")
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        tab_to(page, "#new-post")
        page.keyboard.type("Written by keyboard")
        page.keyboard.press("Control+Enter")
        post = posts(page).filter(has_text="Written by keyboard")
        expect(post).to_be_visible()
        tab_to(page, "article .like")
        page.keyboard.press("Space")
        expect(post.get_by_role("button", name="Like")).to_have_attribute("aria-pressed", "true")
        done(page, "like")
        tab_to(page, "#traces a")
        expect(page.locator("#traces a:focus")).to_have_attribute("href", re.compile("/#/trace/[0-9a-f]{32}$"))


@pytest.mark.parametrize(("size", "theme"), [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light"), (PHONE, "dark")])
def test_views_fit_and_have_no_accessibility_violation(chromium, server, size, theme):
    uuid = create(server, "worf", "A mention of @andrewbrown")
    # Without animations, because a message that is fading in has too little contrast.
    with context_of(chromium, size, theme, reduced_motion="reduce") as open_page:
        page = open_page(server.api)
        expect(posts(page).first).to_be_visible()
        assert violations(page) == []
        sign_in(page)
        for view in [*VIEWS, f"post/{uuid}"]:
            visit(page, server, view)
            assert violations(page) == [], view
            assert is_as_wide_as_the_window(page), view


def test_phone_shows_the_last_trace_above_the_navigation(chromium, server):
    with context_of(chromium, PHONE) as open_page:
        page = open_page(server.api)
        sign_in(page)
        done(page, "open home")
        rows = page.locator("#traces li")
        expect(rows.first).to_be_visible()
        expect(rows.nth(1)).to_be_hidden()
        page.get_by_role("button", name="All").click()
        expect(rows.nth(1)).to_be_visible()
        expect(page.get_by_role("navigation").get_by_role("link", name="Profile")).to_be_in_viewport()


def test_theme_is_remembered(page):
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")

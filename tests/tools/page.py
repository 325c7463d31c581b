"""Steps in the browser that the tests of Cruddur's page share."""

import contextlib
import re

from local_server import local_server
from playwright.sync_api import expect
from processes import free_port, wait_for


@contextlib.contextmanager
def server_with_console():
    """Yields a local server whose `console` is the URL of its console."""
    port = free_port()
    with local_server("--console-port", str(port)) as server:
        server.console = f"http://127.0.0.1:{port}"
        yield server


def sign_in(page, name="Andrew Brown"):
    """Signs in as a demo user, on any view."""
    page.get_by_role("link", name="Sign in", exact=True).first.click()
    page.get_by_role("button", name=name).click()
    expect(page.get_by_label("New post")).to_be_visible()
    expect(posts(page).first).to_be_visible()


def sign_out(page):
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in", exact=True).first).to_be_visible()


def write(page, text, ttl="7-days"):
    """Sends a post, and returns it in the list."""
    page.get_by_label("New post").fill(text)
    page.get_by_label("Expires after").select_option(ttl)
    page.get_by_role("button", name="Post", exact=True).click()
    found = posts(page).filter(has_text=text)
    expect(found.first).to_be_visible()
    return found.first


def posts(page):
    return page.locator("main article.post")


def done(page, action):
    """Returns the last action with this name, when it has ended."""
    row = page.locator(f"#traces li[data-action='{action}']").first
    expect(row).not_to_have_class(re.compile("running"))
    return row


def trace_of(page, action):
    """Returns the trace id and the link of the last action with this name."""
    row = done(page, action)
    return row.get_attribute("data-trace"), row.get_by_role("link")


def holding(page, url):
    """Holds requests to `url`, and returns a function that returns the next one."""
    held = []

    def hold(route):
        held.append(route)

    def next_one():
        wait_for(lambda: page.evaluate("1") and held)
        return held.pop(0)

    page.route(url, hold)
    return next_one


def is_as_wide_as_the_window(page):
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def tab_to(page, selector):
    """Presses Tab until an element that matches has the focus."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} gets no focus")

"""Hosts the files of Cruddur's page elsewhere than the API, with the hosted sign-in of a user pool, as docs/deploy.md does."""

import base64
import contextlib
import hashlib
import json
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from console import context_of
from local_server import local_server
from page import done, posts, write
from playwright.sync_api import expect
from processes import http_server

expect.set_options(timeout=60_000)

WEB = Path("crates/local/web")
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
POOL = "https://cruddur.auth.us-east-1.amazoncognito.com"
SCOPE = "aws.cognito.signin.user.admin openid profile"


@contextlib.contextmanager
def static_host(settings):
    """Yields the URL of the page, below a path."""

    def respond(_method, path, _headers, _body):
        name = urlsplit(path).path.removeprefix("/cruddur/") or "index.html"
        if name == "settings.json":
            return 200, {"content-type": "application/json"}, json.dumps(settings).encode()
        file = WEB / name
        if not file.is_file():
            return 404, {}, b""
        return 200, {"content-type": TYPES[file.suffix]}, file.read_bytes()

    with http_server(respond) as url:
        yield f"{url}/cruddur/"


class Pool:
    """The hosted pages of a user pool: signs andrewbrown in without a question."""

    def __init__(self, token):
        self._token = token
        self._challenge = None
        self.state = None
        self.requests = []
        self.traced = []

    def serve(self, page):
        page.route(f"{POOL}/**", self._respond)

    def note(self, request):
        """Notes requests that continue a trace of the page."""
        if "traceparent" in request.headers or "/v1/traces" in request.url:
            self.traced.append(request.url)

    def _respond(self, route):
        url = urlsplit(route.request.url)
        query = {name: of[0] for name, of in parse_qs(url.query).items()}
        self.requests.append((url.path, query))
        if url.path == "/oauth2/authorize":
            self._challenge = query["code_challenge"]
            back = urlencode({"code": "the-code", "state": self.state or query["state"]})
            route.fulfill(status=302, headers={"location": f"{query['redirect_uri']}?{back}"})
        elif url.path == "/oauth2/token":
            body = {name: of[0] for name, of in parse_qs(route.request.post_data).items()}
            digest = hashlib.sha256(body["code_verifier"].encode()).digest()
            assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == self._challenge
            assert (body["grant_type"], body["code"], body["client_id"]) == ("authorization_code", "the-code", "client")
            claims = json.dumps({"preferred_username": "andrewbrown", "name": "Andrew Brown"}).encode()
            id_token = f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.x"
            tokens = {"access_token": self._token, "id_token": id_token, "expires_in": 3600}
            route.fulfill(json=tokens, headers={"access-control-allow-origin": "*"})
        else:
            route.fulfill(status=302, headers={"location": query["logout_uri"]})


@pytest.fixture(name="hosted")
def hosted_page(chromium):
    """A page of another origin than the API, its pool, and its URL."""
    settings = {"traces": None, "sign_in": {"kind": "cognito", "domain": POOL, "client_id": "client"}}
    with static_host(settings) as url:
        origin = url.removesuffix("/cruddur/")
        with local_server("--no-console", "--allow-origin", origin) as server, context_of(chromium) as open_page:
            settings["api"] = f"{server.api}/"
            page = open_page("about:blank")
            pool = Pool(server.token)
            pool.serve(page)
            page.on("request", pool.note)
            page.goto(url)
            expect(posts(page).first).to_be_visible()
            yield page, pool, url


def test_hosted_sign_in_uses_pkce(hosted):
    page, pool, url = hosted
    page.get_by_role("link", name="Sign in", exact=True).first.click()
    page.get_by_role("button", name="Continue to sign in").click()
    expect(page.get_by_label("New post")).to_be_visible()
    authorize = pool.requests[0][1]
    assert (authorize["response_type"], authorize["code_challenge_method"], authorize["redirect_uri"]) == (
        "code",
        "S256",
        url,
    )
    assert (authorize["client_id"], authorize["scope"]) == ("client", SCOPE)
    # The code does not stay in the address.
    assert "code" not in page.url
    post = write(page, "From another origin")
    expect(post).to_contain_text("@andrewbrown")
    expect(done(page, "post").locator("code")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in", exact=True).first).to_be_visible()
    assert pool.requests[-1] == ("/logout", {"client_id": "client", "logout_uri": url})


def test_sign_in_with_a_foreign_state_is_refused(hosted):
    page, pool, _ = hosted
    pool.state = "of-another-page"
    page.get_by_role("link", name="Sign in", exact=True).first.click()
    page.get_by_role("button", name="Continue to sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert [path for path, _ in pool.requests] == ["/oauth2/authorize"]
    assert page.evaluate("localStorage.getItem('cruddur-session')") is None


def test_failed_token_request_is_reported(hosted):
    page, pool, _ = hosted
    page.route(f"{POOL}/oauth2/token", lambda route: route.abort())
    page.get_by_role("link", name="Sign in", exact=True).first.click()
    page.get_by_role("button", name="Continue to sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("button", name="Continue to sign in")).to_be_visible()
    expect(done(page, "page load")).to_have_class("done")
    assert [path for path, _ in pool.requests] == ["/oauth2/authorize"]


def test_page_without_a_receiver_begins_no_trace(hosted):
    page, pool, _ = hosted
    assert done(page, "page load").locator("code").inner_text() != ""
    assert pool.traced == []


def test_error_of_the_gateway_shows_its_trace(hosted):
    page, _, _ = hosted
    problem = {"title": "Gateway Timeout", "detail": "Retry.", "xray_trace_id": "1-6925a400-bd862e3fe1be46a994272793"}
    cors = {"access-control-allow-origin": "*"}
    page.route("**/api/activities/home", lambda route: route.fulfill(status=504, json=problem, headers=cors))
    page.reload()
    expect(page.get_by_role("alert").locator("code")).to_have_text("6925a400bd862e3fe1be46a994272793")
    # Only the gateway knows the trace.
    page.route("**/api/activities/home", lambda route: route.abort())
    page.reload()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("alert").locator("code")).to_have_count(0)


def test_legacy_server_acts_as_its_user(chromium):
    with local_server("--no-console", "--compat", "week2") as server, context_of(chromium) as open_page:
        page = open_page(server.api)
        write(page, "Without sign-in")
        expect(page.get_by_role("button", name="Sign out")).to_have_count(0)

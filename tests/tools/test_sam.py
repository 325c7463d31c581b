"""Runs `make sam-local`, sends it events and requests as a user does, and stops it by Ctrl-C."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
from answers import ANSWERS, HELLO, SHOWN, TRIGGERED, api_events, proxy_response, simplified, trigger_events
from console import api, context_of
from engine import bridge_address, containers
from local_server import access_token, has_demo_data
from page import posts, sign_in, trace_of, write
from playwright.sync_api import expect
from processes import free_port, listens, run, wait_for, wait_until

# Containers are slow to start on a loaded machine.
expect.set_options(timeout=120_000)


@pytest.fixture(scope="module")
def sam_local(engine, built, tmp_path_factory, show_if_failed):
    """The process, the URLs of its API and console, an access token, and a function that returns the output so far."""
    port, local_port, dynamodb_port, console_port = (free_port() for _ in range(4))
    folder = tmp_path_factory.mktemp("sam")
    log_path, local = folder / "log", f"http://127.0.0.1:{local_port}"
    with log_path.open("w") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "tests/tools/sam_local.py",
                built,
                "--data-dir",
                folder / "data",
                "--port",
                str(port),
                "--local-port",
                str(local_port),
                "--dynamodb-port",
                str(dynamodb_port),
                "--console-port",
                str(console_port),
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until("sam_local.py listens", lambda: listens(port), process, log=log_path)
        token = access_token(local)
        wait_until("the demo data is complete", lambda: has_demo_data(local, token), process, log=log_path)
        yield SimpleNamespace(
            process=process,
            api=f"http://127.0.0.1:{port}",
            page=local,
            console=f"http://{bridge_address()}:{console_port}",
            token=token,
            output=log_path.read_text,
        )
    finally:
        show_if_failed(log_path)
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="module")
def runs(sam_local):
    """The finished `sam local invoke` of each API event, by its name."""
    return {name: invoke("ApiFunction", event) for name, event in api_events(sam_local.token)}


def test_sam_local_invoke_answers_api_events(runs):
    assert {name: proxy_response(run.stdout) for name, run in runs.items()} == ANSWERS


def test_sam_local_invoke_shows_the_trace(runs):
    assert "POST /api/activities" in runs["create"].stderr


def test_console_shows_the_trace_of_sam_local_invoke(sam_local, runs):
    assert f"  Traces     {sam_local.console}/\n" in sam_local.output()
    [trace] = json.loads(runs["create"].stdout)["multiValueHeaders"]["x-trace-id"]
    # The export follows the response.
    wait_for(lambda: trace in listed(sam_local.console))
    shown = api(sam_local.console, f"traces/{trace}")
    assert shown["summary"]["route"] == "/api/activities"
    assert shown["summary"]["services"] == ["cruddur-api"]
    assert shown["summary"]["state"] == "complete"
    assert {"otlp"} == {side for span in shown["spans"] for side in span["in"]}
    assert shown["summary"]["cost"]["write_units"] > 0


@pytest.mark.parametrize(("folder", "function"), TRIGGERED.items())
def test_sam_local_invoke_answers_trigger_events(sam_local, folder, function):
    for name, event, answer in trigger_events(folder):
        assert json.loads(invoke(function, event).stdout) == answer, name


def test_sam_local_start_api_answers_requests(sam_local, runs):
    created = json.loads(json.loads(runs["create"].stdout)["body"])["uuid"]
    for method, path, expected in [
        ("GET", "/api/health-check", ANSWERS["health_check"]),
        ("GET", "/api/activities/home", ANSWERS["home_stage_in_path"]),
        ("GET", "/api/activities/home?limit=1", (200, [HELLO])),
        ("GET", f"/api/activities/{created}", SHOWN),
        ("POST", "/api/activities", ANSWERS["create_anonymous"]),
        ("DELETE", "/api/activities/home", (405, "method_not_allowed")),
        # API Gateway's own answer.
        ("GET", "/api/nothing-here", (403, {"message": "Missing Authentication Token"})),
    ]:
        status, headers, body = request(sam_local.api, method, path)
        assert simplified(status, headers.get_content_type(), body) == expected, f"{method} {path}"


def test_local_user_posts_and_sees_the_trace(sam_local):
    status, headers, created = request(sam_local.api, "POST", "/api/activities", sam_local.token)
    assert (status, created["handle"]) == (200, "andrewbrown")
    _, _, home = request(sam_local.api, "GET", "/api/activities/home?limit=1")
    assert [post["uuid"] for post in home] == [created["uuid"]]
    wait_for(lambda: headers["x-trace-id"] in sam_local.output())
    assert headers["x-trace-id"] in sam_local.output()


def test_page_posts_through_the_functions(sam_local, chromium):
    # Waits until the container runs: a new network interface makes Chromium cancel its requests.
    request(sam_local.api, "GET", "/api/health-check")
    with context_of(chromium) as open_page:
        page = open_page(sam_local.page)
        sign_in(page)
        write(page, "Through sam local")
        trace, link = trace_of(page, "post")
        assert link.get_attribute("href") == f"{sam_local.console}/#/trace/{trace}"
        page.reload()
        expect(posts(page).filter(has_text="Through sam local")).to_be_visible()
    # The spans of the page and of the function are one trace.
    wait_for(lambda: services(sam_local.console, trace) == {"cruddur-api", "cruddur-web"})
    assert services(sam_local.console, trace) == {"cruddur-api", "cruddur-web"}


def test_ctrl_c_stops_sam_local_and_its_containers(sam_local, built):
    sam_local.process.send_signal(signal.SIGINT)
    assert sam_local.process.wait(timeout=120) == 0
    assert containers(built) == []


def listed(console):
    """Returns the ids of the newest traces."""
    return [trace["id"] for trace in api(console, "traces?limit=1000")["traces"]]


def services(console, trace):
    return {
        name
        for found in api(console, "traces?limit=1000")["traces"]
        if found["id"] == trace
        for name in found["services"]
    }


def invoke(function, event):
    return run("sam local invoke --event -", function, input=event)


def request(api, method, path, token=None):
    """Returns status, headers and body of the response."""
    body = b'{"message":"Hello","ttl":"1-day"}' if method == "POST" else None
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        sent = urllib.request.Request(api + path, body, headers, method=method)
        with urllib.request.urlopen(sent, timeout=120) as response:
            return response.status, response.headers, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.load(error)

#!/usr/bin/env python3
"""Does what a user does with `make sam-local`: starts it, sends every event of events by `sam local invoke`, asks the
routes by `sam local start-api`, signs in and posts, looks at the traces, and presses Ctrl-C.

usage: sam.py FOLDER_OF_BUILT_TEMPLATE
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from answers import (
    ANSWERS, HELLO, METHOD_NOT_ALLOWED, SHOWN, TRIGGERED, Report, events, masked, of_proxy_response, triggered)
from engine import containers, docker_engine
from local import access_token, get
from ports import free_port
from sam_local import READY
from waiting import wait_for, wait_until


def main(built):
    report = Report()
    # One engine for all of it, so that it can be asked afterwards what was left.
    with docker_engine():
        with sam_local(built) as (process, api, local, terminal):
            token = access_token(local)
            # What follows from the demo data is done by then: a reply to andrewbrown's post and five likes.
            wait_until("andrewbrown is told of the demo data",
                       lambda: len(get(f"{local}/api/activities/notifications", token)) == 6, process, seconds=30)
            created = invoke_events(report, token)
            ask_routes(report, api, created)
            post(report, api, token, terminal)
            process.send_signal(signal.SIGINT)
            report.compare("Ctrl-C ends it", (0, True), (process.wait(timeout=60), "Ended." in terminal()))
            report.compare("no container is left", [], containers(Path(built)))
    report.end()


@contextlib.contextmanager
def sam_local(built):
    """Yields the process of `make sam-local`, the URLs of its API and of the local server, and what gives what its
    terminal shows."""
    port, local_port, dynamodb_port = free_port(), free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="cruddur-sam-") as folder:
        log_path = Path(folder, "log")
        with log_path.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "tests/tools/sam_local.py", built, "--data-dir", f"{folder}/data", "--port", str(port),
                 "--local-port", str(local_port), "--dynamodb-port", str(dynamodb_port)],
                stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until("sam_local.py is ready", lambda: READY in log_path.read_text(), process, seconds=120,
                       log=log_path)
            yield process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{local_port}", log_path.read_text
        except BaseException:
            print(log_path.read_text())
            raise
        finally:
            process.terminate()
            process.wait(timeout=60)


def invoke_events(report, token):
    """Returns the id of the post that was made."""
    created = None
    for name, event in events(token):
        run = invoke("ApiFunction", event)
        if not report.compare(f"sam local invoke, {name}", ANSWERS[name], of_proxy_response(run.stdout)):
            print(run.stderr)
        elif name == "create":
            created = json.loads(json.loads(run.stdout)["body"])["uuid"]
            drawn = [line.split()[:2] for line in run.stderr.splitlines() if line.startswith("POST ")]
            report.compare("sam local invoke draws the trace", [["POST", "/api/activities"]], drawn)
    for folder, function in TRIGGERED.items():
        for name, event, answer in triggered(folder):
            run = invoke(function, event)
            if not report.compare(f"sam local invoke {function}, {name}", answer, json.loads(run.stdout or "null")):
                print(run.stderr)
    return created


def invoke(function, event):
    return subprocess.run(["sam", "local", "invoke", function, "--event", "-"],
                          input=event, capture_output=True, text=True)


def ask_routes(report, api, created):
    # Without a token nobody is signed in, here as in the cloud.
    _, _, unauthenticated = ANSWERS["create_anonymous"]
    # What API Gateway itself says where the template has no route.
    no_route = 403, {"message": "Missing Authentication Token"}
    for method, path, expected in [
        ("GET", "/api/health-check", (200, ANSWERS["health_check"][2])),
        ("GET", "/api/activities/home", (200, ANSWERS["home_stage_in_path"][2])),
        ("GET", "/api/activities/home?limit=1", (200, [HELLO])),
        ("GET", f"/api/activities/{created}", (200, SHOWN[2])),
        ("POST", "/api/activities", (401, unauthenticated)),
        ("DELETE", "/api/activities/home", (405, METHOD_NOT_ALLOWED)),
        ("GET", "/api/nothing-here", no_route),
    ]:
        status, _, answer = ask(api, method, path)
        report.compare(f"sam local start-api, {method} {path}", expected, (status, masked(answer)))


def post(report, api, token, terminal):
    """By whom the local user pool has signed in."""
    status, headers, created = ask(api, "POST", "/api/activities", token)
    report.compare("a post by a token of the local user pool", (200, "andrewbrown"), (status, created.get("handle")))
    _, _, home = ask(api, "GET", "/api/activities/home?limit=1")
    report.compare("it is on home", [created.get("uuid")], [one["uuid"] for one in home if isinstance(one, dict)])
    trace = f"trace {headers['x-trace-id']}\nPOST /api/activities "
    wait_for(lambda: trace in terminal())
    report.compare("its trace is on the terminal", True, trace in terminal())


def ask(api, method, path, token=None):
    """Status, headers and body."""
    request = urllib.request.Request(
        api + path, method=method, data=b'{"message":"Hello","ttl":"1-day"}' if method == "POST" else None,
        headers={"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {}))
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.headers, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.load(error)


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main(*sys.argv[1:])

#!/usr/bin/env python3
"""Sends every event of events to the built template's functions by `sam local invoke`, and asks every route of it by
`sam local start-api`.

usage: sam.py FOLDER_OF_BUILT_TEMPLATE
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from answers import (
    ANSWERS, HELLO, METHOD_NOT_ALLOWED, SHOWN, TRIGGERED, Report, events, masked, of_proxy_response, triggered)
from engine import base_image, bridge_address, docker_engine, remove_containers
from local import KEY_SET_PATH, SETTINGS, local_aws
from rie import free_port
from waiting import wait_until


def main(built):
    report = Report()
    with docker_engine(), base_image(), local_aws(bridge=bridge_address()) as (aws_port, token), \
            tempfile.NamedTemporaryFile("w", suffix=".json") as env_vars:
        # What env.local.json says, with the port that is used here.
        variables = json.loads(Path("env.local.json").read_text())
        assert variables["ApiFunction"].items() > SETTINGS.items(), variables
        for function in variables.values():
            function["AWS_ENDPOINT_URL"] = f"http://host.docker.internal:{aws_port}"
        variables["ApiFunction"]["JWKS_URL"] = f"http://host.docker.internal:{aws_port}{KEY_SET_PATH}"
        json.dump(variables, env_vars)
        env_vars.flush()
        arguments = ["--template-file", f"{built}/template.yaml", "--config-file", Path("samconfig.toml").absolute(),
                     "--parameter-overrides", "Architecture=x86_64", "--env-vars", env_vars.name, "--skip-pull-image"]
        created = invoke_events(report, arguments, token)
        ask_routes(report, arguments, created)
    report.end()


def invoke_events(report, arguments, token):
    """Returns the id of the post that was made."""
    created = None
    for name, event in events(token):
        run = subprocess.run(["sam", "local", "invoke", "ApiFunction", "--event", "-", *arguments],
                             input=event, capture_output=True, text=True)
        if not report.compare(f"sam local invoke, {name}", ANSWERS[name], of_proxy_response(run.stdout)):
            print(run.stderr)
        elif name == "create":
            created = json.loads(json.loads(run.stdout)["body"])["uuid"]
    for folder, function in TRIGGERED.items():
        for name, event, answer in triggered(folder):
            run = subprocess.run(["sam", "local", "invoke", function, "--event", "-", *arguments],
                                 input=event, capture_output=True, text=True)
            if not report.compare(f"sam local invoke {function}, {name}", answer, json.loads(run.stdout or "null")):
                print(run.stderr)
    return created


def ask_routes(report, arguments, created):
    # Without a token nobody is signed in, here as in the cloud.
    _, _, unauthenticated = ANSWERS["create_anonymous"]
    # What API Gateway itself says where the template has no route.
    no_route = 403, {"message": "Missing Authentication Token"}
    with api_gateway(arguments) as ask:
        for method, path, expected in [
            ("GET", "/api/health-check", (200, ANSWERS["health_check"][2])),
            ("GET", "/api/activities/home", (200, ANSWERS["home_stage_in_path"][2])),
            ("GET", "/api/activities/home?limit=1", (200, [HELLO])),
            ("GET", f"/api/activities/{created}", (200, SHOWN[2])),
            ("POST", "/api/activities", (401, unauthenticated)),
            ("DELETE", "/api/activities/home", (405, METHOD_NOT_ALLOWED)),
            ("GET", "/api/nothing-here", no_route),
        ]:
            report.compare(f"sam local start-api, {method} {path}", expected, ask(method, path))


@contextlib.contextmanager
def api_gateway(arguments):
    """Yields a function that sends one request to `sam local start-api` and returns its status and masked body."""
    port = free_port()

    def listens():
        with contextlib.closing(socket.socket()) as connection:
            return connection.connect_ex(("127.0.0.1", port)) == 0

    def ask(method, path):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}", method=method, headers={"Content-Type": "application/json"},
            data=b'{"message":"Hello","ttl":"1-day"}' if method == "POST" else None)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, masked(json.load(response))
        except urllib.error.HTTPError as error:
            return error.code, masked(json.load(error))

    with tempfile.TemporaryDirectory(prefix="cruddur-sam-") as folder:
        log_path = Path(folder, "log")
        with log_path.open("w") as log:
            process = subprocess.Popen(
                ["sam", "local", "start-api", "--port", str(port), *arguments], stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until("sam local start-api listens", listens, process, seconds=120, log=log_path)
            yield ask
        except Exception:
            print(log_path.read_text())
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
            remove_containers()


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main(*sys.argv[1:])

#!/usr/bin/env python3
"""Runs the functions as they are deployed under AWS's Runtime Interface Emulator, without Docker, and sends each all
of its events. The emulator tells them no trace id, and where it says the X-Ray daemon is, there is none.

usage: rie.py API SIGNUP STREAM    (the paths of the three binaries)
"""

import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from answers import ANSWERS, SHOWN, TRIGGERED, Report, events, of_proxy_response, showing, triggered
from local import KEY_SET_PATH, SETTINGS, local_aws
from ports import free_port, listens
from waiting import wait_until


def main(api, *others):
    report = Report()
    with local_aws() as (aws_port, token):
        aws = f"http://127.0.0.1:{aws_port}"
        with emulator("ApiFunction", api, aws) as (invoke, log):
            for name, event in events(token):
                answer = invoke(event)
                if report.compare(name, ANSWERS[name], of_proxy_response(answer)) and name == "create":
                    created = json.loads(json.loads(answer)["body"])["uuid"]
                    report.compare("show the created post", SHOWN, of_proxy_response(invoke(showing(created))))
            if report.failed:
                print(log.read_text())
        for (folder, function), bootstrap in zip(TRIGGERED.items(), others, strict=True):
            with emulator(function, bootstrap, aws) as (invoke, log):
                for name, event, answer in triggered(folder):
                    if not report.compare(f"{folder}, {name}", answer, json.loads(invoke(event))):
                        print(log.read_text())
        with emulator("ApiFunction", api, aws, TABLE_NAME="") as (invoke, log):
            report.compare("a function that cannot start says so", "Function.CannotStart", json.loads(invoke("{}"))["errorType"])
            report.compare("and its log which setting is wrong", True, "TABLE_NAME: missing, set it to" in log.read_text())
    report.end()


@contextlib.contextmanager
def emulator(function, bootstrap, aws_endpoint, **settings):
    """Yields a function that sends one event and returns the answer, and the path of the function's log.

    The emulator bears no two events at a time.
    """
    port, runtime_port = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "10",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_ENDPOINT_URL": aws_endpoint,
        "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{free_port()}",
        "JWKS_URL": aws_endpoint + KEY_SET_PATH,
        **SETTINGS,
        **settings,
    }

    def invoke(event):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations", data=event.encode())
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError as error:
            raise SystemExit(f"The emulator gave no answer ({error}):\n{log_path.read_text()}") from error

    with tempfile.TemporaryDirectory(prefix="cruddur-rie-") as folder:
        log_path = Path(folder, "log")
        with log_path.open("w") as log:
            process = subprocess.Popen(
                [emulator_path(), "--runtime-interface-emulator-address", f"127.0.0.1:{port}",
                 "--runtime-api-address", f"127.0.0.1:{runtime_port}", bootstrap],
                env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until("the emulator listens", lambda: listens(port), process, seconds=10, log=log_path)
            yield invoke, log_path
        finally:
            process.terminate()
            process.wait(timeout=30)


def emulator_path():
    """AWS's own binary, which the SAM CLI brings with it."""
    machine = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
    (path,) = Path(".tools/python/lib").glob(f"python3.*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}")
    return path


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main(*sys.argv[1:])

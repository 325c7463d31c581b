#!/usr/bin/env python3
"""Sends the functions at `cargo lambda watch` each all of its events, by `cargo lambda invoke`: every invocation's
deadline has passed long ago, its trace id is made up, and where the X-Ray daemon is said to be, there is none. Nothing
of that may be an error.

The functions are those of `cargo test`: what `watch` itself would build has other features, and takes minutes.

usage: watch.py
"""

import contextlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

from answers import ANSWERS, TRIGGERED, Report, events, of_proxy_response, triggered
from local import KEY_SET_PATH, SETTINGS, local_aws
from ports import free_port, listens
from waiting import wait_until

BUILT = Path("target/debug")


def main():
    report = Report()
    with local_aws() as (aws_port, token), watch(f"http://127.0.0.1:{aws_port}") as (invoke, log):
        for name, event in events(token):
            report.compare(f"cargo lambda invoke api, {name}", ANSWERS[name], of_proxy_response(invoke("api", event)))
        for function in TRIGGERED:
            for name, event, answer in triggered(function):
                report.compare(f"cargo lambda invoke {function}, {name}", answer, parsed(invoke(function, event)))
        lines = [parsed(line) for line in log().splitlines()]
        said = [(line["level"], line["message"]) for line in lines if isinstance(line, dict)]
        # They are what bad_record.json is for.
        report.compare("the log has no other error", [
            "the stream record is invalid", "a dead letter: there is no queue for it, DEAD_LETTERS_URL is not set",
        ], [message for level, message in said if level == "ERROR"])
        report.compare("each function says once that there is no daemon", 3,
                       sum("cannot be sent to the X-Ray daemon" in message for _, message in said))
        if report.failed:
            print(log())
    report.end()


@contextlib.contextmanager
def watch(aws_endpoint):
    """Yields a function that sends a function an event and returns the answer, and what gives the log."""
    port = free_port()
    environment = {
        **os.environ, **SETTINGS, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local", "AWS_ENDPOINT_URL": aws_endpoint, "JWKS_URL": aws_endpoint + KEY_SET_PATH,
        "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{free_port()}"}
    address = ["--invoke-address", "127.0.0.1", "--invoke-port", str(port)]

    with tempfile.TemporaryDirectory(prefix="cruddur-watch-") as folder:
        event_path, log_path = Path(folder, "event.json"), Path(folder, "log")

        def invoke(function, event):
            event_path.write_text(event)
            run = subprocess.run(["cargo", "lambda", "invoke", function, *address, "--data-file", event_path],
                                 capture_output=True, text=True)
            return run.stdout if run.returncode == 0 else run.stderr

        with log_path.open("w") as log:
            processes = [subprocess.Popen(["cargo-lambda", "lambda", "watch", *address, "--only-lambda-apis"],
                                          env=environment, stdout=log, stderr=subprocess.STDOUT)]
            try:
                wait_until("cargo lambda watch listens", lambda: listens(port), processes[0], seconds=30, log=log_path)
                # As it would start them.
                for function in ["api", *TRIGGERED]:
                    lambdas = {"AWS_LAMBDA_RUNTIME_API": f"http://127.0.0.1:{port}/.rt/{function}",
                               "AWS_LAMBDA_FUNCTION_NAME": function, "AWS_LAMBDA_FUNCTION_VERSION": "1",
                               "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "4096"}
                    processes.append(subprocess.Popen([BUILT / function], env={**environment, **lambdas}, stdout=log,
                                                      stderr=subprocess.STDOUT))
                yield invoke, log_path.read_text
            finally:
                for process in reversed(processes):
                    process.terminate()
                    process.wait(timeout=30)


def parsed(text):
    """As JSON; what is none, as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()

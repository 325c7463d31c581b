"""Sends the functions their events by `cargo lambda invoke`, at `cargo lambda watch`.

The deadline of each invocation is long past, its trace id is invented, and no X-Ray daemon listens. None of this may
be an error. The functions are those of `cargo test`: `watch` would build them with other features, which takes minutes.
"""

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from answers import ANSWERS, TRIGGERED, api_events, proxy_response, trigger_events
from local_server import PROGRAM, function_environment, local_server
from processes import free_port, listens, run, wait_until


@pytest.fixture(scope="module")
def server():
    with local_server() as running:
        yield running


@pytest.fixture(scope="module")
def watch(server, tmp_path_factory, show_if_failed):
    """A function that sends an event and returns the response, and the path of the log of all functions."""
    port, folder = free_port(), tmp_path_factory.mktemp("watch")
    address = ["--invoke-address", "127.0.0.1", "--invoke-port", str(port)]
    event_path, log_path = folder / "event.json", folder / "log"
    environment = {**os.environ, **function_environment(server.aws)}

    def invoke(function, event):
        event_path.write_text(event)
        done = run("cargo lambda invoke", function, *address, "--data-file", event_path)
        return done.stdout if done.returncode == 0 else done.stderr

    with contextlib.ExitStack() as stack:
        log = stack.enter_context(log_path.open("w"))

        def start(command, **variables):
            process = subprocess.Popen(command, env={**environment, **variables}, stdout=log, stderr=subprocess.STDOUT)
            stack.callback(process.wait, timeout=60)
            stack.callback(process.terminate)
            return process

        process = start(["cargo-lambda", "lambda", "watch", *address, "--only-lambda-apis"])
        wait_until("cargo lambda watch listens", lambda: listens(port), process, log=log_path)
        for function in ["api", *TRIGGERED]:
            start(
                Path(PROGRAM.parent, function),
                AWS_LAMBDA_RUNTIME_API=f"http://127.0.0.1:{port}/.rt/{function}",
                AWS_LAMBDA_FUNCTION_NAME=function,
                AWS_LAMBDA_FUNCTION_VERSION="1",
                AWS_LAMBDA_FUNCTION_MEMORY_SIZE="4096",
            )
        stack.callback(show_if_failed, log_path)
        yield invoke, log_path


def test_functions_answer_their_events(server, watch):
    invoke, log = watch
    found = {name: proxy_response(invoke("api", event)) for name, event in api_events(server.token)}
    assert found == ANSWERS
    for function in TRIGGERED:
        for name, event, answer in trigger_events(function):
            assert json.loads(invoke(function, event)) == answer, name
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    errors = [line["fields"]["app.sequence_number"] for line in lines if line["level"] == "ERROR"]
    assert set(errors) == {sequence_number_of_bad_record()}
    # Each function logs once that no daemon listens.
    assert [line["level"] for line in lines if "address" in line["fields"]] == ["WARN"] * 3


def sequence_number_of_bad_record():
    answers = {name: answer for name, _, answer in trigger_events("stream")}
    return answers["bad_record"]["batchItemFailures"][0]["itemIdentifier"]

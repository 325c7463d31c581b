"""Compares the local server with docs/openapi.json by Schemathesis.

The seed and the number of requests are fixed, so failures are reproducible.
"""

import os
from pathlib import Path

from local_server import local_server
from processes import run

SEED = "20261122"


def test_signed_in_requests_follow_the_description(tmp_path):
    with local_server() as server:
        fuzz(server.api, tmp_path, "--header", f"Authorization: Bearer {server.token}", "--max-examples", "15")


def test_anonymous_requests_follow_the_description(tmp_path):
    with local_server() as server:
        fuzz(server.api, tmp_path, "--phases", "examples,coverage,fuzzing", "--max-examples", "5")


def fuzz(api, folder, *options):
    """Runs in an empty folder, since Schemathesis stores examples in the current one."""
    root, tools = Path.cwd(), Path(__file__).parent
    done = run(
        f"schemathesis --config-file {tools}/schemathesis.toml run {root}/docs/openapi.json --url {api}",
        *f"--seed {SEED} --no-shrink --continue-on-failure".split(),
        *options,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(tools)},
    )
    assert done.returncode == 0, done.stdout

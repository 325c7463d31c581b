#!/usr/bin/env python3
"""Sends the local server what its description allows and what it forbids, by Schemathesis: signed in, then not.

The seed is fixed, and so is the number of requests: what fails here fails again.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from local import local_server

SEED = "20261122"


def main():
    with local_server() as (api, _, token):
        signed_in = fuzz(api, "--header", f"Authorization: Bearer {token}", "--max-examples", "15")
    with local_server() as (api, _, _):
        anonymous = fuzz(api, "--phases", "examples,coverage,fuzzing", "--max-examples", "5")
    raise SystemExit(signed_in or anonymous)


def fuzz(api, *options):
    """What one run remembers, the next must not know: it runs in a folder of its own."""
    root, tools = Path.cwd(), Path(__file__).parent.absolute()
    with tempfile.TemporaryDirectory(prefix="cruddur-contract-") as folder:
        return subprocess.run(
            [root / ".tools/python/bin/schemathesis", "--config-file", tools / "schemathesis.toml",
             "run", root / "docs/openapi.json", "--url", api, "--seed", SEED, "--no-shrink", "--continue-on-failure",
             *options], cwd=folder, env={**os.environ, "PYTHONPATH": str(tools)}).returncode


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()

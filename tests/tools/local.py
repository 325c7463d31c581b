"""The local server, for its DynamoDB and its Secrets Manager, on free ports and with new data."""

import contextlib
import re
import subprocess
import tempfile
from pathlib import Path

from waiting import wait_until

SETTINGS = {"TABLE_NAME": "cruddur", "SECRET_ARN": "local"}


@contextlib.contextmanager
def local_aws(bridge=None):
    """Yields the port that DynamoDB and Secrets Manager answer on: on loopback, and on `bridge` if it is given."""
    with tempfile.TemporaryDirectory(prefix="cruddur-data-") as folder:
        output = Path(folder, "output")
        with output.open("w") as out:
            server = subprocess.Popen(
                ["target/debug/local", "--port", "0", "--dynamodb-port", "0", "--data-dir", f"{folder}/data",
                 *(["--bridge", bridge] if bridge else [])],
                stdout=out, stderr=subprocess.STDOUT)
        try:
            wait_until("the local server is ready", lambda: "Ctrl-C ends it" in output.read_text(), server,
                       seconds=30, log=output)
            yield int(re.search(r"DynamoDB +http://127\.0\.0\.1:(\d+)", output.read_text())[1])
        finally:
            server.terminate()
            server.wait(timeout=30)

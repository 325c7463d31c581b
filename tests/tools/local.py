"""The local server, for its DynamoDB and its Secrets Manager, on free ports and with new data."""

import contextlib
import json
import re
import subprocess
import tempfile
import urllib.request
from pathlib import Path

from waiting import wait_until

SETTINGS = {"TABLE_NAME": "cruddur", "SECRET_ARN": "local",
            "COGNITO_USER_POOL_ID": "us-east-1_local", "COGNITO_CLIENT_ID": "local"}
KEY_SET_PATH = "/us-east-1_local/.well-known/jwks.json"


@contextlib.contextmanager
def local_aws(bridge=None):
    """Yields the port that DynamoDB, Secrets Manager and the user pool's key set answer on (on loopback, and on
    `bridge` if it is given), and an access token of andrewbrown."""
    with local_server(bridge) as (_, aws_port, token):
        yield aws_port, token


@contextlib.contextmanager
def local_server(bridge=None):
    """Yields the API's URL too, before the two of `local_aws`."""
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
            banner = output.read_text()
            api = re.search(r"API +(http://127\.0\.0\.1:\d+)", banner)[1]
            token = access_token(api)
            # What follows from the demo data is done by then: a reply to andrewbrown's post and five likes.
            wait_until("andrewbrown is told of the demo data",
                       lambda: len(get(f"{api}/api/activities/notifications", token)) == 6,
                       server, seconds=30, log=output)
            yield api, int(re.search(r"DynamoDB +http://127\.0\.0\.1:(\d+)", banner)[1]), token
        finally:
            server.terminate()
            server.wait(timeout=30)


def get(url, token):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def access_token(api):
    request = urllib.request.Request(f"{api}/local/sign-in", data=b'{"handle":"andrewbrown"}',
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)["access_token"]

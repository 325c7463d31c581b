"""The local server with new data on free ports: the API, DynamoDB, Secrets Manager and the user pool."""

import contextlib
import json
import os
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from types import SimpleNamespace

from processes import free_port, wait_until

PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", "target"), "debug/cruddur-local")
CONSOLE = PROGRAM.with_name("lambda-console")
SETTINGS = {
    "TABLE_NAME": "cruddur",
    "SECRET_ARN": "local",
    "COGNITO_USER_POOL_ID": "us-east-1_local",
    "COGNITO_CLIENT_ID": "local",
    "ALLOWED_ORIGINS": "http://localhost:3000",
    "BROWSER_TRACES": "on",
}


@contextlib.contextmanager
def local_server(*options, **variables):
    """Yields the URLs of the API and of the AWS services, `api` and `aws`, and an access token, `token`.

    It has no console unless there are `options`. `printed` and `lines` return what it has written to standard output
    and to standard error.
    """
    with tempfile.TemporaryDirectory(prefix="cruddur-data-") as folder:
        port, aws_port = free_port(), free_port()
        output, errors = Path(folder, "output"), Path(folder, "errors")
        addresses = ["--port", str(port), "--dynamodb-port", str(aws_port), "--data-dir", f"{folder}/data"]
        command = [PROGRAM, *addresses, *(options or ["--no-console"])]
        with output.open("w") as out, errors.open("w") as err:
            process = subprocess.Popen(command, env=os.environ | variables, stdout=out, stderr=err)
        api = f"http://127.0.0.1:{port}"
        try:
            wait_until("the local server is healthy", lambda: is_healthy(api), process, log=errors)
            token = access_token(api)
            wait_until("the demo data is complete", lambda: has_demo_data(api, token), process, log=errors)
            yield SimpleNamespace(
                api=api,
                aws=f"http://127.0.0.1:{aws_port}",
                token=token,
                printed=output.read_text,
                lines=lambda: errors.read_text().splitlines(),
                process=process,
            )
        finally:
            process.terminate()
            process.wait(timeout=60)


def function_environment(aws):
    """Returns the variables of a function that uses the local server at `aws`."""
    return {
        **SETTINGS,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_ENDPOINT_URL": aws,
        "JWKS_URL": f"{aws}/us-east-1_local/.well-known/jwks.json",
        # No X-Ray daemon listens there.
        "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{free_port()}",
    }


def is_healthy(api):
    try:
        return get(f"{api}/api/health-check")["success"]
    except OSError:
        return False


def has_demo_data(api, token):
    """Returns whether the stream consumer has written andrewbrown's notifications: of one reply and five likes."""
    return len(get(f"{api}/api/activities/notifications", token)) == 6


def access_token(api):
    return get(f"{api}/local/sign-in", data={"handle": "andrewbrown"})["access_token"]


def get(url, token=None, data=None):
    """Returns the body of the response to a GET, or to a POST of `data`."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, data and json.dumps(data).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)

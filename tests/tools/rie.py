"""AWS's Runtime Interface Emulator, which runs a function without Docker."""

import contextlib
import os
import platform
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from local_server import function_environment
from processes import free_port, listens, wait_until


@contextlib.contextmanager
def emulator(bootstrap, aws, **settings):
    """Yields a function that sends one event and returns the response, and the path of the log.

    The emulator processes one event at a time.
    """
    port, runtime_port = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_FUNCTION_NAME": bootstrap.parent.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        **function_environment(aws),
        **settings,
    }

    def invoke(event):
        url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
        try:
            with urllib.request.urlopen(url, event.encode(), timeout=120) as response:
                return response.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()

    with tempfile.TemporaryDirectory(prefix="cruddur-rie-") as folder:
        log_path = Path(folder, "log")
        with log_path.open("w") as log:
            process = subprocess.Popen(
                [
                    emulator_path(),
                    "--runtime-interface-emulator-address",
                    f"127.0.0.1:{port}",
                    "--runtime-api-address",
                    f"127.0.0.1:{runtime_port}",
                    bootstrap,
                ],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until("the emulator listens", lambda: listens(port), process, log=log_path)
            yield invoke, log_path
        except BaseException:
            print(log_path.read_text())
            raise
        finally:
            process.terminate()
            process.wait(timeout=60)


def emulator_path():
    """Returns the path of AWS's binary, which is part of the SAM CLI."""
    machine = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
    (path,) = Path(".tools/python/lib").glob(f"python3.*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}")
    return path

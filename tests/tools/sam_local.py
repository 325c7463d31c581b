"""Runs the built functions in Lambda's image behind `sam local start-api`, until Ctrl-C.

The page of the local server calls this API. The functions use the DynamoDB and the user pool of the local server, and
send their traces to a console on Docker's bridge. While this command runs, `sam local invoke` works in another
terminal without options.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import urllib.request
from pathlib import Path

from engine import base_image, bridge_address, docker_engine, remove_containers
from local_server import CONSOLE, PROGRAM, is_healthy
from processes import listens, wait_until
from samcli.yamlhelper import yaml_dump, yaml_parse

# samconfig.toml names this folder to `sam local`.
FOLDER = Path(".aws-sam/local")
TEXT = """
Cruddur runs in Lambda's image. The users are andrewbrown, altbrown, bayko, londo, worf and garek.

  Page       http://127.0.0.1:{local_port}
  API        http://127.0.0.1:{port}
  Traces     {console}/
  Sign-in    http://127.0.0.1:{local_port}/local/sign-in
  DynamoDB   http://127.0.0.1:{dynamodb_port} (data in {data_dir})

Try in another terminal:
  curl http://127.0.0.1:{port}/api/activities/home
  TOKEN=$(curl -s http://127.0.0.1:{local_port}/local/sign-in -H 'Content-Type: application/json' \\
    -d '{{"handle":"andrewbrown"}}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
  curl http://127.0.0.1:{port}/api/activities -H "Authorization: Bearer $TOKEN" \\
    -H 'Content-Type: application/json' -d '{{"message":"Hello","ttl":"1-day"}}'
  .tools/python/bin/sam local invoke ApiFunction -e events/api/home.json

The trace of each request appears in the console and here. Press Ctrl-C to stop.
"""


def main():
    options = arguments()
    # Clean up after `kill` too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), docker_engine(), base_image():
        bridge = bridge_address()
        with console(bridge, options.console_port) as url, local_server(options, bridge, url):
            configure(options, {8000: options.dynamodb_port, 4318: url.rpartition(":")[2]})
            run_api(options, url)


def run_api(options, url):
    with start_api(options) as sam:
        print(TEXT.format(console=url, **vars(options)), flush=True)
        raise SystemExit(f"sam local start-api ended with {sam.wait()}.")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("built", type=Path, metavar="FOLDER_OF_BUILT_TEMPLATE")
    parser.add_argument("--port", type=int, default=3001)
    parser.add_argument("--local-port", type=int, default=3000)
    parser.add_argument("--dynamodb-port", type=int, default=8000)
    parser.add_argument("--console-port", type=int, default=4318)
    parser.add_argument("--data-dir", default=".data")
    return parser.parse_args()


def configure(options, ports):
    """Writes the built template, with the architecture of the build, and the variables of the functions.

    `ports` replaces the ports in the file of variables.
    """
    built, page = options.built, options.local_port
    template = yaml_parse((built / "template.yaml").read_text())
    template["Parameters"]["Architecture"]["Default"] = built.name
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = str((built / resource["Properties"]["CodeUri"]).absolute())
    template["Parameters"]["AllowedOrigins"]["Default"] += f",http://127.0.0.1:{page}"
    template["Globals"]["Function"]["Environment"]["Variables"] |= {
        # `sam local start-api` does not adopt the trace id of the page, as API Gateway does.
        "LAMBDA_SPANS_CONTEXT": "caller",
        # The user looks at a trace before the next request would export its last spans.
        "LAMBDA_SPANS_FLUSH": "end",
    }
    variables = Path("env.local.json").read_text()
    for usual, port in ports.items():
        variables = variables.replace(f":{usual}", f":{port}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "template.yaml").write_text(yaml_dump(template))
    (FOLDER / "env.json").write_text(variables)


@contextlib.contextmanager
def console(bridge, port):
    """Yields the URL of a console that containers reach: the one that already runs, or a new one.

    A console that listens on loopback only, such as that of `cargo run`, is out of their reach.
    """
    url = f"http://{bridge}:{port}"
    if is_console(url):
        yield url
        return
    process = subprocess.Popen(
        # A free port receives X-Ray documents, which no function sends.
        [CONSOLE, "--listen", bridge, "--port", str(port), "--xray-port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with ended(process), process.stdout as output:
        # If the port is in use, the console has selected another one.
        first = output.readline()
        if not first:
            raise SystemExit("lambda-console ended before it listened.")
        yield first.split()[1].rstrip("/")


def is_console(url):
    try:
        with urllib.request.urlopen(f"{url}/api/info", timeout=5) as response:
            return "max_bytes" in json.load(response)
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def local_server(options, bridge, url):
    """Runs DynamoDB, Secrets Manager, the user pool and the stream consumer, which sends its traces to the console."""
    server = subprocess.Popen(
        [
            PROGRAM,
            "--port",
            str(options.local_port),
            "--dynamodb-port",
            str(options.dynamodb_port),
            "--data-dir",
            options.data_dir,
            "--bridge",
            bridge,
            "--console-url",
            url,
            "--page-api",
            f"http://127.0.0.1:{options.port}",
        ],
        env=os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": url},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    with ended(server):
        wait_until("the local server is healthy", lambda: is_healthy(f"http://127.0.0.1:{options.local_port}"), server)
        yield


@contextlib.contextmanager
def start_api(options):
    sam = subprocess.Popen(["sam", "local", "start-api", "--port", str(options.port)], start_new_session=True)
    try:
        with ended(sam):
            wait_until("sam local start-api listens", lambda: listens(options.port), sam)
            yield sam
    finally:
        remove_containers(options.built)


@contextlib.contextmanager
def ended(process):
    """Ends the process afterwards. It has its own session, so Ctrl-C does not reach it."""
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()

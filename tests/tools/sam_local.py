#!/usr/bin/env python3
"""The built functions in Lambda's image behind an API Gateway of this machine (`sam local start-api`), on the local
server's DynamoDB and user pool, until Ctrl-C. As long as it runs, `sam local invoke` works in another terminal without
any option.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import tempfile
from pathlib import Path

from engine import base_image, bridge_address, docker_engine, remove_containers
from ports import listens
from samcli.yamlhelper import yaml_dump, yaml_parse
from waiting import wait_until

# Where samconfig.toml has `sam local` look.
FOLDER = Path(".aws-sam/local")
READY = "Ctrl-C ends it"
TEXT = """
Cruddur runs in Lambda's image. Sign in as one of andrewbrown, altbrown, bayko, londo, worf, garek.

  API        http://127.0.0.1:{port}
  Sign-in    http://127.0.0.1:{local_port}/local/sign-in
  DynamoDB   http://127.0.0.1:{dynamodb_port}; data in {data_dir}

Try, in another terminal:
  curl http://127.0.0.1:{port}/api/activities/home
  TOKEN=$(curl -s http://127.0.0.1:{local_port}/local/sign-in -H 'Content-Type: application/json' \\
    -d '{{"handle":"andrewbrown"}}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
  curl http://127.0.0.1:{port}/api/activities -H "Authorization: Bearer $TOKEN" \\
    -H 'Content-Type: application/json' -d '{{"message":"Hello","ttl":"1-day"}}'
  {sam} local invoke ApiFunction -e events/api/home.json

Each request draws its trace here. {ready}.
"""


def main():
    options = arguments()
    # Whoever ends it by `kill` wants no less removed.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), docker_engine(), base_image():
        bridge = bridge_address()
        configure(options.built, options.dynamodb_port)
        with local_server(options, bridge), start_api(options) as sam:
            print(TEXT.format(**vars(options), ready=READY, sam=Path(".tools/python/bin/sam")), flush=True)
            raise SystemExit(f"sam local start-api ended with {sam.wait()}.")
    print("Ended.")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("built", type=Path, metavar="FOLDER_OF_BUILT_TEMPLATE")
    parser.add_argument("--port", type=int, default=3001)
    parser.add_argument("--local-port", type=int, default=3000)
    parser.add_argument("--dynamodb-port", type=int, default=8000)
    parser.add_argument("--data-dir", default=".data")
    return parser.parse_args()


def configure(built, dynamodb_port):
    """Writes the template that was built, for the processor that it was built for, and the functions' variables."""
    template = yaml_parse((built / "template.yaml").read_text())
    template["Parameters"]["Architecture"]["Default"] = built.name
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = str((built / resource["Properties"]["CodeUri"]).absolute())
    variables = Path("env.local.json").read_text().replace(":8000", f":{dynamodb_port}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "template.yaml").write_text(yaml_dump(template))
    (FOLDER / "env.json").write_text(variables)


@contextlib.contextmanager
def local_server(options, bridge):
    """DynamoDB, Secrets Manager, the user pool and what follows from the stream. What it says at its start is about its
    own API, so it is not shown; its traces are."""
    with tempfile.TemporaryDirectory(prefix="cruddur-sam-local-") as folder:
        output = Path(folder, "output")
        with output.open("w") as out:
            server = subprocess.Popen(
                ["target/debug/local", "--port", str(options.local_port), "--dynamodb-port", str(options.dynamodb_port),
                 "--data-dir", options.data_dir, "--bridge", bridge], stdout=out, start_new_session=True)
        with ended(server):
            wait_until("the local server is ready", lambda: READY in output.read_text(), server, seconds=30, log=output)
            yield


@contextlib.contextmanager
def start_api(options):
    sam = subprocess.Popen(["sam", "local", "start-api", "--port", str(options.port)], start_new_session=True)
    try:
        with ended(sam):
            wait_until("sam local start-api listens", lambda: listens(options.port), sam, seconds=120)
            yield sam
    finally:
        remove_containers(options.built)


@contextlib.contextmanager
def ended(process):
    """Ctrl-C is not for the process, which is ended here, in its turn."""
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()

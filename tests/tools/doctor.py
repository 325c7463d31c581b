#!/usr/bin/env python3
"""operate/doctor.sh on machines that lack things. Needs nothing but Python 3."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from answers import Report

COMMAND = Path("operate/doctor.sh").resolve()
CHANNEL = "1.95.0"
# What depends on the machine that the test runs on.
OF_THIS_MACHINE = ("disk:", "memory:", "port ")
BARE = ["bash", "dirname", "grep", "timeout"]
AARCH64, X86_64 = "aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"

PYTHON = """#!/bin/bash
case $2 in
    *'sep='*) echo {version} ;;
    *'(3, 10)'*) exit {old} ;;
    *venv*) exit {no_venv} ;;
esac
"""
COMPLETE = {
    "uname": "#!/bin/bash\necho Linux x86_64\n",
    "rustup": f"#!/bin/bash\ncase $1 in toolchain) echo {CHANNEL}-{X86_64} ;; target) echo {AARCH64}; echo {X86_64} ;; esac\n",
    "cc": "#!/bin/bash\n",
    "python3": PYTHON.format(version="3.13", old=0, no_venv=0),
    "docker": "#!/bin/bash\n",
    "busybox": "#!/bin/bash\n",
    "aws": "#!/bin/bash\n",
}


class Machine:
    """A copy of what the command reads, with a PATH that has these commands and no others."""

    def __init__(self, folder, commands, tools=False):
        self.folder = Path(folder)
        (self.folder / "operate").mkdir()
        (self.folder / "tests/tools").mkdir(parents=True)
        (self.folder / "home").mkdir()
        (self.folder / "bin").mkdir()
        shutil.copy(COMMAND, self.folder / "operate")
        (self.folder / "rust-toolchain.toml").write_text(f'[toolchain]\n# A comment.\nchannel = "{CHANNEL}"\n')
        (self.folder / "tests/tools/requirements.txt").touch()
        if tools:
            (self.folder / ".tools/python").mkdir(parents=True)
            (self.folder / ".tools/python/ready").touch()
        for name in BARE:
            (self.folder / "bin" / name).symlink_to(shutil.which(name))
        for name, script in commands.items():
            (self.folder / "bin" / name).write_text(script)
            (self.folder / "bin" / name).chmod(0o755)

    def run(self, *purposes, **environment):
        """The exit code and the lines but those of this machine."""
        environment = {"PATH": str(self.folder / "bin"), "HOME": str(self.folder / "home"), **environment}
        done = subprocess.run([self.folder / "operate/doctor.sh", *purposes], env=environment, capture_output=True, text=True)
        lines = (done.stdout + done.stderr).splitlines()
        return done.returncode, [line for line in lines if not line[9:].startswith(OF_THIS_MACHINE)]


def machine(commands, **options):
    return Machine(tempfile.mkdtemp(dir=FOLDER), commands, **options)


def main():
    report = Report()
    report.compare("a machine with nothing", (1, [
        "missing  Rust 1.95.0, which compiles all of it: get rustup, https://rustup.rs (is ~/.cargo/bin in PATH?)",
        "missing  C compiler, for SQLite and the cryptography: apt-get install gcc libc6-dev (macOS: xcode-select --install)",
        "missing  Python 3.10 or newer, for the tools of make test and make build: apt-get install python3 python3-venv",
        "missing  Linux on x86_64, where make test runs; here is unknown: cargo run and cargo test are all that works",
        "later    SAM CLI and cargo-lambda: make build and make test install them into .tools",
        "missing  Docker engine that this user may use, in which sam local runs the functions: https://docs.docker.com/engine/install",
        "missing  busybox, for the image that the functions are tested in: apt-get install busybox-static",
        "missing  AWS CLI, for the commands of docs/operate.md: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
        "missing  AWS credentials, to deploy with: aws configure sso, or aws configure",
        "missing  AWS region, to deploy to: export AWS_REGION=eu-central-1, or aws configure",
    ]), machine({}).run())

    whole = machine(COMPLETE, tools=True)
    (whole.folder / "home/.aws").mkdir()
    (whole.folder / "home/.aws/config").write_text("[default]\nregion = ca-central-1\n")
    ready = [
        "ok       Rust 1.95.0", "ok       C compiler (cc)", "ok       Python 3.13 with venv", "ok       Linux on x86_64",
        "ok       SAM CLI and cargo-lambda in .tools", f"ok       Rust's target {AARCH64}", f"ok       Rust's target {X86_64}",
        "ok       Docker engine", "ok       busybox", "ok       AWS CLI", "ok       AWS credentials, by ~/.aws",
        "ok       AWS region, by ~/.aws/config"]
    report.compare("a machine with everything", ready, whole.run("test", "build", "deploy")[1])
    # Deploying alone takes no memory and no port: here the code is the same on all machines.
    report.compare("only what was asked for is looked at", (0, [ready[2], *ready[4:7], *ready[9:]]), whole.run("deploy"))

    poor = {**COMPLETE, "rustup": f"#!/bin/bash\ncase $1 in toolchain) echo 1.94.0-{X86_64} ;; target) echo {X86_64} ;; esac\n",
            "python3": PYTHON.format(version="3.9", old=1, no_venv=0), "docker": "#!/bin/bash\nexit 1\n",
            "uname": "#!/bin/bash\necho Darwin arm64\n"}
    report.compare("a machine with what is too old", (1, [
        "missing  Rust 1.95.0, which compiles all of it: rustup toolchain install 1.95.0", "ok       C compiler (cc)",
        "missing  Python 3.10 or newer, for the tools of make test and make build; here is 3.9",
        "missing  Linux on x86_64, where make test runs; here is Darwin arm64: cargo run and cargo test are all that works",
        "later    SAM CLI and cargo-lambda: make build and make test install them into .tools",
        f"later    Rust's target {AARCH64}: make build adds it", f"ok       Rust's target {X86_64}",
        "missing  Docker engine that this user may use, in which sam local runs the functions: https://docs.docker.com/engine/install",
        "ok       busybox"]), machine(poor).run("test", "build"))

    def line(name, expected, found):
        report.compare(name, True, expected in found[1])
        if expected not in found[1]:
            print("\n".join(found[1]))

    line("Python without venv", "missing  Python's venv, into which the tools are installed: apt-get install python3-venv",
         machine({**COMPLETE, "python3": PYTHON.format(version="3.12", old=0, no_venv=1)}).run("build"))
    rustc = {name: script for name, script in COMPLETE.items() if name != "rustup"}
    line("a Rust of the distribution's",
         "missing  Rust 1.95.0, which compiles all of it; here is rustc 1.63.0 (Debian): get rustup, https://rustup.rs",
         machine({**rustc, "rustc": "#!/bin/bash\necho 'rustc 1.63.0 (Debian)'\n"}).run("build"))
    line("half of the credentials", "missing  AWS credentials: AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not",
         whole.run("deploy", AWS_ACCESS_KEY_ID="AKIA"))
    line("a profile that is none",
         "missing  AWS credentials: no profile cruddur is in ~/.aws; aws configure list-profiles shows those there are",
         whole.run("deploy", AWS_PROFILE="cruddur"))
    line("a region", "ok       AWS region eu-west-1", whole.run("deploy", AWS_REGION="eu-west-1"))
    line("a key with a line break", "missing  HONEYCOMB_API_KEY without blanks or line breaks: paste the key again",
         whole.run("deploy", HONEYCOMB_API_KEY="abc\ndef"))
    line("one key for both", "missing  HONEYCOMB_API_KEY of its own: an ingest key, which may send and nothing else; "
         "here it is the configuration key", whole.run("deploy", HONEYCOMB_API_KEY="a", HONEYCOMB_CONFIGURATION_KEY="a"))
    line("another's endpoint", "missing  HONEYCOMB_API_ENDPOINT that is Honeycomb's, https://api.honeycomb.io or "
         "https://api.eu1.honeycomb.io; here is https://ui.honeycomb.io",
         whole.run("deploy", HONEYCOMB_API_ENDPOINT="https://ui.honeycomb.io"))
    report.compare("no key is told", False, "secret-key" in str(whole.run("deploy", HONEYCOMB_API_KEY="secret-key")))
    report.compare("a purpose that is none", (1, ["doctor.sh: fly is none of: run test build local deploy"]), whole.run("fly"))

    try:
        taken = socket.create_server(("127.0.0.1", 3001))
    except OSError:
        # Another program has it already, which is as good.
        taken = contextlib.nullcontext()
    with taken:
        done = subprocess.run([COMMAND, "local"], capture_output=True, text=True)
    report.compare("a port that is taken", (1, True), (done.returncode, (
        "missing  port 3001, for make sam-local: another program has it; end that, or wait for it"
        in done.stdout)))
    report.end()


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    with tempfile.TemporaryDirectory(prefix="cruddur-doctor-") as FOLDER:
        main()

"""Runs operate/doctor.sh on machines that lack prerequisites. Needs only Python 3 and pytest."""

import contextlib
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

COMMAND = Path("operate/doctor.sh")
CHANNEL = "1.95.0"
# The prerequisites that depend on the machine of the test.
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


def rustup(channel, *targets):
    return (f"#!/bin/bash\ncase $1 in toolchain) echo {channel}-{X86_64} ;; "
            f"target) printf '%s\\n' {' '.join(targets)} ;; esac\n")


COMPLETE = {
    "uname": "#!/bin/bash\necho Linux x86_64\n",
    "rustup": rustup(CHANNEL, AARCH64, X86_64),
    "cc": "#!/bin/bash\n",
    "python3": PYTHON.format(version="3.13", old=0, no_venv=0),
    "docker": "#!/bin/bash\n",
    "busybox": "#!/bin/bash\n",
    "aws": "#!/bin/bash\n",
}


class Machine:
    """A copy of the files that the command reads, and a PATH with the given commands only."""

    def __init__(self, folder, commands, tools=False):
        self.folder = folder
        for name in ("operate", "tests/tools", "home/.aws", "bin"):
            (folder / name).mkdir(parents=True)
        shutil.copy(COMMAND, folder / "operate")
        (folder / "rust-toolchain.toml").write_text(f'[toolchain]\n# A comment.\nchannel = "{CHANNEL}"\n')
        (folder / "tests/tools/requirements.txt").touch()
        if tools:
            (folder / ".tools/python").mkdir(parents=True)
            (folder / ".tools/python/ready").touch()
        for name in BARE:
            (folder / "bin" / name).symlink_to(shutil.which(name))
        for name, script in commands.items():
            (folder / "bin" / name).write_text(script)
            (folder / "bin" / name).chmod(0o755)

    def run(self, *purposes, **environment):
        """Returns the exit code, and each line as its status and its text."""
        environment = {"PATH": str(self.folder / "bin"), "HOME": str(self.folder / "home"), **environment}
        done = subprocess.run([self.folder / "operate/doctor.sh", *purposes], env=environment, capture_output=True,
                              text=True)
        lines = [(line[:8].strip(), line[9:]) for line in (done.stdout + done.stderr).splitlines()]
        return done.returncode, [line for line in lines if not line[1].startswith(OF_THIS_MACHINE)]


def assert_lines(lines, expected):
    """Each line must have the status and begin with the name of the prerequisite."""
    found = [(status, text[:len(name)]) for (status, text), (_, name) in zip(lines, expected)]
    assert (found, len(lines)) == (expected, len(expected))


@pytest.fixture
def complete(tmp_path):
    machine = Machine(tmp_path, COMPLETE, tools=True)
    (machine.folder / "home/.aws/config").write_text("[default]\nregion = ca-central-1\n")
    return machine


def test_empty_machine_lacks_every_prerequisite(tmp_path):
    code, lines = Machine(tmp_path, {}).run()
    assert code == 1
    assert_lines(lines, [
        ("missing", f"Rust {CHANNEL}"), ("missing", "C compiler"), ("missing", "Python 3.10"), ("missing", "Linux"),
        ("later", "SAM CLI"), ("missing", "Docker engine"), ("missing", "busybox"), ("missing", "AWS CLI"),
        ("missing", "AWS credentials"), ("missing", "AWS region")])


def test_complete_machine_lacks_nothing(complete):
    _, lines = complete.run("test", "build", "deploy")
    assert_lines(lines, [
        ("ok", f"Rust {CHANNEL}"), ("ok", "C compiler"), ("ok", "Python 3.13"), ("ok", "Linux"), ("ok", "SAM CLI"),
        ("ok", f"Rust's target {AARCH64}"), ("ok", f"Rust's target {X86_64}"), ("ok", "Docker engine"),
        ("ok", "busybox"), ("ok", "AWS CLI"), ("ok", "AWS credentials"), ("ok", "AWS region")])


def test_one_purpose_checks_its_prerequisites_only(complete):
    # `deploy` needs neither memory nor ports, so the exit code does not depend on this machine.
    code, lines = complete.run("deploy")
    assert code == 0
    assert_lines(lines, [
        ("ok", "Python 3.13"), ("ok", "SAM CLI"), ("ok", f"Rust's target {AARCH64}"),
        ("ok", f"Rust's target {X86_64}"), ("ok", "AWS CLI"), ("ok", "AWS credentials"), ("ok", "AWS region")])


def test_outdated_machine_lacks_newer_versions(tmp_path):
    outdated = {**COMPLETE, "rustup": rustup("1.94.0", X86_64), "docker": "#!/bin/bash\nexit 1\n",
                "python3": PYTHON.format(version="3.9", old=1, no_venv=0), "uname": "#!/bin/bash\necho Darwin arm64\n"}
    code, lines = Machine(tmp_path, outdated).run("test", "build")
    assert code == 1
    assert_lines(lines, [
        ("missing", f"Rust {CHANNEL}"), ("ok", "C compiler"), ("missing", "Python 3.10"), ("missing", "Linux"),
        ("later", "SAM CLI"), ("later", f"Rust's target {AARCH64}"), ("ok", f"Rust's target {X86_64}"),
        ("missing", "Docker engine"), ("ok", "busybox")])


def test_python_without_venv_is_reported(tmp_path):
    python = PYTHON.format(version="3.12", old=0, no_venv=1)
    _, lines = Machine(tmp_path, {**COMPLETE, "python3": python}).run("build")
    assert [text for status, text in lines if status == "missing" and "venv" in text]


def test_rust_without_rustup_is_reported(tmp_path):
    commands = {**COMPLETE, "rustc": "#!/bin/bash\necho 'rustc 1.63.0 (Debian)'\n"}
    del commands["rustup"]
    _, lines = Machine(tmp_path, commands).run("build")
    assert [text for status, text in lines if status == "missing" and "rustc 1.63.0 (Debian)" in text]


@pytest.mark.parametrize(("environment", "status", "names"), [
    ({"AWS_ACCESS_KEY_ID": "AKIA"}, "missing", "AWS_SECRET_ACCESS_KEY"),
    ({"AWS_PROFILE": "cruddur"}, "missing", "cruddur"),
    ({"AWS_REGION": "eu-west-1"}, "ok", "eu-west-1"),
    ({"HONEYCOMB_API_KEY": "abc\ndef"}, "missing", "HONEYCOMB_API_KEY"),
    ({"HONEYCOMB_API_KEY": "a", "HONEYCOMB_CONFIGURATION_KEY": "a"}, "missing", "HONEYCOMB_API_KEY"),
    ({"HONEYCOMB_API_ENDPOINT": "https://ui.honeycomb.io"}, "missing", "https://ui.honeycomb.io"),
])
def test_variable_is_checked_before_deploying(complete, environment, status, names):
    _, lines = complete.run("deploy", **environment)
    assert [text for found, text in lines if found == status and names in text]


def test_secret_key_is_not_printed(complete):
    assert "secret-key" not in str(complete.run("deploy", HONEYCOMB_API_KEY="secret-key"))


def test_unknown_purpose_is_rejected(complete):
    code, lines = complete.run("fly")
    assert (code, len(lines)) == (1, 1)


def test_port_in_use_is_reported():
    with contextlib.suppress(OSError):
        # If another program uses the port already, that serves the test as well.
        listener = socket.create_server(("127.0.0.1", 3001))
    done = subprocess.run([COMMAND, "local"], capture_output=True, text=True)
    assert (done.returncode, "missing  port 3001" in done.stdout) == (1, True)

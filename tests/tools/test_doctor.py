"""Runs operate/doctor.sh on machines that lack prerequisites."""

import contextlib
import shutil
import socket
from pathlib import Path

import pytest
from processes import run

COMMAND = Path("operate/doctor.sh")
CHANNEL = "1.95.0"
TARGETS = ["aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"]
# The files that the command reads.
FILES = {
    "rust-toolchain.toml": f'[toolchain]\n# A comment.\nchannel = "{CHANNEL}"\n',
    "tests/tools/requirements.txt": "",
    ".tools/python/ready": "",
    "home/.aws/config": "[default]\nregion = ca-central-1\n",
}
RUSTUP = f"case $1 in toolchain) echo {CHANNEL}-{TARGETS[1]} ;; target) printf '%s\\n' {' '.join(TARGETS)} ;; esac"
COMMANDS = {
    "uname": "echo Linux x86_64",
    "rustup": RUSTUP,
    "python3": "case $2 in *sep=*) echo 3.13 ;; esac",
    "aws": "echo aws-cli/2.34.1 Python/3.14.0 Linux/6.1",
    **dict.fromkeys(["cc", "docker", "busybox", "valgrind", "chromium", "node", "npm"], ""),
}


@pytest.fixture
def doctor(tmp_path):
    """A function that runs the command on a machine. It returns the exit code and the status and text of each line."""

    def start(*purposes, commands=COMMANDS, files=FILES, **environment):
        for name, text in files.items():
            Path(tmp_path, name).parent.mkdir(parents=True, exist_ok=True)
            Path(tmp_path, name).write_text(text)
        for name in ("bin", "operate"):
            Path(tmp_path, name).mkdir()
        shutil.copy(COMMAND, tmp_path / "operate")
        for name in ("bash", "dirname", "grep", "timeout"):
            Path(tmp_path, "bin", name).symlink_to(shutil.which(name))
        for name, script in commands.items():
            Path(tmp_path, "bin", name).write_text(f"#!/bin/bash\n{script}\n")
            Path(tmp_path, "bin", name).chmod(0o755)
        environment = {"PATH": f"{tmp_path}/bin", "HOME": f"{tmp_path}/home", **environment}
        done = run(tmp_path / "operate/doctor.sh", *purposes, env=environment)
        lines = [(line[:8].strip(), line[9:]) for line in (done.stdout + done.stderr).splitlines()]
        # These depend on the machine of the test.
        return done.returncode, [line for line in lines if not line[1].startswith(("disk:", "memory:", "port "))]

    return start


def assert_missing(lines, name):
    assert [text for status, text in lines if status == "missing" and name in text], lines


def test_empty_machine_lacks_every_prerequisite(doctor):
    code, lines = doctor(commands={}, files={**FILES, "home/.aws/config": ""})
    assert (code, len(lines)) == (1, 14)
    names = "Rust 1.95.0, C compiler, Python 3.11, Linux, Docker engine, busybox, valgrind, chromium, node, npm, AWS CLI, AWS credentials"
    for name in [*names.split(", "), "AWS region"]:
        assert_missing(lines, name)


def test_complete_machine_lacks_nothing(doctor):
    _, lines = doctor("test", "build", "deploy")
    assert ({status for status, _ in lines}, len(lines)) == ({"ok"}, 16)


def test_one_purpose_checks_its_prerequisites_only(doctor):
    # `deploy` needs neither memory nor ports, so the exit code does not depend on this machine.
    code, lines = doctor("deploy")
    assert (code, len(lines)) == (0, 7)
    assert not any("Docker" in text for _, text in lines)


@pytest.mark.parametrize(
    ("commands", "name"),
    [
        ({"rustup": RUSTUP.replace(CHANNEL, "1.94.0")}, "Rust 1.95.0"),
        ({"python3": "case $2 in *sep=*) echo 3.9 ;; *) exit 1 ;; esac"}, "3.9"),
        ({"python3": "case $2 in *sep=*) echo 3.12 ;; *venv*) exit 1 ;; esac"}, "venv"),
        ({"docker": "exit 1"}, "Docker engine"),
        ({"uname": "echo Darwin arm64"}, "Darwin arm64"),
    ],
)
def test_unusable_command_is_reported(doctor, commands, name):
    code, lines = doctor("test", "build", commands=COMMANDS | commands)
    assert code == 1
    assert_missing(lines, name)


@pytest.mark.parametrize(
    ("script", "found"), [("echo aws-cli/1.46.3 Python/3.11.7 Linux/6.1", "aws-cli/1.46.3"), ("exit 1", "no version")]
)
def test_old_aws_cli_is_reported(doctor, script, found):
    code, lines = doctor("deploy", commands=COMMANDS | {"aws": script})
    assert code == 1
    assert_missing(lines, "AWS CLI 2")
    assert_missing(lines, found)


def test_missing_target_is_added_later(doctor):
    _, lines = doctor("build", commands=COMMANDS | {"rustup": RUSTUP.replace(TARGETS[0], "")})
    assert [text for status, text in lines if status == "later" and TARGETS[0] in text]


def test_rust_without_rustup_is_reported(doctor):
    commands = {name: script for name, script in COMMANDS.items() if name != "rustup"}
    commands["rustc"] = "echo 'rustc 1.63.0 (Debian)'"
    assert_missing(doctor("build", commands=commands)[1], "rustc 1.63.0 (Debian)")


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"AWS_ACCESS_KEY_ID": "AKIA"}, "AWS_SECRET_ACCESS_KEY"),
        ({"AWS_PROFILE": "cruddur"}, "cruddur"),
        ({"HONEYCOMB_API_KEY": "abc\ndef"}, "HONEYCOMB_API_KEY"),
        ({"HONEYCOMB_API_KEY": "a", "HONEYCOMB_CONFIGURATION_KEY": "a"}, "HONEYCOMB_API_KEY"),
        ({"HONEYCOMB_API_ENDPOINT": "https://ui.honeycomb.io"}, "https://ui.honeycomb.io"),
    ],
)
def test_unusable_variable_is_reported(doctor, environment, name):
    code, lines = doctor("deploy", **environment)
    assert code == 1
    assert_missing(lines, name)


def test_secret_key_is_not_printed(doctor):
    assert "secret-key" not in str(doctor("deploy", HONEYCOMB_API_KEY="secret-key"))


def test_unknown_purpose_is_rejected(doctor):
    code, lines = doctor("fly")
    assert (code, len(lines)) == (1, 1)


def test_port_in_use_is_reported():
    try:
        listener = socket.create_server(("127.0.0.1", 3001))
    except OSError:
        # Another program uses the port already, which serves the test as well.
        listener = contextlib.nullcontext()
    with listener:
        done = run(COMMAND, "local")
    assert done.returncode == 1
    assert "missing  port 3001" in done.stdout

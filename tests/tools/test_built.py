"""Checks the binaries that operate/build.sh built."""

import json
import re
import subprocess
import zlib
from pathlib import Path

import pytest

MACHINES = {"arm64": "AArch64", "x86_64": "Advanced Micro Devices X86-64"}
# The version in Amazon Linux 2023.
NEWEST_GLIBC = (2, 34)
# Dependencies of every function, and dependencies of the local server and the tests only.
NEEDED, UNWANTED = {"aws-sdk-dynamodb", "lambda-spans"}, {"dynoxide-rs", "cruddur-local", "proptest"}


@pytest.fixture(scope="module", params=["ApiFunction", "SignupFunction", "StreamFunction"])
def bootstrap(request, built):
    return built / request.param / "bootstrap"


def test_binary_is_for_the_architecture(built, bootstrap):
    assert f"Machine: {MACHINES[built.name]}" in re.sub(" +", " ", readelf("--file-header", bootstrap))


def test_binary_needs_no_newer_glibc(bootstrap):
    assert newest_glibc(bootstrap) <= NEWEST_GLIBC


def test_binary_lists_its_dependencies(bootstrap):
    assert dependencies(bootstrap) & (NEEDED | UNWANTED) == NEEDED


def test_binary_survives_panics(built, bootstrap):
    if built.name != "x86_64":
        pytest.skip("the marker is not contiguous on arm64; both architectures use the same profile")
    # The class of Rust's exceptions. It is missing with panic = "abort", which ends the process instead of one request.
    assert b"MOZ\0RUST" in bootstrap.read_bytes()


def test_binary_contains_no_path_of_this_machine(bootstrap):
    content = bootstrap.read_bytes()
    assert [path for path in (Path.cwd(), Path.home() / ".cargo") if f"{path}/".encode() in content] == []


def readelf(option, path):
    return subprocess.run(["readelf", "--wide", option, path], check=True, capture_output=True, text=True).stdout


def newest_glibc(path):
    found = re.findall(r"GLIBC_([0-9.]+)", readelf("--version-info", path))
    return max(tuple(map(int, version.split("."))) for version in found)


def dependencies(path):
    """Returns the names of the packages that cargo-auditable wrote into the binary."""
    section = re.search(r" \.dep-v0 +\w+ +\w+ (\w+) (\w+)", readelf("--sections", path))
    offset, size = (int(number, 16) for number in section.groups())
    packages = json.loads(zlib.decompress(path.read_bytes()[offset : offset + size]))["packages"]
    return {package["name"] for package in packages}

#!/usr/bin/env python3
"""Looks at what operate/build.sh built for one architecture, and says how large it is.

usage: built.py arm64|x86_64 FOLDER_OF_BUILT_TEMPLATE
"""

import io
import json
import os
import re
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

from answers import Report

MACHINES = {"arm64": "AArch64", "x86_64": "Advanced Micro Devices X86-64"}
# Amazon Linux 2023 has this one.
NEWEST_GLIBC = (2, 34)
# Dependencies of every function, and those that only a laptop needs.
NEEDED, UNWANTED = {"aws-sdk-dynamodb", "lambda-spans"}, {"dynoxide-rs", "local", "proptest"}


def main(architecture, folder):
    report = Report()
    for function in sorted(path.parent for path in Path(folder).glob("*Function/bootstrap")):
        bootstrap = function / "bootstrap"
        content = bootstrap.read_bytes()
        versions = {tuple(map(int, found.split(".")))
                    for found in re.findall(r"GLIBC_([0-9.]+)", readelf("--version-info", bootstrap))}
        machine = re.search(r"Machine: +(.*)", readelf("--file-header", bootstrap))[1]
        names = {package["name"] for package in dependencies(bootstrap, content)}
        what = f"{architecture} {function.name}"
        report.compare(f"{what} is for its machine", MACHINES[architecture], machine)
        report.compare(f"{what} runs with Amazon Linux's glibc", True, max(versions) <= NEWEST_GLIBC)
        report.compare(f"{what} lists what it is made of", NEEDED, names & (NEEDED | UNWANTED))
        if architecture == "x86_64":
            # The name that Rust gives its exceptions. With panic = "abort" there are none, and a panic is no 500 but
            # the end of the process. The same profile makes both architectures; arm64 has the name in pieces.
            report.compare(f"{what} survives panics", True, b"MOZ\0RUST" in content)
        # Another folder, or another user's home, would make another binary.
        report.compare(f"{what} names no folder of this machine", [], [
            path for path in (Path.cwd(), Path.home() / ".cargo") if f"{path}/".encode() in content])
        print(f"{what}: {len(content):,} bytes, {zipped(bootstrap):,} as a zip, {len(names)} dependencies, "
              f"needs GLIBC_{'.'.join(map(str, max(versions)))}")
    report.end()


def readelf(what, path):
    return subprocess.run(["readelf", "--wide", what, path], check=True, capture_output=True, text=True).stdout


def dependencies(path, content):
    """The packages that cargo-auditable wrote into the binary."""
    section = re.search(r" \.dep-v0 +\w+ +\w+ (\w+) (\w+)", readelf("--sections", path))
    if section is None:
        return []
    offset, size = (int(number, 16) for number in section.groups())
    return json.loads(zlib.decompress(content[offset:offset + size]))["packages"]


def zipped(path):
    """The size of the zip that `sam deploy` sends."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writing:
        writing.write(path, path.name)
    return len(archive.getvalue())


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main(*sys.argv[1:])

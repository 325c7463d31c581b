"""A Docker engine: the one that runs already, or one of our own for as long as it is needed."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from rie import emulator_path
from waiting import wait_until

IMAGE = "public.ecr.aws/lambda/provided:al2023"
CONTAINER_IMAGE = f"{IMAGE}-rapid-x86_64"


@contextlib.contextmanager
def docker_engine():
    if _answers():
        yield
        return
    if shutil.which("dockerd") is None:
        raise SystemExit("No Docker engine answers and there is none to start: run `make docker`, or start Docker.")
    forward_policy = _forward_policy()
    with tempfile.TemporaryDirectory(prefix="cruddur-docker-") as folder:
        log_path = Path(folder, "log")
        with log_path.open("w") as log:
            engine = subprocess.Popen(
                ["dockerd", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec",
                 "--pidfile", f"{folder}/pid", "--host", "unix:///var/run/docker.sock",
                 # Where ports of containers are published that name no address.
                 "--ip", "127.0.0.1"],
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            wait_until("the Docker engine answers", _answers, engine, seconds=60, log=log_path)
            yield
        finally:
            engine.terminate()
            engine.wait(timeout=60)
            # The engine leaves forwarding closed for all that is not a container.
            subprocess.run(["iptables", "--policy", "FORWARD", forward_policy], check=True)


def bridge_address():
    """The address that containers reach this machine at."""
    return subprocess.run(
        ["docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"],
        check=True, capture_output=True, text=True).stdout.strip()


def containers(code):
    """The containers, running or not, of functions whose code is below the folder `code`."""
    listed = subprocess.run(["docker", "ps", "--all", "--quiet"], check=True, capture_output=True, text=True)
    return [container for container in listed.stdout.split() if str(code.absolute()) in _mounts(container)]


def remove_containers(code):
    """SAM leaves its warm containers running when it is ended by a signal."""
    left = containers(code)
    if left:
        subprocess.run(["docker", "rm", "--force", *left], check=True, stdout=subprocess.DEVNULL)


def _mounts(container):
    """Nothing of one that is gone by now."""
    return subprocess.run(["docker", "inspect", "--format", "{{range .Mounts}}{{.Source}} {{end}}", container],
                          capture_output=True, text=True).stdout


@contextlib.contextmanager
def base_image():
    """Lambda's image: the one that is there, or the real one, or a stand-in that is removed again."""
    if _docker("image", "inspect", IMAGE) or _docker("pull", IMAGE):
        yield
        return
    print(f"{IMAGE} cannot be had here: a stand-in takes its place.", flush=True)
    subprocess.run(["tests/tools/base-image.sh", emulator_path()], check=True, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        _docker("rmi", "--force", CONTAINER_IMAGE, f"{IMAGE}-x86_64", IMAGE)


def _docker(*arguments):
    return subprocess.run(["docker", *arguments], capture_output=True).returncode == 0


def _answers():
    return subprocess.run(["docker", "version"], capture_output=True, env=os.environ).returncode == 0


def _forward_policy():
    rules = subprocess.run(["iptables", "--list-rules", "FORWARD"], check=True, capture_output=True, text=True).stdout
    return rules.split()[2]

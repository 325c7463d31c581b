"""The Docker engine for the tests: the one that already runs, or a temporary one."""

import contextlib
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

import docker
from processes import wait_until
from requests import RequestException
from rie import emulator_path

REPOSITORY, TAG = "public.ecr.aws/lambda/provided", "al2023"
IMAGE = f"{REPOSITORY}:{TAG}"
IMAGE_SETTINGS = [
    'ENTRYPOINT ["/lambda-entrypoint.sh"]',
    "WORKDIR /var/task",
    "ENV PATH=/usr/local/bin:/bin LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime",
]
# The ioctl request that reads the IPv4 address of an interface.
SIOCGIFADDR = 0x8915


@contextlib.contextmanager
def docker_engine():
    """Starts a Docker engine unless one answers. Stops it afterwards."""
    if _answers():
        yield
        return
    if shutil.which("dockerd") is None:
        raise SystemExit("No Docker engine answers and dockerd is not installed. Run `make docker`, or start Docker.")
    if os.geteuid() != 0:
        raise SystemExit(
            "No Docker engine answers, and starting one needs root. "
            "Start Docker, and add this user to the group `docker`."
        )
    forward_policy = _forward_policy()
    with tempfile.TemporaryDirectory(prefix="cruddur-docker-") as folder:
        log_path = Path(folder, "log")
        with log_path.open("w") as log:
            engine = subprocess.Popen(
                [
                    "dockerd",
                    "--data-root",
                    f"{folder}/data",
                    "--exec-root",
                    f"{folder}/exec",
                    "--pidfile",
                    f"{folder}/pid",
                    "--host",
                    "unix:///var/run/docker.sock",
                    # Publish ports on loopback only.
                    "--ip",
                    "127.0.0.1",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_until("the Docker engine answers", _answers, engine, log=log_path)
            yield
        finally:
            engine.terminate()
            engine.wait(timeout=60)
            # The engine sets the policy to DROP and leaves it so.
            subprocess.run(["iptables", "--policy", "FORWARD", forward_policy], check=True)


def bridge_address():
    """Returns the address at which containers reach this machine."""
    return interface_address(bridge_interface(docker.from_env().networks.get("bridge").attrs))


def bridge_interface(network):
    """Returns the interface of a bridge network, given its description by the engine.

    The description has no reliable address: `IPAM.Config[].Gateway` is missing when Docker 20.10 starts for the first
    time.
    """
    return network["Options"].get("com.docker.network.bridge.name", "docker0")


def interface_address(name):
    """Returns the IPv4 address of an interface of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            found = fcntl.ioctl(any_socket, SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
        except OSError as error:
            raise SystemExit(
                f"Docker's interface {name} has no IPv4 address on this machine: {error.strerror}. Use a "
                "Docker engine that runs on this machine as root; Docker Desktop and rootless Docker "
                "have no such interface."
            ) from error
    return socket.inet_ntoa(found[20:24])


def containers(code):
    """Returns the containers, running or stopped, of functions whose code is below the folder `code`."""
    found = docker.from_env().containers.list(all=True, ignore_removed=True)
    return [
        container
        for container in found
        if any(Path(mount.get("Source", "")).is_relative_to(code.absolute()) for mount in container.attrs["Mounts"])
    ]


def remove_containers(code):
    """Removes the warm containers that the SAM CLI leaves running when a signal ends it."""
    for container in containers(code):
        with contextlib.suppress(docker.errors.NotFound):
            container.remove(force=True)


@contextlib.contextmanager
def base_image():
    """Provides Lambda's image: the local one, the one of the registry, or a temporary substitute."""
    images = docker.from_env().images
    if _has_image(images):
        yield
        return
    print(f"{IMAGE} is not available here. A substitute is built from this machine's libraries.", flush=True)
    archive = subprocess.run(["tests/tools/base-image.sh", emulator_path()], check=True, stdout=subprocess.PIPE).stdout
    images.client.api.import_image_from_data(archive, REPOSITORY, TAG, changes=IMAGE_SETTINGS)
    images.get(IMAGE).tag(REPOSITORY, f"{TAG}-x86_64")
    try:
        yield
    finally:
        for tag in (f"{TAG}-rapid-x86_64", f"{TAG}-x86_64", TAG):
            with contextlib.suppress(docker.errors.ImageNotFound):
                images.remove(f"{REPOSITORY}:{tag}", force=True)


def _has_image(images):
    try:
        images.get(IMAGE)
    except docker.errors.ImageNotFound:
        try:
            images.pull(REPOSITORY, TAG)
        except (docker.errors.APIError, RequestException):
            return False
    return True


def _answers():
    try:
        return docker.from_env().ping()
    except (docker.errors.DockerException, RequestException):
        return False


def _forward_policy():
    rules = subprocess.run(["iptables", "--list-rules", "FORWARD"], check=True, capture_output=True, text=True).stdout
    return rules.split()[2]

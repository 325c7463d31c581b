"""Options and shared fixtures. The files `test_*.py` are tests; the others are commands and helpers."""

import os
import sys
from pathlib import Path

import pytest
from engine import base_image, docker_engine

# The tests use paths from the root of the repository, and the tools that are installed with pytest.
os.chdir(Path(__file__).parents[2])
os.environ |= {"PATH": f"{Path('.tools/python/bin').absolute()}:{os.environ['PATH']}", "SAM_CLI_TELEMETRY": "0"}


def pytest_addoption(parser):
    parser.addoption("--built", type=Path, default=Path(".aws-sam/x86_64"), help="the folder of the built template")


@pytest.fixture(scope="session")
def built(request):
    """The folder of the built template. Its name is the architecture."""
    return request.config.getoption("built")


@pytest.fixture(scope="session")
def engine():
    """A Docker engine that has Lambda's image."""
    with docker_engine(), base_image():
        yield


@pytest.fixture(scope="session")
def chromium():
    """A browser. Playwright permits only one at a time."""
    from console import browser

    with browser() as found:
        yield found


@pytest.fixture(scope="session", params=["dev", "prod"])
def variant(request):
    """A deployment with default parameters, and one with every parameter set."""
    return request.param


@pytest.fixture(scope="session")
def resources(variant):
    """The resources of template.yaml as CloudFormation receives them."""
    from transformed import VARIANTS, source, transformed

    return transformed(source(), VARIANTS[variant])["Resources"]


@pytest.fixture(scope="session")
def of_type(resources):
    """A function that returns the properties of all resources of one type, by name."""
    return lambda kind: {
        name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == kind
    }


@pytest.fixture(scope="session")
def show_if_failed(request):
    """A function that prints the end of a log if a test or a fixture failed."""

    def show(log_path):
        if request.session.testsfailed or sys.exc_info()[0]:
            with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
                print(f"\n{log_path.read_text()[-20000:]}")

    return show

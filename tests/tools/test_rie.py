"""Sends the built functions their events under AWS's Runtime Interface Emulator.

The emulator passes no trace id to the function, and no X-Ray daemon listens.
"""

import json

import pytest
from answers import ANSWERS, SHOWN, TRIGGERED, api_events, proxy_response, show_event, trigger_events
from local_server import local_server
from rie import emulator


@pytest.fixture(scope="module")
def server():
    with local_server() as running:
        yield running


def test_api_function_answers_its_events(built, server):
    with emulator(built / "ApiFunction/bootstrap", server.aws) as (invoke, _):
        responses = {name: invoke(event) for name, event in api_events(server.token)}
        assert {name: proxy_response(text) for name, text in responses.items()} == ANSWERS
        created = json.loads(json.loads(responses["create"])["body"])["uuid"]
        assert proxy_response(invoke(show_event(created))) == SHOWN


@pytest.mark.parametrize(("folder", "function"), TRIGGERED.items())
def test_triggered_function_answers_its_events(built, server, folder, function):
    with emulator(built / function / "bootstrap", server.aws) as (invoke, _):
        for name, event, answer in trigger_events(folder):
            assert json.loads(invoke(event)) == answer, name


def test_function_without_a_setting_does_not_start(built, server):
    with emulator(built / "ApiFunction/bootstrap", server.aws, TABLE_NAME="") as (invoke, log):
        assert json.loads(invoke("{}"))["errorType"] == "Function.CannotStart"
        assert "TABLE_NAME" in log.read_text()

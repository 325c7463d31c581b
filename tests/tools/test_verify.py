"""Runs operate/verify.sh with the AWS CLI against a fake account that answers in the documented shapes."""

import os

import pytest
from fake_account import KEY, FakeAccount, served
from processes import run


@pytest.fixture
def account():
    return FakeAccount()


def verify(account, **environment):
    """Returns the exit code and the lines of both outputs."""
    with served(account) as url:
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": url,
            "AWS_ENDPOINT_URL_XRAY": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "HONEYCOMB_API_ENDPOINT": url,
            "HONEYCOMB_CONFIGURATION_KEY": KEY,
            **environment,
        }
        done = run("operate/verify.sh cruddur --wait 0", env=environment)
    return done.returncode, (done.stdout + done.stderr).splitlines()


def failures(lines):
    return [line.removeprefix("FAILED").strip() for line in lines if line.startswith("FAILED")]


def skipped(lines):
    return [line.split(":")[0].removeprefix("skipped ") for line in lines if line.startswith("skipped")]


def changed(name, change):
    """Returns a change of the documents of one route's trace."""
    return lambda found, documents: change(documents) if found == name else documents


def test_working_stack_passes_every_check(account):
    code, lines = verify(account)
    assert (code, failures(lines), skipped(lines)) == (0, [], []), lines
    traced = [line for line in lines if line.startswith("ok") and "X-Ray: " in line]
    assert len(traced) >= 20
    assert [line for line in lines if line.startswith("note")] == [
        f"note    format {name}: 3 of 3 spans arrived in X-Ray" for name in ("segments", "arrays of siblings", "otlp")
    ]
    # The test users do not remain.
    assert account.users == {}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda documents: [], "no trace"),
        (lambda documents: documents[1:], "parents are missing"),
        (lambda documents: [*documents, {"id": "000000000000000f", "name": "second"}], "2 roots"),
        (lambda documents: documents[:2], "is missing"),
        (lambda documents: [{**documents[0], "in_progress": True}, *documents[1:]], "in progress"),
    ],
    ids=["missing", "no root", "two roots", "no span", "unfinished"],
)
def test_incomplete_trace_in_xray_fails(account, change, names):
    account.change = changed("GET /api/activities/home", change)
    code, lines = verify(account)
    failed = failures(lines)
    assert code == 1
    assert failed[0].startswith("X-Ray: GET /api/activities/home: ")
    # Without its root, X-Ray's tree has another root or none.
    assert names in failed[0] or "0 roots" in failed[0]


def test_incomplete_trace_in_honeycomb_fails(account):
    record = account.record

    def without_root(xray_id, trace_id, name):
        record(xray_id, trace_id, name)
        if name == "GET /api/message_groups":
            del account.events[-2]

    account.record = without_root
    code, lines = verify(account)
    assert (code, len(failures(lines))) == (1, 1)
    assert failures(lines)[0].startswith("Honeycomb: GET /api/message_groups: the roots are missing")


def test_unlinked_stream_fails(account):
    account.linked = False
    code, lines = verify(account)
    assert (code, failures(lines)) == (1, ["Honeycomb: the stream consumer is linked to posts: no link"])


def test_reported_drops_fail(account):
    account.drops = ['{"OtlpDropped":3}']
    code, lines = verify(account)
    assert (code, failures(lines)) == (1, ["no dropped spans of StreamFunction: 1 lines report drops"])


def test_rejected_formats_are_reported_and_not_fatal(account):
    account.arrays = account.otlp = False
    code, lines = verify(account)
    assert (code, skipped(lines)) == (0, ["format arrays of siblings", "format otlp"])


@pytest.mark.parametrize("case", ["no key", "no query API", "sampled"])
def test_unavailable_honeycomb_is_reported_and_not_fatal(account, case):
    if case == "no query API":
        account.query_api = False
    if case == "sampled":
        account.parameters["SampleRate"] = "10"
    code, lines = verify(account, **({"HONEYCOMB_CONFIGURATION_KEY": ""} if case == "no key" else {}))
    assert (code, skipped(lines)) == (0, ["traces and links in Honeycomb"]), lines

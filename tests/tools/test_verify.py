"""Runs operate/verify.py with the AWS CLI against a fake account that answers in the documented shapes.

The CLI and the command run in this process with a clock that does not wait. One test runs the real command.
"""

import contextlib
import io
import os
import shlex
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from awscli.clidriver import create_clidriver
from fake_account import KEY, FakeAccount, served
from processes import run

sys.path.append(str(Path("operate").absolute()))
import verify as command


class Clock:
    """Replaces the module `time`. Only waiting lets time pass."""

    def __init__(self):
        self.now = time.time()

    def time(self):
        return self.now

    monotonic = time

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def account():
    return FakeAccount(Clock())


@pytest.fixture(scope="module")
def cli():
    return create_clidriver()


@pytest.fixture
def verify(account, cli, monkeypatch, tmp_path, capsys):
    """A function that runs the command, and returns the exit code and the lines of its output."""

    def run_program(program, **options):
        if program[0] != "aws":
            return run(*program, input=options["input"])
        secret, out, err = tmp_path / "secret", io.StringIO(), io.StringIO()
        secret.write_text(options["input"] or "")
        arguments = [one.replace("/dev/stdin", str(secret)) for one in program[1:]]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main(arguments)
        return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())

    def verify(**environment):
        with served(account) as url:
            for name, value in environment_of(url, **environment).items():
                monkeypatch.setenv(name, value)
            monkeypatch.setattr(command, "time", account.clock)
            monkeypatch.setattr(command, "subprocess", SimpleNamespace(run=run_program))
            monkeypatch.setattr(sys, "argv", ["verify.py", "cruddur"])
            with pytest.raises(SystemExit) as ended:
                command.main()
        return ended.value.code, capsys.readouterr().out.splitlines()

    return verify


def environment_of(url, **changes):
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ENDPOINT_URL_XRAY": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "HONEYCOMB_API_ENDPOINT": url,
        "HONEYCOMB_CONFIGURATION_KEY": KEY,
        **changes,
    }


def failures(lines):
    return [line.removeprefix("FAILED").strip() for line in lines if line.startswith("FAILED")]


def skipped(lines):
    return [line.split(":")[0].removeprefix("skipped ") for line in lines if line.startswith("skipped")]


def changed(name, change):
    """Returns a change of the documents of one route's trace."""
    return lambda found, documents: change(documents) if found == name else documents


def notes_of_formats(lines):
    """Returns the number of spans that arrived, by format."""
    notes = [line.removeprefix("note    format ").split(": ") for line in lines if line.startswith("note    format")]
    return {name: int(text.split()[0]) for name, text in notes}


def test_working_stack_passes_every_check(account, verify):
    code, lines = verify()
    assert (code, failures(lines), skipped(lines)) == (0, [], ["format otlp"]), lines
    traced = [line for line in lines if line.startswith("ok") and "X-Ray: " in line]
    assert len(traced) >= 20
    assert sum(line.startswith("ok      no dropped spans of") for line in lines) == 3
    assert notes_of_formats(lines) == {"segments": 3, "arrays of siblings": 3}


def test_command_passes_without_waiting():
    """The functions report no counts after the last request, because no time has passed."""
    account = FakeAccount()
    with served(account) as url:
        environment = environment_of(url, PATH=os.environ["PATH"])
        done = run("operate/verify.sh cruddur --wait 0", env=environment)
    lines = done.stdout.splitlines()
    assert (done.returncode, failures(lines), done.stderr) == (0, [], "")
    functions = [f"no dropped spans of {name}Function" for name in ("Api", "Signup", "Stream")]
    assert skipped(lines) == [*functions, "format otlp"]
    assert account.users == {}


def test_transaction_search_is_read_from_its_log(account, verify):
    account.destination = "CloudWatchLogs"
    code, lines = verify()
    assert (code, failures(lines), skipped(lines)) == (0, [], ["summaries in X-Ray"]), lines
    assert notes_of_formats(lines) == {"segments": 3, "arrays of siblings": 3, "otlp": 3}


def test_failed_retrieval_is_reported_and_not_fatal(account, verify):
    account.destination = "CloudWatchLogs"
    start_retrieval = account.start_retrieval

    def start_failing(given):
        token = start_retrieval(given)
        account.retrievals[token]["statuses"] = ["RUNNING", "FAILED"]
        return token

    account.start_retrieval = start_failing
    code, lines = verify()
    assert (code, skipped(lines)) == (0, ["traces in X-Ray", "formats of X-Ray"]), lines


def test_late_spans_and_summaries_are_awaited(account, verify):
    put_segments, late = account.put_segments, []
    account.put_segments = lambda documents: late.append(documents[1:]) or put_segments(documents[:1])
    began, answer = account.clock.now, account.answer

    def delayed(method, path, headers, body):
        if path == "/TraceSummaries" and account.clock.now < began + 20:
            return 200, {"TraceSummaries": [], "TracesProcessedCount": 0}
        if path == "/Traces" and late and account.clock.now >= began + 100:
            for documents in late:
                put_segments(documents)
            late.clear()
        return answer(method, path, headers, body)

    account.answer = delayed
    code, lines = verify()
    assert (code, failures(lines)) == (0, []), lines
    assert notes_of_formats(lines) == {"segments": 3, "arrays of siblings": 3}


def test_users_do_not_remain_and_their_data_is_named(account, verify):
    _, lines = verify()
    assert account.users == {}
    commands = [shlex.split(line) for line in lines if "delete_user" in line]
    assert [one[-1] for one in commands] == ["sub1", "sub2"]
    for one in commands:
        assert set(one[1:4]) == {"TABLE_NAME=cruddur-Table-A", "HOME_SCHEDULE=", "AWS_REGION=us-east-1"}


@pytest.mark.parametrize("operation", ["AdminConfirmSignUp", "AdminInitiateAuth"])
def test_failed_sign_up_leaves_no_user(account, verify, operation):
    account.failing = {operation}
    code, _ = verify()
    assert code.startswith("verify.py: ")
    assert account.users == {}


def test_failed_deletion_is_reported_and_others_continue(account, verify):
    account.failing = {"AdminDeleteUser"}
    code, lines = verify()
    assert (code, len(failures(lines))) == (1, 2)
    assert set(account.users) == {line.split()[2] for line in failures(lines)}


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
def test_incomplete_trace_in_xray_fails(account, verify, change, names):
    account.change = changed("GET /api/activities/home", change)
    code, lines = verify()
    failed = failures(lines)
    assert code == 1
    assert failed[0].startswith("X-Ray: GET /api/activities/home: ")
    # Without its root, X-Ray's tree has another root or none.
    assert names in failed[0] or "0 roots" in failed[0]


def test_incomplete_trace_in_honeycomb_fails(account, verify):
    record = account.record

    def without_root(xray_id, trace_id, name):
        record(xray_id, trace_id, name)
        if name == "GET /api/message_groups":
            del account.events[-2]

    account.record = without_root
    code, lines = verify()
    assert (code, len(failures(lines))) == (1, 1)
    assert failures(lines)[0].startswith("Honeycomb: GET /api/message_groups: the roots are missing")


def test_unlinked_stream_fails(account, verify):
    account.linked = False
    code, lines = verify()
    assert (code, failures(lines)) == (1, ["Honeycomb: the stream consumer is linked to posts: no link"])


@pytest.mark.parametrize("destination", ["XRay", "Otlp", "SecondOtlp"])
@pytest.mark.parametrize("function", ["Api", "Signup", "Stream"])
def test_drop_after_the_first_report_fails(account, verify, function, destination):
    account.logs[function].drops = {f"{destination}Dropped": 3}
    code, lines = verify()
    assert (code, failures(lines)) == (1, [f"no dropped spans of {function}Function: 1 lines report drops"])


def test_function_without_report_is_not_checked(account, verify):
    account.logs["Stream"].invoked = lambda: None
    code, lines = verify()
    assert (code, skipped(lines)) == (0, ["no dropped spans of StreamFunction", "format otlp"]), lines


def test_rejected_formats_are_reported_and_not_fatal(account, verify):
    account.arrays = False
    code, lines = verify()
    assert (code, skipped(lines)) == (0, ["format arrays of siblings", "format otlp"])


@pytest.mark.parametrize("case", ["no key", "no query API", "sampled", "no key of the stack", "no receiver"])
def test_unavailable_honeycomb_is_reported_and_not_fatal(account, verify, case):
    account.query_api = case != "no query API"
    account.parameters |= {
        "sampled": {"SampleRate": "10"},
        "no key of the stack": {"HoneycombApiKeyParameter": ""},
        "no receiver": {"OtlpEndpoint": ""},
    }.get(case, {})
    code, lines = verify(**({"HONEYCOMB_CONFIGURATION_KEY": ""} if case == "no key" else {}))
    assert (code, skipped(lines)) == (0, ["traces and links in Honeycomb", "format otlp"]), lines


@pytest.mark.parametrize("receiver", [None, "https://collector.example.com", "http://collector.example.com:4318"])
def test_key_is_not_sent_to_another_receiver(account, verify, receiver):
    with served(account) as url:
        account.parameters["OtlpEndpoint"] = receiver or url
        code, lines = verify(HONEYCOMB_API_ENDPOINT="")
    assert (code, account.honeycomb_requests) == (0, 0)
    assert skipped(lines) == ["traces and links in Honeycomb", "format otlp"], lines


def test_collector_that_forwards_to_honeycomb_is_checked(account, verify):
    account.parameters |= {"OtlpEndpoint": "http://collector.example.com:4318", "HoneycombApiKeyParameter": ""}
    code, lines = verify()
    assert (code, skipped(lines)) == (0, ["format otlp"]), lines
    assert account.honeycomb_requests > 0

"""Runs operate/honeycomb.py against a fake of Honeycomb, and compares operate/honeycomb.json with exported spans."""

import email.utils
import json
import os
import re
import sys
import time
from pathlib import Path

import pytest
from fake_honeycomb import BUILT_IN, KEY, FakeHoneycomb, Rejected, columns_of, served
from processes import run
from transformed import source

DESIRED = json.loads(Path("operate/honeycomb.json").read_text())
QUERIES = [query["name"] for query in DESIRED["queries"]]
COLUMNS = {column["name"]: column for column in DESIRED["columns"]}
EXPORTED = json.loads(Path("docs/traces/data.json").read_text())
TYPES = {"string": str, "integer": int, "float": float, "boolean": bool}
# The counts of dropped spans that a root span may have.
DROPPED = set(
    re.findall(r'"(lambda_spans\.dropped\.[a-z_.]+)"', Path("crates/lambda-spans/src/attributes.rs").read_text())
)
# Attributes that no example contains, because they are rare.
RARE = {
    *DROPPED,
    "lambda_spans.interrupted",
    "lambda_spans.omitted",
    "lambda_spans.orphan",
    "lambda_spans.proactive_init",
    "client.trace_id",
}


@pytest.fixture
def fake():
    return FakeHoneycomb(DESIRED["datasets"])


@pytest.fixture
def applied(fake):
    """The fake after a first run."""
    code, lines = honeycomb(fake)
    assert code == 0, lines
    fake.requests.clear()
    return fake


def honeycomb(fake, *arguments, endpoint=None, key=KEY):
    """Runs the command. Returns the exit code and the lines of both outputs."""
    with served(fake) as address:
        environment = {"PATH": os.environ["PATH"], "HONEYCOMB_API_ENDPOINT": endpoint or address}
        if key is not None:
            environment["HONEYCOMB_CONFIGURATION_KEY"] = key
        done = run(sys.executable, "operate/honeycomb.py", *arguments, env=environment)
    output = done.stdout + done.stderr
    assert not key or key not in output
    return done.returncode, output.splitlines()


def assert_repaired(fake, writes):
    """The next run makes these requests, and the one after it makes none."""
    for expected in (writes, []):
        fake.requests.clear()
        code, lines = honeycomb(fake)
        assert (code, fake.writes()) == (0, expected), lines
    (board,) = [board for board in fake.boards.values() if board["name"] == "Cruddur"]
    assert shown(fake, board) == ["text", *QUERIES]


def shown(fake, board):
    return [
        fake.annotations[panel["query_panel"]["query_annotation_id"]]["name"] if panel["type"] == "query" else "text"
        for panel in board["panels"]
    ]


def test_first_run_creates_everything(fake):
    code, lines = honeycomb(fake)
    assert code == 0, lines
    assert sorted(fake.writes()) == sorted(
        [
            "POST /1/boards",
            "POST /1/slos/cruddur-api",
            *["POST /1/triggers/cruddur-api"] * 2,
            "POST /1/triggers/__all__",
            *["POST /1/derived_columns/cruddur-api"] * 2,
            *["POST /1/queries/__all__", "POST /1/query_annotations/__all__"] * len(QUERIES),
            *[f"POST /1/columns/{dataset}" for column in DESIRED["columns"] for dataset in column["datasets"]],
        ]
    )


def test_second_run_changes_nothing(applied):
    assert_repaired(applied, [])


def test_changed_column_is_restored_but_stays_hidden(applied):
    column = applied.columns["cruddur-api"]["app.user_id"]
    column |= {"description": "", "type": "float", "hidden": True}
    assert_repaired(applied, [f"PUT /1/columns/cruddur-api/{column['id']}"])
    column = applied.columns["cruddur-api"]["app.user_id"]
    assert (column["type"], column["hidden"]) == ("string", True)


def test_changed_board_is_restored(applied):
    (board,) = applied.boards.values()
    board["panels"].reverse()
    assert_repaired(applied, [f"PUT /1/boards/{board['id']}"])


def test_changed_query_is_replaced(applied):
    (board,), annotation = applied.boards.values(), next(iter(applied.annotations.values()))
    applied.queries[annotation["query_id"]]["time_range"] = 60
    assert_repaired(
        applied,
        [
            "POST /1/queries/__all__",
            "POST /1/query_annotations/__all__",
            f"PUT /1/boards/{board['id']}",
            f"DELETE /1/query_annotations/__all__/{annotation['id']}",
        ],
    )
    assert len(applied.annotations) == len(QUERIES)


def test_changed_description_is_restored(applied):
    annotation = next(iter(applied.annotations.values()))
    annotation["description"] = "mine (operate/honeycomb.json)"
    assert_repaired(applied, [f"PUT /1/query_annotations/__all__/{annotation['id']}"])


def test_changed_trigger_is_restored_and_keeps_its_recipients(applied):
    trigger = next(one for one in applied.triggers.values() if one["name"] == "Cruddur: error rate")
    trigger |= {"threshold": {"op": ">", "value": 50}, "disabled": True}
    trigger["recipients"] = [{"id": "abc", "type": "slack", "target": "#alerts"}]
    assert_repaired(applied, [f"PUT /1/triggers/cruddur-api/{trigger['id']}"])
    trigger = applied.triggers[trigger["id"]]
    assert (trigger["threshold"]["value"], trigger["disabled"]) == (1, True)
    assert [one["id"] for one in trigger["recipients"]] == ["abc"]


def test_changed_slo_and_calculated_field_are_restored(applied):
    (slo,), field = applied.slos.values(), next(iter(applied.derived_columns.values()))
    slo["target_per_million"], field["expression"] = 1, "1"
    assert_repaired(
        applied, [f"PUT /1/derived_columns/cruddur-api/{field['id']}", f"PUT /1/slos/cruddur-api/{slo['id']}"]
    )


def test_new_triggers_notify_the_given_address(fake):
    assert honeycomb(fake, "--email", "ops@example.org")[0] == 0
    (recipient,) = fake.recipients.values()
    assert recipient["details"] == {"email_address": "ops@example.org"}
    assert [trigger["recipients"] for trigger in fake.triggers.values()] == [[recipient]] * 3


def test_limits_of_the_free_plan_are_reported(fake):
    fake.max_triggers, fake.has_slos = 2, False
    code, lines = honeycomb(fake)
    skipped = [line for line in lines if line.startswith("skipped")]
    assert (code, len(skipped)) == (0, 2), lines
    assert "Cruddur: latency" in skipped[0]
    assert "403" in skipped[1]
    assert [one["name"] for one in fake.triggers.values()] == ["Cruddur: error rate", "Cruddur: lost telemetry"]


def test_missing_optional_permissions_are_reported(fake):
    fake.access |= {"triggers": False, "slos": False}
    code, lines = honeycomb(fake)
    assert (code, fake.triggers, fake.slos) == (0, {}, {})
    assert [line.split(":")[0] for line in lines if line.startswith("skipped")] == ["skipped triggers", "skipped slos"]


def test_email_needs_the_permission_for_recipients(fake):
    fake.access["recipients"] = False
    code, lines = honeycomb(fake, "--email", "ops@example.org")
    assert (code, fake.writes()) == (1, [])
    assert "Manage Recipients" in lines[-1]


def test_missing_key_names_every_permission(fake):
    code, lines = honeycomb(fake, key="")
    assert code == 1
    for permission in ("Manage Queries and Columns", "Run Queries", "Manage Triggers", "Manage SLOs"):
        assert permission in lines[-1]


def test_key_without_a_type_is_accepted(fake):
    fake.kind = None
    assert honeycomb(fake)[0] == 0


def test_lost_telemetry_trigger_counts_every_kind_of_drop():
    (trigger,) = [one for one in DESIRED["triggers"] if one["name"] == "Cruddur: lost telemetry"]
    assert len(DROPPED) == 10
    assert {one["column"] for one in trigger["query"]["filters"]} == DROPPED
    assert {name for name in COLUMNS if name.startswith("lambda_spans.dropped.")} == DROPPED
    # Each function drops spans in its own dataset.
    assert trigger["dataset"] == "__all__"
    assert trigger["query"]["filter_combination"] == "OR"


def test_objects_of_other_users_are_left_alone(applied):
    annotation = next(iter(applied.annotations.values()))
    applied.annotations["theirs"] = {
        "id": "theirs",
        "name": "Recent traces",
        "description": "mine",
        "query_id": annotation["query_id"],
    }
    applied.boards["theirs"] = {"id": "theirs", "name": "Theirs", "panels": []}
    assert_repaired(applied, [])


def test_second_board_of_the_name_is_an_error(applied):
    (board,) = applied.boards.values()
    applied.boards["copy"] = {**board, "id": "copy"}
    code, lines = honeycomb(applied)
    assert (code, applied.writes()) == (1, [])
    assert "'Cruddur'" in lines[-1]


def test_missing_dataset_of_the_api_is_an_error():
    fake = FakeHoneycomb([])
    code, lines = honeycomb(fake)
    assert (code, fake.writes()) == (1, [])
    assert "cruddur-api" in lines[-1]


def test_other_missing_datasets_are_reported():
    code, lines = honeycomb(FakeHoneycomb(["cruddur-api"]))
    later = [line for line in lines if line.startswith("later")]
    assert (code, len(later)) == (0, 3)
    for line, dataset in zip(later, ["cruddur-stream", "cruddur-signup", "cruddur-web"], strict=True):
        assert dataset in line


def test_marker_has_the_current_time(fake):
    before = int(time.time())
    assert honeycomb(fake, "marker", "v1.2.3", "--url", "https://example.org/v1.2.3")[0] == 0
    (marker,) = fake.markers.values()
    assert before <= marker.pop("start_time") <= time.time()
    assert marker == {"message": "v1.2.3", "type": "deploy", "url": "https://example.org/v1.2.3"}


def test_marker_needs_the_marker_permission_only(fake):
    fake.access |= {"boards": False, "columns": False}
    assert honeycomb(fake, "marker", "v1.2.4")[0] == 0
    fake.access["markers"] = False
    code, lines = honeycomb(fake, "marker", "v1.2.5")
    assert code == 1
    assert "Manage Markers" in lines[-1]


@pytest.mark.parametrize(
    ("key", "names"),
    [("wrong", "401"), (None, "HONEYCOMB_CONFIGURATION_KEY"), (f"{KEY}\nx", "HONEYCOMB_CONFIGURATION_KEY")],
)
def test_unusable_key_is_an_error(fake, key, names):
    assert_rejected(fake, names, key=key)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"kind": "ingest"}, "ingest key"),
        ({"access": {"boards": False, "columns": False}}, "Manage Queries and Columns, Manage Public Boards"),
        ({"environment": ""}, "Honeycomb Classic"),
    ],
)
def test_key_of_another_kind_is_an_error(fake, change, names):
    vars(fake).update(change)
    assert_rejected(fake, names)


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        (Rejected(301, "", {"Location": "https://example.org/"}), "301"),
        (Rejected(429, "Rate Limited", {"Retry-After": "3600"}), "3600"),
    ],
)
def test_redirect_and_long_wait_are_errors(fake, fault, names):
    fake.faults = [fault]
    assert_rejected(fake, names)


@pytest.mark.parametrize(
    ("endpoint", "names"),
    [("http://api.honeycomb.io", "https"), ("honeycomb", "https"), ("http://127.0.0.1:9", "127.0.0.1:9")],
)
def test_unusable_endpoint_is_an_error(fake, endpoint, names):
    assert_rejected(fake, names, endpoint=endpoint)


def assert_rejected(fake, names, **options):
    code, lines = honeycomb(fake, **options)
    assert (code, fake.writes()) == (1, [])
    assert names in lines[-1]


@pytest.mark.parametrize(
    "faults",
    [
        lambda: [None, Rejected(429, "Rate Limited", {"Retry-After": "1"})],
        lambda: [
            None,
            Rejected(429, "Rate Limited", {"Retry-After": email.utils.formatdate(time.time() + 3, usegmt=True)}),
        ],
        lambda: [Rejected(502, "Bad Gateway")],
    ],
    ids=["seconds", "date", "failed read"],
)
def test_transient_error_is_retried_after_a_wait(fake, faults):
    fake.faults = faults()
    began = time.monotonic()
    code, lines = honeycomb(fake)
    assert (code, sum(line.startswith("wait ") for line in lines)) == (0, 1)
    assert time.monotonic() - began >= 0.9


def test_failed_write_is_not_repeated_in_the_same_run(fake):
    # The first two requests read the kind of the key and the columns. The write may have succeeded.
    fake.faults = [None, None, Rejected(500, "Internal")]
    code, lines = honeycomb(fake)
    assert (code, fake.writes()) == (1, ["POST /1/columns/cruddur-api"])
    assert "500" in lines[-1]
    assert honeycomb(fake)[0] == 0


def test_columns_are_unique_and_valid():
    assert len(COLUMNS) == len(DESIRED["columns"])
    for column in COLUMNS.values():
        assert column["type"] in TYPES
        assert 0 < len(column["description"]) <= 255


def test_queries_use_existing_columns():
    assert set().union(*(columns_of(query["query"]) for query in DESIRED["queries"])) <= COLUMNS.keys() | BUILT_IN


def test_datasets_are_the_services_of_the_template_and_the_page():
    functions = [
        resource["Properties"]
        for resource in source()["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    ]
    services = {function["Environment"]["Variables"]["OTEL_SERVICE_NAME"] for function in functions}
    assert services | {"cruddur-web"} == set(DESIRED["datasets"])


# `test_page_trace.py` compares the columns of the page's spans.
@pytest.mark.parametrize("dataset", [dataset for dataset in DESIRED["datasets"] if dataset != "cruddur-web"])
def test_columns_are_the_exported_attributes(dataset):
    described = {name for name, column in COLUMNS.items() if dataset in column["datasets"]}
    expected = attributes_in_traces(dataset)
    assert expected <= described
    exported = set().union(*(span["attributes"] for span in exported_spans() if span["service"] == dataset))
    if dataset == "cruddur-signup":
        # The captured invocations contain no sign-up.
        exported = {name for span in exported_spans() for name in span["attributes"] if not name.startswith("app.")}
    assert described <= expected | exported | RARE


def test_exported_values_have_the_type_of_their_column():
    assert {
        name
        for span in exported_spans()
        for name, value in span["attributes"].items()
        if name in COLUMNS and type(value) is not TYPES[COLUMNS[name]["type"]]
    } == set()


def attributes_in_traces(dataset):
    """Returns the attributes of the expected traces of `cargo test`, which are lines of `key = value`."""
    datasets = {"stream": "cruddur-stream", "signup": "cruddur-signup"}
    return {
        key
        for path in Path("tests/traces").glob("*.txt")
        if datasets.get(path.stem, "cruddur-api") == dataset
        for key in re.findall(r"^ *([a-z_]+(?:\.[a-z_]+)+) = ", path.read_text(), re.MULTILINE)
    }


def exported_spans():
    return [span for invocation in EXPORTED["invocations"] for span in invocation["otlp"]]

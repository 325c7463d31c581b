#!/usr/bin/env python3
"""operate/honeycomb.py against a stand-in for Honeycomb that takes the documented requests and no others; and the names
in operate/honeycomb.json beside those that are really sent.

The shapes are those of Honeycomb's own description, https://api-docs.honeycomb.io. Needs nothing but Python 3.
"""

import contextlib
import copy
import email.utils
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from answers import Report

COMMAND = "operate/honeycomb.py"
DESIRED = json.loads(Path("operate/honeycomb.json").read_text())
KEY = "hcxlk-stand-in-0123456789abcdef"
EXPORTED = Path("docs/traces/data.json")

TEXT, WHOLE, TRUTH = (str,), (int,), (bool,)
OPS = {"COUNT", "SUM", "AVG", "COUNT_DISTINCT", "HEATMAP", "MAX", "MIN", "P50", "P90", "P99"}
FILTERS = {"=", "!=", ">", ">=", "<", "<=", "exists", "does-not-exist", "starts-with", "in", "not-in"}
# Of each body: the fields there are, with their types, and those there must be.
COLUMN = ({"key_name": TEXT, "type": TEXT, "description": TEXT, "hidden": TRUTH}, {"key_name"})
QUERY = ({"breakdowns": (list,), "calculations": (list,), "filters": (list,), "filter_combination": TEXT,
          "granularity": WHOLE, "orders": (list,), "limit": WHOLE, "start_time": WHOLE, "end_time": WHOLE,
          "time_range": WHOLE, "havings": (list,), "calculated_fields": (list,)}, set())
CALCULATION = ({"op": TEXT, "column": TEXT}, {"op"})
FILTER = ({"op": TEXT, "column": TEXT, "value": (str, int, float, bool, list)}, {"op", "column"})
ORDER = ({"op": TEXT, "column": TEXT, "order": TEXT}, set())
ANNOTATION = ({"name": TEXT, "description": TEXT, "query_id": TEXT}, {"name", "query_id"})
BOARD = ({"name": TEXT, "description": TEXT, "type": TEXT, "panels": (list,), "layout_generation": TEXT,
          "tags": (list,), "preset_filters": (list,)}, {"name", "type"})
QUERY_PANEL = ({"type": TEXT, "position": (dict,), "query_panel": (dict,)}, {"type", "query_panel"})
TEXT_PANEL = ({"type": TEXT, "position": (dict,), "text_panel": (dict,)}, {"type", "text_panel"})
SHOWN = ({"query_id": TEXT, "query_annotation_id": TEXT, "query_style": TEXT, "visualization_settings": (dict,)},
         {"query_id", "query_annotation_id"})
POSITION = ({"x_coordinate": WHOLE, "y_coordinate": WHOLE, "height": WHOLE, "width": WHOLE}, set())
MARKER = ({"start_time": WHOLE, "end_time": WHOLE, "message": TEXT, "type": TEXT, "url": TEXT}, set())

TYPES = {"string": str, "integer": int, "float": float, "boolean": bool}

# Columns that Honeycomb itself makes of every span that comes by OTLP.
ITS_OWN = {"name", "duration_ms", "service.name", "trace.trace_id", "trace.parent_id", "trace.span_id"}
# Sent so seldom that no example has them: the code alone says that they are there.
SELDOM = {"lambda_spans.interrupted", "client.trace_id"}
# In log lines alone.
LOGGED = {"app.dead_letter", "app.sequence_number", "app.writer_trace_id"}


class Refused(Exception):
    def __init__(self, status, said, headers=()):
        super().__init__(said)
        self.status, self.said, self.headers = status, said, dict(headers)


class StandIn:
    """One environment of Honeycomb. `faults` are answers to the next requests, each in place of what would be done."""

    def __init__(self, datasets):
        self.access = dict.fromkeys(["events", "markers", "boards", "columns", "queries"], True)
        self.kind, self.environment = "configuration", "production"
        self.columns = {dataset: {} for dataset in datasets}
        self.queries, self.annotations, self.boards, self.markers = {}, {}, {}, {}
        self.requests, self.faults, self.made = [], [], 0

    def new_id(self):
        self.made += 1
        return f"id{self.made:08}"

    def writes(self):
        return [request for request in self.requests if not request.startswith("GET ")]

    def answer(self, method, path, headers, body):
        """The status and the JSON that Honeycomb answers."""
        self.requests.append(f"{method} {path}")
        if headers.get("X-Honeycomb-Team") != KEY:
            raise Refused(401, "unknown API key - check your credentials")
        if self.faults and (fault := self.faults.pop(0)):
            raise fault
        if body is not None and headers.get("Content-Type") != "application/json":
            raise Refused(415, "not JSON")
        if (body is None) != (method in ("GET", "DELETE")):
            raise Refused(400, "a body where there is none, or none where there is one")
        path, _, query = path.partition("?")
        match method, *path.strip("/").split("/"):
            case "GET", "1", "auth":
                return 200, {"id": "hcxlk_01", "type": self.kind, "api_key_access": self.access,
                             "environment": {"name": self.environment.title(), "slug": self.environment},
                             "team": {"name": "Cruddur", "slug": "cruddur"}}
            case "GET", "1", "columns", dataset:
                return 200, list(self.dataset(dataset).values())
            case "POST", "1", "columns", dataset:
                check(body, COLUMN)
                columns = self.dataset(dataset)
                if body["key_name"] in columns:
                    raise Refused(409, "a column of that name exists")
                columns[body["key_name"]] = self.column(body, self.new_id())
                return 201, columns[body["key_name"]]
            case "PUT", "1", "columns", dataset, column_id:
                check(body, COLUMN)
                column = by_id(self.dataset(dataset), column_id)
                if column["key_name"] != body["key_name"]:
                    raise Refused(400, "Key name cannot be changed")
                self.dataset(dataset)[body["key_name"]] = self.column(body, column_id)
                return 200, self.dataset(dataset)[body["key_name"]]
            case "POST", "1", "queries", "__all__":
                self.check_query(body)
                query_id = self.new_id()
                # It answers what was asked, without what is so by default.
                kept = {key: value for key, value in body.items() if (key, value) != ("filter_combination", "AND")}
                self.queries[query_id] = {"id": query_id, **kept}
                return 200, self.queries[query_id]
            case "GET", "1", "queries", "__all__", query_id:
                return 200, by_id(self.queries, query_id)
            case "GET", "1", "query_annotations", "__all__":
                if query not in ("", "include_board_annotations=true"):
                    raise Refused(400, f"unknown parameter {query}")
                return 200, list(self.annotations.values())
            case "POST", "1", "query_annotations", "__all__":
                self.check_annotation(body)
                annotation_id = self.new_id()
                self.annotations[annotation_id] = {"id": annotation_id, "source": "query", **body}
                return 201, self.annotations[annotation_id]
            case "PUT", "1", "query_annotations", "__all__", annotation_id:
                self.check_annotation(body)
                if by_id(self.annotations, annotation_id)["query_id"] != body["query_id"]:
                    raise Refused(400, "queries in annotations cannot be changed")
                self.annotations[annotation_id].update(body)
                return 200, self.annotations[annotation_id]
            case "DELETE", "1", "query_annotations", "__all__", annotation_id:
                by_id(self.annotations, annotation_id)
                shown = [panel.get("query_panel", {}).get("query_annotation_id")
                         for board in self.boards.values() for panel in board["panels"]]
                if annotation_id in shown:
                    raise Refused(409, "a board shows it")
                del self.annotations[annotation_id]
                return 204, None
            case "GET", "1", "boards":
                return 200, list(self.boards.values())
            case "POST", "1", "boards":
                return 201, self.board(body, self.new_id())
            case "PUT", "1", "boards", board_id:
                by_id(self.boards, board_id)
                return 200, self.board(body, board_id)
            case "POST", "1", "markers", "__all__":
                check(body, MARKER)
                marker_id = self.new_id()
                self.markers[marker_id] = body
                return 201, {"id": marker_id, **body}
        raise Refused(404, f"there is no {method} {path}")

    def dataset(self, name):
        if name not in self.columns:
            raise Refused(404, "Dataset not found")
        return self.columns[name]

    @staticmethod
    def column(body, column_id):
        if body.get("type") not in ("string", "float", "integer", "boolean") or len(body.get("description", "")) > 255:
            raise Refused(422, "The provided input is invalid.")
        return {"hidden": False, **body, "id": column_id, "last_written": "2026-11-22T22:38:05Z"}

    def check_query(self, body):
        check(body, QUERY)
        [check(calculation, CALCULATION, op=OPS) for calculation in body.get("calculations", [])]
        [check(condition, FILTER, op=FILTERS) for condition in body.get("filters", [])]
        [check(order, ORDER, op=OPS, order={"ascending", "descending"}) for order in body.get("orders", [])]
        for condition in body.get("filters", []):
            if ("value" in condition) == (condition["op"] in ("exists", "does-not-exist")):
                raise Refused(422, f"filter {condition}")
        # Each term of the order is a breakdown or a calculation.
        terms = [{"column": name} for name in body.get("breakdowns", [])] + body.get("calculations", [])
        for order in body.get("orders", []):
            if {key: value for key, value in order.items() if key != "order"} not in terms:
                raise Refused(422, f"order {order} is neither a breakdown nor a calculation")
        if not 1 <= body.get("limit", 100) <= 1000:
            raise Refused(422, "limit")
        there = ITS_OWN.union(*self.columns.values())
        for name in columns_of(body):
            if name not in there:
                raise Refused(422, f"unknown column {name}")

    def check_annotation(self, body):
        check(body, ANNOTATION)
        by_id(self.queries, body["query_id"])
        if not 1 <= len(body["name"]) <= 320 or len(body.get("description", "")) > 1023:
            raise Refused(422, "name or description")

    def board(self, body, board_id):
        check(body, BOARD, type={"flexible"}, layout_generation={"auto", "manual"})
        if len(body.get("description", "")) > 1024:
            raise Refused(422, "description")
        board = copy.deepcopy(body)
        board.pop("layout_generation", None)
        for panel in board.get("panels", []):
            check(panel.get("position", {}), POSITION)
            if panel.get("type") == "text":
                check(panel, TEXT_PANEL)
                check(panel["text_panel"], ({"content": TEXT}, {"content"}))
                continue
            check(panel, QUERY_PANEL, type={"query"})
            shown = panel["query_panel"]
            check(shown, SHOWN, query_style={"graph", "table", "combo"})
            annotation = by_id(self.annotations, shown["query_annotation_id"])
            if annotation["query_id"] != shown["query_id"]:
                raise Refused(422, "the annotation is another query's")
            shown |= {"dataset": "", "visualization_settings": {"hide_markers": False}}
        url = f"https://ui.honeycomb.io/cruddur/environments/production/board/{board_id}"
        self.boards[board_id] = {**board, "id": board_id, "links": {"board_url": url}}
        return self.boards[board_id]


def check(body, shape, **allowed):
    fields, needed = shape
    if not isinstance(body, dict):
        raise Refused(400, "not an object")
    unknown, missing = body.keys() - fields.keys(), needed - body.keys()
    wrong = [key for key, value in body.items() if key in fields and type(value) not in fields[key]]
    wrong += [key for key, values in allowed.items() if key in body and body[key] not in values]
    if unknown or missing or wrong:
        raise Refused(422, f"unknown {sorted(unknown)}, missing {sorted(missing)}, wrong {sorted(wrong)}")


def by_id(things, wanted):
    for thing in things.values():
        if thing["id"] == wanted:
            return thing
    raise Refused(404, "not found")


def columns_of(query):
    parts = [*query.get("calculations", []), *query.get("filters", []), *query.get("orders", [])]
    return {*query.get("breakdowns", []), *(part["column"] for part in parts if "column" in part)}


@contextlib.contextmanager
def served(stand_in):
    """Yields the address where it answers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def respond(self):
            length = self.headers.get("Content-Length")
            body = json.loads(self.rfile.read(int(length))) if length else None
            headers = {}
            try:
                status, answer = stand_in.answer(self.command, self.path, self.headers, body)
            except Refused as refused:
                status, answer, headers = refused.status, {"error": refused.said}, refused.headers
            text = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"Content-Length": len(text), **headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = respond

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def run(endpoint, *arguments, key=KEY):
    """The exit code and the lines of both outputs, with the endpoint's address masked."""
    environment = {"PATH": os.environ["PATH"], "HONEYCOMB_API_ENDPOINT": endpoint}
    if key is not None:
        environment["HONEYCOMB_CONFIGURATION_KEY"] = key
    done = subprocess.run([sys.executable, COMMAND, *arguments], env=environment, capture_output=True, text=True)
    text = done.stdout + done.stderr
    assert not key or key not in text, "the key is told"
    return done.returncode, text.replace(endpoint, "<endpoint>").splitlines()


def main():
    report = Report()
    names(report)
    stand_in_itself(report)
    state(report)
    marker(report)
    faults(report)
    report.end()


def state(report):
    stand_in = StandIn(DESIRED["datasets"])
    count = len(DESIRED["queries"])
    sent = sum(len(column["datasets"]) for column in DESIRED["columns"])
    with served(stand_in) as endpoint:
        code, lines = run(endpoint)
        if not report.compare("the first run makes everything", (0, f"{sent + count + 1} changes in cruddur/production"),
                              (code, lines[-1])):
            report.end()
        report.compare("its requests", sorted(["POST /1/boards"] + ["POST /1/queries/__all__"] * count
                                              + ["POST /1/query_annotations/__all__"] * count
                                              + [f"POST /1/columns/{dataset}" for column in DESIRED["columns"]
                                                 for dataset in column["datasets"]]), sorted(stand_in.writes()))
        (board,) = stand_in.boards.values()
        report.compare("the board shows a text and every query, in their order",
                       ["text", *(query["name"] for query in DESIRED["queries"])], shown(stand_in, board))
        unchanged(report, stand_in, endpoint, "the second run changes nothing")

        # What people do to it meanwhile.
        column = stand_in.columns["cruddur-api"]["app.user_id"]
        column |= {"description": "", "type": "float", "hidden": True}
        board["panels"].reverse()
        mended(report, stand_in, endpoint, "a column and a board that were changed are mended, the hidden column stays hidden", [
            "changed column app.user_id of cruddur-api", "changed board 'Cruddur'"])
        report.compare("the column", ("string", True), (column_of(stand_in)["type"], column_of(stand_in)["hidden"]))

        first = next(iter(stand_in.annotations.values()))
        stand_in.queries[first["query_id"]]["time_range"] = 60
        mended(report, stand_in, endpoint, "a query that is another now gives way to a new one", [
            "made    query 'Latency by user'", "changed board 'Cruddur'", "removed query 'Latency by user'"])
        report.compare("no name is there twice", count, len(stand_in.annotations))

        first = next(iter(stand_in.annotations.values()))
        first["description"] = "mine (operate/honeycomb.json)"
        mended(report, stand_in, endpoint, "a description that was changed is mended",
               [f"changed query {first['name']!r}"])

        stand_in.annotations["theirs"] = {"id": "theirs", "name": "Recent traces", "description": "mine",
                                          "query_id": first["query_id"]}
        stand_in.boards["theirs"] = {"id": "theirs", "name": "Theirs", "panels": []}
        unchanged(report, stand_in, endpoint, "what others have saved is left alone")

        stand_in.boards["copy"] = {**board, "id": "copy"}
        code, lines = run(endpoint)
        report.compare("two boards of the name are told, not a third made",
                       (1, "honeycomb.py: there are 2 boards named 'Cruddur': "), (code, lines[-1].split("https")[0]))

    stand_in = StandIn(["cruddur-api"])
    with served(stand_in) as endpoint:
        code, lines = run(endpoint)
        later = "later   dataset {}: no trace has come yet; run this again when one has"
        report.compare("datasets that are yet to come are told", (0, [later.format("cruddur-stream"), later.format("cruddur-signup")]),
                       (code, [line for line in lines if line.startswith("later")]))
    stand_in = StandIn([])
    with served(stand_in) as endpoint:
        report.compare("an environment without a trace is told so, and left as it is", (
            1, ["honeycomb.py: there is no dataset cruddur-api in this environment: Honeycomb makes it when the first trace "
                "comes. Send one (curl the API once), wait a minute, and run this again."], []),
            (*run(endpoint), stand_in.writes()))


def shown(stand_in, board):
    return [stand_in.annotations[panel["query_panel"]["query_annotation_id"]]["name"] if panel["type"] == "query"
            else "text" for panel in board["panels"]]


def column_of(stand_in):
    return stand_in.columns["cruddur-api"]["app.user_id"]


def unchanged(report, stand_in, endpoint, name):
    stand_in.requests.clear()
    code, lines = run(endpoint)
    report.compare(name, (0, "no changes in cruddur/production", []), (code, lines[-1], stand_in.writes()))


def mended(report, stand_in, endpoint, name, expected):
    code, lines = run(endpoint)
    report.compare(name, (0, expected), (code, [line for line in lines if not line.startswith(("board", str(len(expected))))]))
    unchanged(report, stand_in, endpoint, f"{name}, and then all is well")
    boards = [board for board in stand_in.boards.values() if board["name"] == "Cruddur"]
    report.compare(f"{name}, on one board", ["text", *(query["name"] for query in DESIRED["queries"])],
                   shown(stand_in, boards[0]) if len(boards) == 1 else boards)


def marker(report):
    stand_in = StandIn(DESIRED["datasets"])
    with served(stand_in) as endpoint:
        before = int(time.time())
        code, lines = run(endpoint, "marker", "v1.2.3", "--url", "https://example.org/v1.2.3")
        (made,) = stand_in.markers.values()
        report.compare("a marker is made at this time", (0, True, ["made    marker 'v1.2.3'", "1 change in cruddur/production"]),
                       (code, before <= made.pop("start_time") <= time.time(), lines))
        report.compare("its body", {"message": "v1.2.3", "type": "deploy", "url": "https://example.org/v1.2.3"}, made)
        stand_in.access |= {"boards": False, "columns": False}
        report.compare("a marker needs no other permission", 0, run(endpoint, "marker", "v1.2.4")[0])
        stand_in.access["markers"] = False
        code, lines = run(endpoint, "marker", "v1.2.5")
        report.compare("a key that may not make markers", (1, True), (code, "may not: Manage Markers." in lines[-1]))


def faults(report):
    def told(name, expected, stand_in=None, faults=(), **options):
        stand_in = stand_in or StandIn(DESIRED["datasets"])
        stand_in.faults = list(faults)
        with served(stand_in) as endpoint:
            code, lines = run(endpoint, **options)
        report.compare(name, (1, True, []), (code, expected in lines[-1], stand_in.writes()))
        if expected not in lines[-1]:
            print(f"  {lines[-1]}")

    kinds = "configuration key of this environment (Environment settings, API keys, Configuration), not an ingest or management key"
    told("an unknown key", f"Honeycomb refuses the key (401: unknown API key - check your credentials). It must be a {kinds}, "
         "and may: Manage Queries and Columns, Manage Public Boards, Manage Markers.", key="wrong")
    told("no key", "HONEYCOMB_CONFIGURATION_KEY is not set. Make a configuration key", key=None)
    told("a key with a line break", "has characters that no key has", key=f"{KEY}\nx")
    stand_in = StandIn(DESIRED["datasets"])
    stand_in.kind = "ingest"
    told("an ingest key", "is an ingest key of cruddur, which may only send. Make a configuration key", stand_in)
    stand_in = StandIn(DESIRED["datasets"])
    stand_in.access |= {"boards": False, "columns": False}
    told("a key without permissions", "the key of cruddur/production may not: Manage Queries and Columns, Manage Public Boards.",
         stand_in)
    stand_in = StandIn(DESIRED["datasets"])
    stand_in.environment = ""
    told("a key of Honeycomb Classic", "belongs to Honeycomb Classic", stand_in)
    redirect = Refused(301, "", {"Location": "https://example.org/"})
    told("a redirect is not followed", "leads elsewhere (301). The key is not sent there", faults=[redirect])
    told("a limit for longer than a minute", "it says to come back after 3600.",
         faults=[Refused(429, "Rate Limited", {"Retry-After": "3600"})])

    for name, endpoint, expected in [
            ("an address without TLS", "http://api.honeycomb.io", "not an https address"),
            ("no address", "honeycomb", "not an https address"),
            ("nobody there", "http://127.0.0.1:9", "gave no answer to GET /1/auth: [Errno 111] Connection refused")]:
        code, lines = run(endpoint)
        report.compare(name, (1, True), (code, expected in lines[-1]))

    # In order: the request for the kind of key, then the first change.
    for name, fault in [("after the seconds", lambda: [None, Refused(429, "Rate Limited", {"Retry-After": "1"})]),
                        ("after the date", lambda: [Refused(429, "Rate Limited", {"Retry-After": in_seconds(3)})]),
                        ("for an answer that failed", lambda: [Refused(502, "Bad Gateway")])]:
        stand_in = StandIn(DESIRED["datasets"])
        stand_in.faults = fault()
        with served(stand_in) as endpoint:
            began = time.monotonic()
            code, lines = run(endpoint)
        waited = time.monotonic() - began
        report.compare(f"it waits and goes on {name}", (0, 1, True),
                       (code, sum(line.startswith("wait ") for line in lines), waited >= 0.9))

    stand_in = StandIn(DESIRED["datasets"])
    stand_in.faults = [None, None, Refused(500, "Internal")]
    with served(stand_in) as endpoint:
        code, lines = run(endpoint)
        report.compare("a change that failed is not sent again, since it may be done",
                       (1, "honeycomb.py: POST /1/columns/cruddur-api was answered with 500: Internal", 1),
                       (code, lines[-1], len(stand_in.writes())))
        report.compare("and the next run goes on from there", 0, run(endpoint)[0])


def in_seconds(count):
    return email.utils.formatdate(time.time() + count, usegmt=True)


def stand_in_itself(report):
    """What is not documented is refused."""
    headers = {"X-Honeycomb-Team": KEY, "Content-Type": "application/json"}
    for status, method, path, body in [
            (422, "POST", "/1/boards", {"name": "x", "type": "flexible", "colour": "red"}),
            (422, "POST", "/1/boards", {"name": "x", "type": "classic"}),
            (422, "POST", "/1/queries/__all__", {"calculations": [{"op": "MEDIAN", "column": "duration_ms"}]}),
            (422, "POST", "/1/queries/__all__", {"breakdowns": ["app.nothing"]}),
            (422, "POST", "/1/queries/__all__", {"orders": [{"op": "COUNT"}], "calculations": []}),
            (404, "POST", "/1/query_annotations/__all__", {"name": "x", "query_id": "none"}),
            (422, "POST", "/1/columns/cruddur-api", {"key_name": "x", "type": "text"}),
            (404, "POST", "/1/columns/other", {"key_name": "x"}),
            (422, "POST", "/1/markers/__all__", {"message": "x", "colour": "red"}),
            (404, "PATCH", "/1/boards/x", {}),
            (400, "GET", "/1/boards", {})]:
        try:
            found = StandIn(DESIRED["datasets"]).answer(method, path, headers, body)
        except Refused as refused:
            found = refused.status
        report.compare(f"the stand-in refuses {method} {path} {body}", status, found)


def names(report):
    """What is described is what is sent, and what is sent is described."""
    columns = {column["name"]: column for column in DESIRED["columns"]}
    report.compare("each column is there once", len(DESIRED["columns"]), len(columns))
    report.compare("a column's type and description are what Honeycomb takes", [], [
        name for name, column in columns.items()
        if column["type"] not in ("string", "float", "integer", "boolean") or not 0 < len(column["description"]) <= 255])
    asked = set().union(*(columns_of(query["query"]) for query in DESIRED["queries"]))
    report.compare("queries ask for columns that are there", set(), asked - columns.keys() - ITS_OWN)

    # Of each dataset, in the traces that `cargo test` compares, and in those that the functions export.
    sent = {dataset: set() for dataset in DESIRED["datasets"]}
    for path in Path("tests/traces").glob("*.txt"):
        dataset = {"stream": "cruddur-stream", "signup": "cruddur-signup"}.get(path.stem, "cruddur-api")
        sent[dataset] |= set(re.findall(r"^ *([a-z_]+(?:\.[a-z_]+)+) = ", path.read_text(), re.MULTILINE))
    described = {dataset: {name for name, column in columns.items() if dataset in column["datasets"]} for dataset in sent}
    for dataset, found in sent.items():
        report.compare(f"all that tests/traces has of {dataset} is a column", set(), found - described[dataset])
    exported, other_type = {dataset: set() for dataset in sent}, set()
    for invocation in json.loads(EXPORTED.read_text())["invocations"]:
        for span in invocation["otlp"]:
            exported[span["service"]] |= span["attributes"].keys()
            other_type |= {name for name, value in span["attributes"].items()
                           if name in columns and type(value) is not TYPES[columns[name]["type"]]}
    report.compare("what is sent has the column's type", set(), other_type)
    # The pictures have nobody sign up: of that function, all may be that is not an attribute of our own.
    exported["cruddur-signup"] = {name for name in set().union(*exported.values()) if not name.startswith("app.")}
    for dataset, found in described.items():
        known = sent[dataset] | exported[dataset] | SELDOM
        report.compare(f"every column of {dataset} is sent", set(), found - known)

    cruddur, library = code_of("src"), code_of("crates/lambda-spans/src")
    report.compare("every column is named by the code", [], [
        name for name in columns if not re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", cruddur + library)])
    report.compare("the app. attributes of the code are the app. columns",
                   sorted(set(re.findall(r"(?<![\w.])app\.[a-z_]+", cruddur)) - LOGGED),
                   sorted(name for name in columns if name.startswith("app.")))

    template = Path("template.yaml").read_text()
    report.compare("the datasets are the services of template.yaml", sorted(DESIRED["datasets"]),
                   sorted(set(re.findall(r"OTEL_SERVICE_NAME: (\S+)", template))))


def code_of(folder):
    return "\n".join(path.read_text() for path in Path(folder).rglob("*.rs") if "test" not in path.stem)


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()

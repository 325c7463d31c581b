"""A fake of Honeycomb's API that accepts the documented requests and rejects all others.

The shapes are those of Honeycomb's own description, https://api-docs.honeycomb.io.
"""

import contextlib
import copy
import json

import jsonschema
from processes import http_server

KEY = "hcxlk-fake-0123456789abcdef"
# Columns that Honeycomb creates for every OTLP span.
BUILT_IN = {"name", "duration_ms", "service.name", "trace.trace_id", "trace.parent_id", "trace.span_id"}


def shape(fields, **schemas):
    """Returns the JSON schema of an object. `fields` are `name:type` or, if required, `name!:type`."""
    types = dict(field.split(":") for field in fields.split())
    return {
        "type": "object",
        "properties": {
            name.rstrip("!"): {"type": kind} | schemas.get(name.rstrip("!"), {}) for name, kind in types.items()
        },
        "required": [name.rstrip("!") for name in types if name.endswith("!")],
        "additionalProperties": False,
    }


def words(text):
    return {"enum": text.split()}


OP = words("COUNT SUM AVG COUNT_DISTINCT HEATMAP MAX MIN P50 P90 P99")
COLUMN = shape(
    "key_name!:string type!:string description:string hidden:boolean",
    type=words("string float integer boolean"),
    description={"maxLength": 255},
)
CALCULATION = shape("op!:string column:string", op=OP)
FILTER = shape("op!:string column!:string", op=words("= != > >= < <= exists does-not-exist starts-with in not-in"))
FILTER["properties"]["value"] = {}
ORDER = shape("op:string column:string order:string", op=OP, order=words("ascending descending"))
QUERY = shape(
    "breakdowns:array calculations:array filters:array filter_combination:string granularity:integer orders:array "
    "limit:integer start_time:integer end_time:integer time_range:integer havings:array calculated_fields:array",
    calculations={"items": CALCULATION},
    filters={"items": FILTER},
    orders={"items": ORDER},
    limit={"minimum": 1, "maximum": 1000},
)
ANNOTATION = shape(
    "name!:string description:string query_id!:string",
    name={"minLength": 1, "maxLength": 320},
    description={"maxLength": 1023},
)
POSITION = shape("x_coordinate:integer y_coordinate:integer height:integer width:integer")
TEXT_PANEL = shape(
    "type!:string position:object text_panel!:object",
    type=words("text"),
    position=POSITION,
    text_panel=shape("content!:string"),
)
QUERY_PANEL = shape(
    "type!:string position:object query_panel!:object",
    type=words("query"),
    position=POSITION,
    query_panel=shape(
        "query_id!:string query_annotation_id!:string query_style:string visualization_settings:object",
        query_style=words("graph table combo"),
    ),
)
BOARD = shape(
    "name!:string description:string type!:string panels:array layout_generation:string tags:array "
    "preset_filters:array",
    type=words("flexible"),
    description={"maxLength": 1024},
    layout_generation=words("auto manual"),
    panels={"items": {"oneOf": [TEXT_PANEL, QUERY_PANEL]}},
)
MARKER = shape("start_time:integer end_time:integer message:string type:string url:string")


class Rejected(Exception):
    def __init__(self, status, message, headers=()):
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers)


class FakeHoneycomb:
    """One environment of Honeycomb. Each of `faults` replaces the response to one of the next requests."""

    def __init__(self, datasets):
        self.access = dict.fromkeys(["events", "markers", "boards", "columns", "queries"], True)
        self.kind, self.environment = "configuration", "production"
        self.columns = {dataset: {} for dataset in datasets}
        self.queries, self.annotations, self.boards, self.markers = {}, {}, {}, {}
        self.requests, self.faults, self.created = [], [], 0

    def new_id(self):
        self.created += 1
        return f"id{self.created:08}"

    def writes(self):
        return [request for request in self.requests if not request.startswith("GET ")]

    def answer(self, method, path, headers, body):
        """Returns the status and the JSON of the response."""
        self.requests.append(f"{method} {path}")
        if headers.get("X-Honeycomb-Team") != KEY:
            raise Rejected(401, "unknown API key - check your credentials")
        if self.faults and (fault := self.faults.pop(0)):
            raise fault
        if body is not None and headers.get("Content-Type") != "application/json":
            raise Rejected(415, "not JSON")
        if (body is None) != (method in ("GET", "DELETE")):
            raise Rejected(400, "a body is missing or not allowed")
        path, _, query = path.partition("?")
        match method, *path.strip("/").split("/"):
            case "GET", "1", "auth":
                return 200, {
                    "id": "hcxlk_01",
                    "type": self.kind,
                    "api_key_access": self.access,
                    "environment": {"name": self.environment.title(), "slug": self.environment},
                    "team": {"name": "Cruddur", "slug": "cruddur"},
                }
            case "GET", "1", "columns", dataset:
                return 200, list(self.dataset(dataset).values())
            case "POST", "1", "columns", dataset:
                check(body, COLUMN)
                columns = self.dataset(dataset)
                if body["key_name"] in columns:
                    raise Rejected(409, "a column of that name exists")
                columns[body["key_name"]] = column(body, self.new_id())
                return 201, columns[body["key_name"]]
            case "PUT", "1", "columns", dataset, column_id:
                check(body, COLUMN)
                if by_id(self.dataset(dataset), column_id)["key_name"] != body["key_name"]:
                    raise Rejected(400, "Key name cannot be changed")
                self.dataset(dataset)[body["key_name"]] = column(body, column_id)
                return 200, self.dataset(dataset)[body["key_name"]]
            case "POST", "1", "queries", "__all__":
                self.check_query(body)
                query_id = self.new_id()
                # The response omits defaults.
                kept = {key: value for key, value in body.items() if (key, value) != ("filter_combination", "AND")}
                self.queries[query_id] = {"id": query_id, **kept}
                return 200, self.queries[query_id]
            case "GET", "1", "queries", "__all__", query_id:
                return 200, by_id(self.queries, query_id)
            case "GET", "1", "query_annotations", "__all__":
                if query not in ("", "include_board_annotations=true"):
                    raise Rejected(400, f"unknown parameter {query}")
                return 200, list(self.annotations.values())
            case "POST", "1", "query_annotations", "__all__":
                self.check_annotation(body)
                annotation_id = self.new_id()
                self.annotations[annotation_id] = {"id": annotation_id, "source": "query", **body}
                return 201, self.annotations[annotation_id]
            case "PUT", "1", "query_annotations", "__all__", annotation_id:
                self.check_annotation(body)
                if by_id(self.annotations, annotation_id)["query_id"] != body["query_id"]:
                    raise Rejected(400, "queries in annotations cannot be changed")
                self.annotations[annotation_id].update(body)
                return 200, self.annotations[annotation_id]
            case "DELETE", "1", "query_annotations", "__all__", annotation_id:
                by_id(self.annotations, annotation_id)
                shown = [
                    panel.get("query_panel", {}).get("query_annotation_id")
                    for board in self.boards.values()
                    for panel in board["panels"]
                ]
                if annotation_id in shown:
                    raise Rejected(409, "a board shows it")
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
        raise Rejected(404, f"unknown request: {method} {path}")

    def dataset(self, name):
        if name not in self.columns:
            raise Rejected(404, "Dataset not found")
        return self.columns[name]

    def check_query(self, body):
        check(body, QUERY)
        for condition in body.get("filters", []):
            if ("value" in condition) == (condition["op"] in ("exists", "does-not-exist")):
                raise Rejected(422, f"filter {condition}")
        # Each term of the order must be a breakdown or a calculation.
        terms = [{"column": name} for name in body.get("breakdowns", [])] + body.get("calculations", [])
        for order in body.get("orders", []):
            if {key: value for key, value in order.items() if key != "order"} not in terms:
                raise Rejected(422, f"order {order} is neither a breakdown nor a calculation")
        if unknown := columns_of(body) - BUILT_IN.union(*self.columns.values()):
            raise Rejected(422, f"unknown columns {unknown}")

    def check_annotation(self, body):
        check(body, ANNOTATION)
        by_id(self.queries, body["query_id"])

    def board(self, body, board_id):
        check(body, BOARD)
        board = copy.deepcopy(body)
        board.pop("layout_generation", None)
        for panel in board.get("panels", []):
            if panel["type"] == "query":
                shown = panel["query_panel"]
                if by_id(self.annotations, shown["query_annotation_id"])["query_id"] != shown["query_id"]:
                    raise Rejected(422, "the annotation belongs to another query")
                shown |= {"dataset": "", "visualization_settings": {"hide_markers": False}}
        url = f"https://ui.honeycomb.io/cruddur/environments/production/board/{board_id}"
        self.boards[board_id] = {**board, "id": board_id, "links": {"board_url": url}}
        return self.boards[board_id]


def column(body, column_id):
    return {"hidden": False, **body, "id": column_id, "last_written": "2026-11-22T22:38:05Z"}


def check(body, schema):
    try:
        jsonschema.validate(body, schema)
    except jsonschema.ValidationError as error:
        raise Rejected(422, error.message) from error


def by_id(things, wanted):
    for thing in things.values():
        if thing["id"] == wanted:
            return thing
    raise Rejected(404, "not found")


def columns_of(query):
    parts = [*query.get("calculations", []), *query.get("filters", []), *query.get("orders", [])]
    return {*query.get("breakdowns", []), *(part["column"] for part in parts if "column" in part)}


@contextlib.contextmanager
def served(fake):
    """Yields the URL of the fake."""

    def respond(method, path, headers, body):
        try:
            status, answer = fake.answer(method, path, headers, json.loads(body) if body else None)
            return status, {}, b"" if answer is None else json.dumps(answer).encode()
        except Rejected as rejected:
            return rejected.status, rejected.headers, json.dumps({"error": rejected.message}).encode()

    with http_server(respond) as url:
        yield url

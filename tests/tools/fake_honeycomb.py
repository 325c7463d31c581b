"""A fake of Honeycomb's API that accepts the documented requests and rejects all others.

The shapes are those of Honeycomb's own description, https://api-docs.honeycomb.io.
"""

import contextlib
import copy
import json
import re

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
TRIGGER_QUERY = shape(
    "breakdowns:array calculations!:array filters:array filter_combination:string time_range:integer havings:array",
    # Exactly one calculation, and no heat map.
    calculations={"items": CALCULATION, "minItems": 1, "maxItems": 1},
    filters={"items": FILTER},
    filter_combination=words("AND OR"),
    time_range={"maximum": 86_400},
)
TRIGGER = shape(
    "name!:string description:string query:object query_id:string threshold!:object frequency:integer "
    "alert_type:string disabled:boolean recipients:array evaluation_schedule_type:string evaluation_schedule:object",
    name={"minLength": 1, "maxLength": 120},
    description={"maxLength": 1023},
    query=TRIGGER_QUERY,
    threshold=shape("op!:string value!:number exceeded_limit:integer", op=words("> >= < <=")),
    frequency={"minimum": 60, "maximum": 86_400, "multipleOf": 60},
    alert_type=words("on_change on_true"),
    # Recipients by type and target are deprecated.
    recipients={"items": shape("id!:string details:object")},
)
RECIPIENT = shape(
    "type!:string details!:object",
    type=words("email pagerduty slack webhook msteams msteams_workflow"),
    details=shape("email_address!:string"),
)
DERIVED_COLUMN = shape(
    "alias!:string expression!:string description:string", alias={"maxLength": 255}, description={"maxLength": 255}
)
SLO = shape(
    "name!:string description:string sli!:object time_period_days!:integer target_per_million!:integer tags:array",
    name={"minLength": 1, "maxLength": 120},
    description={"maxLength": 1023},
    sli=shape("alias!:string"),
    time_period_days={"minimum": 1},
    target_per_million={"minimum": 0, "maximum": 1_000_000},
)
MARKER = shape("start_time:integer end_time:integer message:string type:string url:string")


class Rejected(Exception):
    def __init__(self, status, message, headers=()):
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers)


class FakeHoneycomb:
    """One environment of Honeycomb. Each of `faults` replaces the response to one of the next requests."""

    def __init__(self, datasets):
        names = "events markers boards columns queries triggers slos recipients"
        self.access = dict.fromkeys(names.split(), True)
        self.kind, self.environment = "configuration", "production"
        self.columns = {dataset: {} for dataset in datasets}
        self.queries, self.annotations, self.boards, self.markers = {}, {}, {}, {}
        self.derived_columns, self.triggers, self.slos, self.recipients = {}, {}, {}, {}
        # The limits of the plan.
        self.max_triggers, self.has_slos = 100, True
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
                    **({"type": self.kind} if self.kind else {}),
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
            case "GET", "1", "derived_columns", dataset:
                self.dataset(dataset)
                return 200, list(self.derived_columns.values())
            case "POST", "1", "derived_columns", dataset:
                self.check_derived_column(dataset, body)
                if any(one["alias"] == body["alias"] for one in self.derived_columns.values()):
                    raise Rejected(409, "a derived column of that alias exists")
                return 201, stored(self.derived_columns, self.new_id(), body)
            case "PUT", "1", "derived_columns", dataset, one_id:
                self.check_derived_column(dataset, body)
                by_id(self.derived_columns, one_id)
                return 200, stored(self.derived_columns, one_id, body)
            case "GET", "1", "recipients":
                return 200, list(self.recipients.values())
            case "POST", "1", "recipients":
                check(body, RECIPIENT)
                return 201, stored(self.recipients, self.new_id(), body)
            case "GET", "1", "triggers", dataset:
                return 200, list(self.triggers_of(dataset).values())
            case "POST", "1", "triggers", dataset:
                self.check_trigger(dataset, body)
                if len(self.triggers) >= self.max_triggers:
                    raise Rejected(403, "trigger limit reached")
                return 201, self.trigger(self.new_id(), dataset, body)
            case "PUT", "1", "triggers", dataset, one_id:
                self.check_trigger(dataset, body)
                there = by_id(self.triggers_of(dataset), one_id)
                return 200, self.trigger(one_id, dataset, {"disabled": there["disabled"], **body})
            case (("GET" | "POST"), "1", "slos", _) if not self.has_slos:
                raise Rejected(403, "SLOs are not available")
            case "GET", "1", "slos", dataset:
                self.dataset(dataset)
                return 200, list(self.slos.values())
            case "POST", "1", "slos", dataset:
                self.check_slo(dataset, body)
                return 201, stored(self.slos, self.new_id(), body)
            case "PUT", "1", "slos", dataset, one_id:
                self.check_slo(dataset, body)
                by_id(self.slos, one_id)
                return 200, stored(self.slos, one_id, body)
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
        self.check_columns(body)

    def check_columns(self, query):
        aliases = {one["alias"] for one in self.derived_columns.values()}
        if unknown := columns_of(query) - BUILT_IN.union(aliases, *self.columns.values()):
            raise Rejected(422, f"unknown columns {unknown}")

    def check_derived_column(self, dataset, body):
        check(body, DERIVED_COLUMN)
        if unknown := set(re.findall(r"\$([a-z_.]+)", body["expression"])) - BUILT_IN.union(self.dataset(dataset)):
            raise Rejected(422, f"unknown columns {unknown}")

    def triggers_of(self, dataset):
        """The triggers of a dataset, or of the environment, whose slug is `all` in responses."""
        if dataset != "__all__":
            self.dataset(dataset)
        slug = slug_of(dataset)
        return {one_id: one for one_id, one in self.triggers.items() if one["dataset_slug"] == slug}

    def check_trigger(self, dataset, body):
        self.triggers_of(dataset)
        check(body, TRIGGER)
        if "disabled" not in body and body["query"]["time_range"] > 4 * body["frequency"]:
            raise Rejected(422, "time_range is greater than 4 times the frequency")
        self.check_columns(body["query"])

    def trigger(self, trigger_id, dataset, body):
        # Recipients that a test has added are not in `self.recipients`.
        recipients = [self.recipients.get(one["id"], one) for one in body.get("recipients", [])]
        query = {key: value for key, value in body["query"].items() if (key, value) != ("filter_combination", "AND")}
        there = {"disabled": False, "triggered": False, **body, "query": query, "recipients": recipients}
        return stored(self.triggers, trigger_id, {**there, "dataset_slug": slug_of(dataset)})

    def check_slo(self, dataset, body):
        self.dataset(dataset)
        check(body, SLO)
        if body["sli"]["alias"] not in {one["alias"] for one in self.derived_columns.values()}:
            raise Rejected(422, "the SLI does not exist")

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


def slug_of(dataset):
    return "all" if dataset == "__all__" else dataset


def stored(things, one_id, body):
    things[one_id] = {**body, "id": one_id, "created_at": "2026-11-22T22:38:05Z"}
    return things[one_id]


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

"""A fake of Honeycomb's API that accepts the documented requests and rejects all others.

The shapes are those of Honeycomb's own description, https://api-docs.honeycomb.io.
"""

import contextlib
import copy
import http.server
import json
import threading

KEY = "hcxlk-stand-in-0123456789abcdef"

TEXT, WHOLE, TRUTH = (str,), (int,), (bool,)
OPS = {"COUNT", "SUM", "AVG", "COUNT_DISTINCT", "HEATMAP", "MAX", "MIN", "P50", "P90", "P99"}
FILTERS = {"=", "!=", ">", ">=", "<", "<=", "exists", "does-not-exist", "starts-with", "in", "not-in"}
# For each body: the known fields with their types, and the required fields.
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

# Columns that Honeycomb creates for every OTLP span.
BUILT_IN = {"name", "duration_ms", "service.name", "trace.trace_id", "trace.parent_id", "trace.span_id"}


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
        self.requests, self.faults, self.made = [], [], 0

    def new_id(self):
        self.made += 1
        return f"id{self.made:08}"

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
                return 200, {"id": "hcxlk_01", "type": self.kind, "api_key_access": self.access,
                             "environment": {"name": self.environment.title(), "slug": self.environment},
                             "team": {"name": "Cruddur", "slug": "cruddur"}}
            case "GET", "1", "columns", dataset:
                return 200, list(self.dataset(dataset).values())
            case "POST", "1", "columns", dataset:
                check(body, COLUMN)
                columns = self.dataset(dataset)
                if body["key_name"] in columns:
                    raise Rejected(409, "a column of that name exists")
                columns[body["key_name"]] = self.column(body, self.new_id())
                return 201, columns[body["key_name"]]
            case "PUT", "1", "columns", dataset, column_id:
                check(body, COLUMN)
                column = by_id(self.dataset(dataset), column_id)
                if column["key_name"] != body["key_name"]:
                    raise Rejected(400, "Key name cannot be changed")
                self.dataset(dataset)[body["key_name"]] = self.column(body, column_id)
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
                shown = [panel.get("query_panel", {}).get("query_annotation_id")
                         for board in self.boards.values() for panel in board["panels"]]
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

    @staticmethod
    def column(body, column_id):
        if body.get("type") not in ("string", "float", "integer", "boolean") or len(body.get("description", "")) > 255:
            raise Rejected(422, "The provided input is invalid.")
        return {"hidden": False, **body, "id": column_id, "last_written": "2026-11-22T22:38:05Z"}

    def check_query(self, body):
        check(body, QUERY)
        [check(calculation, CALCULATION, op=OPS) for calculation in body.get("calculations", [])]
        [check(condition, FILTER, op=FILTERS) for condition in body.get("filters", [])]
        [check(order, ORDER, op=OPS, order={"ascending", "descending"}) for order in body.get("orders", [])]
        for condition in body.get("filters", []):
            if ("value" in condition) == (condition["op"] in ("exists", "does-not-exist")):
                raise Rejected(422, f"filter {condition}")
        # Each term of the order must be a breakdown or a calculation.
        terms = [{"column": name} for name in body.get("breakdowns", [])] + body.get("calculations", [])
        for order in body.get("orders", []):
            if {key: value for key, value in order.items() if key != "order"} not in terms:
                raise Rejected(422, f"order {order} is neither a breakdown nor a calculation")
        if not 1 <= body.get("limit", 100) <= 1000:
            raise Rejected(422, "limit")
        known = BUILT_IN.union(*self.columns.values())
        for name in columns_of(body):
            if name not in known:
                raise Rejected(422, f"unknown column {name}")

    def check_annotation(self, body):
        check(body, ANNOTATION)
        by_id(self.queries, body["query_id"])
        if not 1 <= len(body["name"]) <= 320 or len(body.get("description", "")) > 1023:
            raise Rejected(422, "name or description")

    def board(self, body, board_id):
        check(body, BOARD, type={"flexible"}, layout_generation={"auto", "manual"})
        if len(body.get("description", "")) > 1024:
            raise Rejected(422, "description")
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
                raise Rejected(422, "the annotation belongs to another query")
            shown |= {"dataset": "", "visualization_settings": {"hide_markers": False}}
        url = f"https://ui.honeycomb.io/cruddur/environments/production/board/{board_id}"
        self.boards[board_id] = {**board, "id": board_id, "links": {"board_url": url}}
        return self.boards[board_id]


def check(body, shape, **allowed):
    fields, needed = shape
    if not isinstance(body, dict):
        raise Rejected(400, "not an object")
    unknown, missing = body.keys() - fields.keys(), needed - body.keys()
    wrong = [key for key, value in body.items() if key in fields and type(value) not in fields[key]]
    wrong += [key for key, values in allowed.items() if key in body and body[key] not in values]
    if unknown or missing or wrong:
        raise Rejected(422, f"unknown {sorted(unknown)}, missing {sorted(missing)}, wrong {sorted(wrong)}")


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

    class Handler(http.server.BaseHTTPRequestHandler):
        def respond(self):
            length = self.headers.get("Content-Length")
            body = json.loads(self.rfile.read(int(length))) if length else None
            headers = {}
            try:
                status, answer = fake.answer(self.command, self.path, self.headers, body)
            except Rejected as rejected:
                status, answer, headers = rejected.status, {"error": rejected.message}, rejected.headers
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
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()

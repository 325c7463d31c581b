#!/usr/bin/env python3
"""Makes Honeycomb what operate/honeycomb.json says: columns, saved queries, a board. Run again, it changes only what differs.

usage: honeycomb.py                              columns, queries and the board
       honeycomb.py marker MESSAGE [--url URL]   a line in every graph, from now on: a deployment

HONEYCOMB_CONFIGURATION_KEY holds a configuration key of the environment; HONEYCOMB_API_ENDPOINT is
https://api.eu1.honeycomb.io in the EU. Needs nothing but Python 3.
"""

import argparse
import datetime
import email.utils
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

US = "https://api.honeycomb.io"
DESIRED = Path(__file__).with_suffix(".json")
# All datasets of the environment at once.
ALL = "__all__"
# At the end of a description: what carries it is ours to change and to remove.
OURS = " (operate/honeycomb.json)"
# What /1/auth calls a permission, and what the page calls it.
PERMISSIONS = {"columns": "Manage Queries and Columns", "boards": "Manage Public Boards", "markers": "Manage Markers"}
ATTEMPTS = 5
# In seconds; whoever asks for more is told to come back.
LONGEST_WAIT = 60
KEYS = "Environment settings, API keys, Configuration"


class Failure(Exception):
    """What went wrong, and how to mend it."""


def main():
    arguments = parsed()
    try:
        api = Api(os.environ.get("HONEYCOMB_API_ENDPOINT") or US, os.environ.get("HONEYCOMB_CONFIGURATION_KEY", ""))
        if arguments.command == "marker":
            where = authorised(api, ["markers"])
            mark(api, arguments.message, arguments.url)
        else:
            where = authorised(api, ["columns", "boards"])
            apply(api, json.loads(DESIRED.read_text()))
        print(f"{api.changes or 'no'} change{'s' if api.changes != 1 else ''} in {where}")
    except Failure as failure:
        sys.exit(f"honeycomb.py: {failure}")


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    marker = parser.add_subparsers(dest="command", metavar="marker").add_parser("marker")
    marker.add_argument("message")
    marker.add_argument("--url", help="where a click on the marker leads")
    return parser.parse_args()


def authorised(api, needed):
    """The environment's name. Fails where the key is of another kind or lacks a permission, before anything is changed."""
    key = api.get("/1/auth")
    team, environment = key["team"]["slug"], key["environment"]["slug"]
    if key["type"] != "configuration":
        raise Failure(f"HONEYCOMB_CONFIGURATION_KEY is an {key['type']} key of {team}, which may only send. "
                      f"Make a configuration key: {KEYS}.")
    if not environment:
        raise Failure(f"the key belongs to Honeycomb Classic ({team}), which has no environments. "
                      "Make an environment, and a configuration key in it.")
    lacking = [PERMISSIONS[access] for access in needed if not key["api_key_access"].get(access)]
    if lacking:
        raise Failure(f"the key of {team}/{environment} may not: {', '.join(lacking)}. "
                      f"Tick that for the key, or make another: {KEYS}.")
    return f"{team}/{environment}"


def apply(api, desired):
    for number, dataset in enumerate(desired["datasets"]):
        columns = [column for column in desired["columns"] if dataset in column["datasets"]]
        # The first one is that of the API, and has every column that a query names.
        make_columns(api, dataset, columns, needed=number == 0)
    panels, surplus = make_queries(api, desired["queries"])
    make_board(api, desired["board"], panels)
    # Only now does nothing show them any more.
    for annotation in surplus:
        api.delete(f"/1/query_annotations/{ALL}/{annotation['id']}", f"query {annotation['name']!r}")


def make_columns(api, dataset, columns, *, needed):
    try:
        found = {column["key_name"]: column for column in api.get(f"/1/columns/{dataset}")}
    except NotFound:
        if needed:
            raise Failure(f"there is no dataset {dataset} in this environment: Honeycomb makes it when the first trace "
                          "comes. Send one (curl the API once), wait a minute, and run this again.") from None
        print(f"later   dataset {dataset}: no trace has come yet; run this again when one has")
        return
    for column in columns:
        what = f"column {column['name']} of {dataset}"
        body = {"key_name": column["name"], "type": column["type"], "description": column["description"]}
        there = found.get(column["name"])
        if there is None:
            api.post(f"/1/columns/{dataset}", body, what)
        elif not fits(body, there):
            api.put(f"/1/columns/{dataset}/{there['id']}", {**body, "hidden": there.get("hidden", False)}, what)


def make_queries(api, queries):
    """The panels of the board, and the saved queries of ours that it no longer shows.

    A query cannot be changed, and those that nobody has named cannot be listed: what is found is its name.
    """
    saved = [annotation for annotation in api.get(f"/1/query_annotations/{ALL}?include_board_annotations=true")
             if annotation.get("description", "").endswith(OURS)]
    panels, used = [], set()
    for query in queries:
        named = [annotation for annotation in saved if annotation["name"] == query["name"]]
        annotation = next((annotation for annotation in named if is_query(api, annotation["query_id"], query["query"])), None)
        what, body = f"query {query['name']!r}", {"name": query["name"], "description": query["description"] + OURS}
        if annotation is None:
            query_id = api.post(f"/1/queries/{ALL}", without_empty(query["query"]))["id"]
            annotation = api.post(f"/1/query_annotations/{ALL}", {**body, "query_id": query_id}, what)
        elif not fits(body, annotation):
            body["query_id"] = annotation["query_id"]
            annotation = api.put(f"/1/query_annotations/{ALL}/{annotation['id']}", body, what)
        used.add(annotation["id"])
        panels.append({"type": "query", "position": position(query["at"]), "query_panel": {
            "query_id": annotation["query_id"], "query_annotation_id": annotation["id"], "query_style": query["style"]}})
    return panels, [annotation for annotation in saved if annotation["id"] not in used]


def is_query(api, query_id, query):
    try:
        found = api.get(f"/1/queries/{ALL}/{query_id}")
    except NotFound:
        return False
    # What is not answered has its default.
    defaults = {"breakdowns": [], "filters": [], "orders": [], "havings": [], "calculated_fields": [],
                "filter_combination": "AND"}
    return fits({**defaults, **query}, {**defaults, **{key: value for key, value in found.items() if value}})


def make_board(api, board, query_panels):
    boards = [there for there in api.get("/1/boards") if there["name"] == board["name"]]
    if len(boards) > 1:
        urls = ", ".join(there["links"]["board_url"] for there in boards)
        raise Failure(f"there are {len(boards)} boards named {board['name']!r}: {urls}. Delete or rename all but one.")
    text = {"type": "text", "position": position(board["text"]["at"]), "text_panel": {"content": board["text"]["content"]}}
    body = {"name": board["name"], "description": board["description"], "type": "flexible",
            "panels": [text, *query_panels]}
    send = {**body, "layout_generation": "manual"}
    what = f"board {board['name']!r}"
    if not boards:
        there = api.post("/1/boards", send, what)
    elif not fits(body, boards[0]):
        there = api.put(f"/1/boards/{boards[0]['id']}", send, what)
    else:
        there = boards[0]
    print(f"board   {there['links']['board_url']}")


def mark(api, message, url):
    body = {"message": message, "type": "deploy", "start_time": int(time.time())}
    api.post(f"/1/markers/{ALL}", body | ({"url": url} if url else {}), f"marker {message!r}")


def position(at):
    return dict(zip(("x_coordinate", "y_coordinate", "width", "height"), at, strict=True))


def without_empty(query):
    return {key: value for key, value in query.items() if value != []}


def fits(wanted, found):
    """Whether `found` is as `wanted`; what only `found` says is Honeycomb's own."""
    match wanted:
        case dict():
            return isinstance(found, dict) and all(fits(value, found.get(key)) for key, value in wanted.items())
        case list():
            return isinstance(found, list) and len(wanted) == len(found) and all(map(fits, wanted, found))
    return wanted == found


class NotFound(Exception):
    pass


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key is for the host that was named, and for no other."""

    def redirect_request(self, *_):
        return None


class Api:
    """Honeycomb's API, version 1: https://api-docs.honeycomb.io."""

    def __init__(self, endpoint, key):
        if not key:
            raise Failure(f"HONEYCOMB_CONFIGURATION_KEY is not set. Make a configuration key ({KEYS}) that may: "
                          f"{', '.join(PERMISSIONS.values())}. The key that sends traces is of another kind.")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise Failure("HONEYCOMB_CONFIGURATION_KEY has characters that no key has: was something else pasted with it?")
        parts = urllib.parse.urlsplit(endpoint)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1") or not parts.hostname:
            raise Failure(f"HONEYCOMB_API_ENDPOINT is {endpoint!r}, not an https address such as {US}.")
        self.endpoint, self.key, self.changes = endpoint.rstrip("/"), key, 0
        self.opener = urllib.request.build_opener(NoRedirects)

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, body, what=None):
        return self.change("made", what, "POST", path, body)

    def put(self, path, body, what):
        return self.change("changed", what, "PUT", path, body)

    def delete(self, path, what):
        return self.change("removed", what, "DELETE", path, None)

    def change(self, done, what, method, path, body):
        answer = self.request(method, path, body)
        if what:
            self.changes += 1
            print(f"{done:7} {what}", flush=True)
        return answer

    def request(self, method, path, body=None):
        headers = {"X-Honeycomb-Team": self.key, "Accept": "application/json", "User-Agent": "cruddur-operate"}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(self.endpoint + path, data=data, headers=headers, method=method)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self.opener.open(request, timeout=30) as response:
                    text = response.read()
                    return json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                wait = self.pause(method, attempt, error)
                if wait is None:
                    self.give_up(method, path, error)
                print(f"wait    {wait:.0f} s: Honeycomb answered {error.code}", file=sys.stderr, flush=True)
                time.sleep(wait)
            except (OSError, ValueError) as error:
                raise Failure(f"{self.endpoint} gave no answer to {method} {path}: {getattr(error, 'reason', error)}. "
                              "Is HONEYCOMB_API_ENDPOINT right, and may this machine reach it?") from error

    @staticmethod
    def pause(method, attempt, error):
        """How long until it may be tried again; None where it may not, or not soon."""
        # What may have been done already is not sent again.
        if error.code != 429 and (error.code < 500 or method != "GET") or attempt == ATTEMPTS:
            return None
        wait = seconds(error.headers.get("Retry-After"), 2 ** (attempt - 1))
        return wait if wait <= LONGEST_WAIT else None

    def give_up(self, method, path, error):
        said = told(error)
        match error.code:
            case 401 | 403:
                raise Failure(f"Honeycomb refuses the key ({error.code}: {said}). It must be a configuration key of this "
                              f"environment ({KEYS}), not an ingest or management key, and may: "
                              f"{', '.join(PERMISSIONS.values())}. Keys of the EU work with HONEYCOMB_API_ENDPOINT="
                              f"https://api.eu1.honeycomb.io alone; asked was {self.endpoint}.")
            case 404:
                raise NotFound(path)
            case 429:
                after = error.headers.get("Retry-After", "a while")
                raise Failure(f"Honeycomb limits the rate of requests; it says to come back after {after}. "
                              "Run this again then: what is done stays done.")
            case 301 | 302 | 303 | 307 | 308:
                raise Failure(f"{self.endpoint} leads elsewhere ({error.code}). The key is not sent there: "
                              "set HONEYCOMB_API_ENDPOINT to Honeycomb's own address.")
        raise Failure(f"{method} {path} was answered with {error.code}: {said}")


def seconds(retry_after, default):
    """Of a Retry-After in seconds or as a date."""
    if not retry_after:
        return default
    if retry_after.strip().isdigit():
        return int(retry_after)
    try:
        at = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return default
    return max(0, (at - datetime.datetime.now(datetime.timezone.utc)).total_seconds())


def told(error):
    """What an error's body says, in a line."""
    text = error.read(10_000).decode(errors="replace")
    try:
        body = json.loads(text)
        details = [f"{detail.get('field')}: {detail.get('description')}" for detail in body.get("type_detail", [])]
        return "; ".join([body.get("error") or body.get("title") or text, *details])
    except (ValueError, AttributeError):
        return " ".join(text.split())[:200] or error.reason


if __name__ == "__main__":
    main()

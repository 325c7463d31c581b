#!/usr/bin/env python3
"""Applies operate/honeycomb.json to a Honeycomb environment: columns, saved queries, a board, triggers and an SLO.

A second run changes only differences. It reports triggers and SLOs that the plan or the key does not allow, and does not
fail because of them: the free plan allows two triggers and no SLO.

usage: honeycomb.py                              apply everything
       honeycomb.py --email ADDRESS              and notify this address of the triggers that this run creates
       honeycomb.py marker MESSAGE [--url URL]   add a deployment marker to all graphs

HONEYCOMB_CONFIGURATION_KEY is a configuration key of the environment. For Honeycomb in the EU, set
HONEYCOMB_API_ENDPOINT=https://api.eu1.honeycomb.io. Requires only Python 3.
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

US, EU = "https://api.honeycomb.io", "https://api.eu1.honeycomb.io"
DESIRED = Path(__file__).with_suffix(".json")
# All datasets of the environment at once.
ALL = "__all__"
# The suffix of descriptions. This program changes and deletes only queries that have it.
OWNED = " (operate/honeycomb.json)"
# Permissions as named by /1/auth and by Honeycomb's settings page.
PERMISSIONS = {
    "columns": "Manage Queries and Columns",
    "boards": "Manage Public Boards",
    "markers": "Manage Markers",
    # For --email.
    "recipients": "Manage Recipients",
    # For operate/verify.py.
    "queries": "Run Queries",
    # Without these two, the command applies everything else.
    "triggers": "Manage Triggers",
    "slos": "Manage SLOs",
}
ATTEMPTS = 5
# In seconds. The program fails if Honeycomb asks for a longer wait.
MAX_WAIT = 60
KEY_SETTINGS = "Environment settings > API keys > Configuration"


class UserError(Exception):
    """An error message with a remedy."""


def main():
    arguments = parse_arguments()
    try:
        api = Api(os.environ.get("HONEYCOMB_API_ENDPOINT") or US, os.environ.get("HONEYCOMB_CONFIGURATION_KEY", ""))
        if arguments.command == "marker":
            target, _ = authorize(api, ["markers"])
            create_marker(api, arguments.message, arguments.url)
        else:
            target, access = authorize(api, ["columns", "boards", *(["recipients"] if arguments.email else [])])
            desired = json.loads(DESIRED.read_text())
            apply(api, desired)
            apply_alerts(api, desired, access, arguments.email)
        print(f"{api.changes or 'no'} change{'s' if api.changes != 1 else ''} in {target}")
    except UserError as error:
        sys.exit(f"honeycomb.py: {error}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--email", help="recipient of the triggers that this run creates")
    marker = parser.add_subparsers(dest="command", metavar="marker").add_parser("marker")
    marker.add_argument("message")
    marker.add_argument("--url", help="link target of the marker")
    return parser.parse_args()


def authorize(api, required):
    """Returns the name of the environment and the key's access. Fails if the key has the wrong type or lacks a permission."""
    key = api.get("/1/auth")
    team, environment = key["team"]["slug"], key["environment"]["slug"]
    # Responses about older keys have no type. Their permissions are checked below.
    if key.get("type", "configuration") != "configuration":
        raise UserError(
            f"HONEYCOMB_CONFIGURATION_KEY is an {key['type']} key of {team}, which can only send. "
            f"Create a configuration key: {KEY_SETTINGS}."
        )
    if not environment:
        raise UserError(
            f"the key belongs to Honeycomb Classic ({team}), which has no environments. "
            "Create an environment, and a configuration key in it."
        )
    missing = [PERMISSIONS[access] for access in required if not key["api_key_access"].get(access)]
    if missing:
        raise UserError(
            f"the key of {team}/{environment} lacks permissions: {', '.join(missing)}. "
            f"Enable them, or create another key: {KEY_SETTINGS}."
        )
    return f"{team}/{environment}", key["api_key_access"]


def apply(api, desired):
    for number, dataset in enumerate(desired["datasets"]):
        columns = [column for column in desired["columns"] if dataset in column["datasets"]]
        # The first dataset is the API's. It has every column that a query uses.
        apply_columns(api, dataset, columns, required=number == 0)
    panels, obsolete = apply_queries(api, desired["queries"])
    apply_board(api, desired["board"], panels)
    # Honeycomb deletes a query only if no board shows it.
    for annotation in obsolete:
        api.delete(f"/1/query_annotations/{ALL}/{annotation['id']}", f"query {annotation['name']!r}")


def apply_columns(api, dataset, columns, *, required):
    try:
        found = {column["key_name"]: column for column in api.get(f"/1/columns/{dataset}")}
    except NotFound:
        if required:
            raise UserError(
                f"the environment has no dataset {dataset}; Honeycomb creates it with the first trace. "
                "Call the API once, wait a minute, and run this command again."
            ) from None
        print(f"later   dataset {dataset}: no traces yet; run this command again after the first trace")
        return
    for column in columns:
        what = f"column {column['name']} of {dataset}"
        body = {"key_name": column["name"], "type": column["type"], "description": column["description"]}
        there = found.get(column["name"])
        if there is None:
            api.post(f"/1/columns/{dataset}", body, what)
        elif not fits(body, there):
            api.put(f"/1/columns/{dataset}/{there['id']}", {**body, "hidden": there.get("hidden", False)}, what)


def apply_queries(api, queries):
    """Returns the panels of the board and the obsolete saved queries.

    Honeycomb cannot change queries and lists only named ones, so this function finds queries by their annotations.
    """
    saved = [
        annotation
        for annotation in api.get(f"/1/query_annotations/{ALL}?include_board_annotations=true")
        if annotation.get("description", "").endswith(OWNED)
    ]
    panels, used = [], set()
    for query in queries:
        named = [annotation for annotation in saved if annotation["name"] == query["name"]]
        annotation = next(
            (annotation for annotation in named if is_query(api, annotation["query_id"], query["query"])), None
        )
        what, body = f"query {query['name']!r}", {"name": query["name"], "description": query["description"] + OWNED}
        if annotation is None:
            query_id = api.post(f"/1/queries/{ALL}", without_empty(query["query"]))["id"]
            annotation = api.post(f"/1/query_annotations/{ALL}", {**body, "query_id": query_id}, what)
        elif not fits(body, annotation):
            body["query_id"] = annotation["query_id"]
            annotation = api.put(f"/1/query_annotations/{ALL}/{annotation['id']}", body, what)
        used.add(annotation["id"])
        panels.append(
            {
                "type": "query",
                "position": position(query["at"]),
                "query_panel": {
                    "query_id": annotation["query_id"],
                    "query_annotation_id": annotation["id"],
                    "query_style": query["style"],
                },
            }
        )
    return panels, [annotation for annotation in saved if annotation["id"] not in used]


def is_query(api, query_id, query):
    try:
        found = api.get(f"/1/queries/{ALL}/{query_id}")
    except NotFound:
        return False
    # Honeycomb omits fields with default values.
    defaults = {
        "breakdowns": [],
        "filters": [],
        "orders": [],
        "havings": [],
        "calculated_fields": [],
        "filter_combination": "AND",
    }
    return fits({**defaults, **query}, {**defaults, **{key: value for key, value in found.items() if value}})


def apply_board(api, board, query_panels):
    boards = [there for there in api.get("/1/boards") if there["name"] == board["name"]]
    if len(boards) > 1:
        urls = ", ".join(there["links"]["board_url"] for there in boards)
        raise UserError(
            f"the environment has {len(boards)} boards named {board['name']!r}: {urls}. Delete or rename all but one."
        )
    text = {
        "type": "text",
        "position": position(board["text"]["at"]),
        "text_panel": {"content": board["text"]["content"]},
    }
    body = {
        "name": board["name"],
        "description": board["description"],
        "type": "flexible",
        "panels": [text, *query_panels],
    }
    send = {**body, "layout_generation": "manual"}
    what = f"board {board['name']!r}"
    if not boards:
        there = api.post("/1/boards", send, what)
    elif not fits(body, boards[0]):
        there = api.put(f"/1/boards/{boards[0]['id']}", send, what)
    else:
        there = boards[0]
    print(f"board   {there['links']['board_url']}")


def apply_alerts(api, desired, access, email):
    """Applies the triggers and the SLO, as far as the key and the plan allow."""
    for field in desired["calculated_fields"]:
        apply_calculated_field(api, field)
    if allowed(access, "triggers"):
        for trigger in desired["triggers"]:
            attempt(f"trigger {trigger['name']!r}", apply_trigger, api, trigger, email)
    if allowed(access, "slos"):
        attempt(f"SLO {desired['slo']['name']!r}", apply_slo, api, desired["slo"])


def allowed(access, permission):
    if access.get(permission):
        return True
    print(f"skipped {permission}: the key lacks the permission {PERMISSIONS[permission]}")
    return False


def attempt(what, apply_one, *arguments):
    """Calls the function, and reports it if the plan does not allow the object."""
    try:
        apply_one(*arguments)
    except Refused as refused:
        print(f"skipped {what}: Honeycomb responded with {refused}. The plan may not allow it.")


def apply_calculated_field(api, field):
    path = f"/1/derived_columns/{field['dataset']}"
    body = {name: field[name] for name in ("alias", "expression", "description")}
    what = f"calculated field {field['alias']}"
    there = next((one for one in api.get(path) if one["alias"] == field["alias"]), None)
    if there is None:
        api.post(path, body, what)
    elif not fits(body, there):
        api.put(f"{path}/{there['id']}", body, what)


def apply_trigger(api, trigger, email):
    path = f"/1/triggers/{trigger['dataset']}"
    body = {name: value for name, value in trigger.items() if name != "dataset"}
    what = f"trigger {trigger['name']!r}"
    named = [one for one in api.get(path) if one["name"] == trigger["name"]]
    if not named:
        recipients = {"recipients": [{"id": recipient(api, email)}]} if email else {}
        api.post(path, {**body, **recipients}, what, optional=True)
        return
    (there, *_) = named
    # Honeycomb omits the default, and returns a query that it stored before under its id only.
    found = {"filter_combination": "AND", **(there.get("query") or {})}
    if "query" not in there and "query_id" in there:
        found |= api.get(f"/1/queries/{trigger['dataset']}/{there['query_id']}")
    wanted = {**body, "query": {"filter_combination": "AND", **body["query"]}}
    if not fits(wanted, {**there, "query": found}):
        # An update without recipients would remove those that were added by hand. `disabled` keeps its value.
        recipients = [{"id": one["id"]} for one in there.get("recipients", [])]
        api.put(f"{path}/{there['id']}", {**body, "recipients": recipients}, what)


def recipient(api, email):
    """Returns the id of the recipient with that address. Recipients belong to the team."""
    wanted = {"type": "email", "details": {"email_address": email}}
    there = next((one for one in api.get("/1/recipients") if fits(wanted, one)), None)
    return (there or api.post("/1/recipients", wanted, f"recipient {email}"))["id"]


def apply_slo(api, slo):
    path = f"/1/slos/{slo['dataset']}"
    body = {name: value for name, value in slo.items() if name != "dataset"}
    what = f"SLO {slo['name']!r}"
    there = next((one for one in api.get(path, optional=True) if one["name"] == slo["name"]), None)
    if there is None:
        api.post(path, body, what, optional=True)
    elif not fits(body, there):
        api.put(f"{path}/{there['id']}", body, what)


def create_marker(api, message, url):
    body = {"message": message, "type": "deploy", "start_time": int(time.time())}
    api.post(f"/1/markers/{ALL}", body | ({"url": url} if url else {}), f"marker {message!r}")


def position(at):
    return dict(zip(("x_coordinate", "y_coordinate", "width", "height"), at, strict=True))


def without_empty(query):
    return {key: value for key, value in query.items() if value != []}


def fits(wanted, found):
    """Returns whether `found` has all values of `wanted`. Honeycomb may add others."""
    match wanted:
        case dict():
            return isinstance(found, dict) and all(fits(value, found.get(key)) for key, value in wanted.items())
        case list():
            return isinstance(found, list) and len(wanted) == len(found) and all(map(fits, wanted, found))
    return wanted == found


class NotFound(Exception):
    pass


class Refused(Exception):
    """Honeycomb refused an object that the plan may not allow."""


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Rejects redirects, so that the key is sent only to the configured host."""

    def redirect_request(self, *_):
        return None


class Api:
    """Honeycomb's API, version 1: https://api-docs.honeycomb.io."""

    def __init__(self, endpoint, key):
        if not key:
            raise UserError(
                f"HONEYCOMB_CONFIGURATION_KEY is not set. Create a configuration key ({KEY_SETTINGS}) with "
                f"these permissions: {', '.join(PERMISSIONS.values())}. An ingest key does not work."
            )
        if not key.isascii() or not key.isprintable() or " " in key:
            raise UserError("HONEYCOMB_CONFIGURATION_KEY contains invalid characters. Copy the key again.")
        parts = urllib.parse.urlsplit(endpoint)
        if (parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1")) or not parts.hostname:
            raise UserError(f"HONEYCOMB_API_ENDPOINT must be an https URL such as {US}.")
        self.endpoint, self.key, self.changes = endpoint.rstrip("/"), key, 0
        self.opener = urllib.request.build_opener(NoRedirects)

    def get(self, path, *, optional=False):
        return self.request("GET", path, optional=optional)

    def post(self, path, body, what=None, *, optional=False):
        return self.change("created", what, "POST", path, body, optional=optional)

    def put(self, path, body, what):
        return self.change("changed", what, "PUT", path, body)

    def delete(self, path, what):
        return self.change("deleted", what, "DELETE", path, None)

    def change(self, done, what, method, path, body, *, optional=False):
        answer = self.request(method, path, body, optional=optional)
        if what:
            self.changes += 1
            print(f"{done} {what}", flush=True)
        return answer

    def request(self, method, path, body=None, *, optional=False):
        headers = {"X-Honeycomb-Team": self.key, "Accept": "application/json", "User-Agent": "cruddur-operate"}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(self.endpoint + path, data=data, headers=headers, method=method)
        attempt = 0
        while True:
            attempt += 1
            try:
                with self.opener.open(request, timeout=30) as response:
                    text = response.read()
                    return json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                wait = self.pause(method, attempt, error)
                if wait is None:
                    # The API does not document which of these statuses a limit of the plan has.
                    if optional and error.code in (400, 402, 403, 404, 409, 422):
                        raise Refused(f"{error.code}: {error_text(error)}") from error
                    self.give_up(method, path, error)
                print(f"wait    {wait:.0f} s: Honeycomb responded with {error.code}", file=sys.stderr, flush=True)
                time.sleep(wait)
            except (OSError, ValueError) as error:
                raise UserError(
                    f"no response from {self.endpoint} to {method} {path}: {getattr(error, 'reason', error)}. "
                    "Check HONEYCOMB_API_ENDPOINT and the network."
                ) from error

    @staticmethod
    def pause(method, attempt, error):
        """Returns the seconds until a retry, or None for no retry."""
        # A failed write may have succeeded, so it is not repeated.
        if (error.code != 429 and (error.code < 500 or method != "GET")) or attempt == ATTEMPTS:
            return None
        wait = seconds(error.headers.get("Retry-After"), 2 ** (attempt - 1))
        return wait if wait <= MAX_WAIT else None

    def give_up(self, method, path, error):
        reason = error_text(error)
        match error.code:
            case 401 | 403:
                raise UserError(
                    f"Honeycomb rejects the key ({error.code}: {reason}). Use a configuration key of this "
                    f"environment ({KEY_SETTINGS}) with these permissions: "
                    f"{', '.join(PERMISSIONS.values())}. EU keys need HONEYCOMB_API_ENDPOINT="
                    f"https://api.eu1.honeycomb.io; the endpoint was {self.endpoint}."
                )
            case 404:
                raise NotFound(path)
            case 429:
                after = error.headers.get("Retry-After", "unknown")
                raise UserError(
                    f"Honeycomb limits the request rate (Retry-After: {after}). Run this command again "
                    "after that time; it continues with the remaining changes."
                )
            case 301 | 302 | 303 | 307 | 308:
                raise UserError(
                    f"{self.endpoint} redirects ({error.code}), and the key is not sent to other hosts. "
                    "Set HONEYCOMB_API_ENDPOINT to Honeycomb's address."
                )
        raise UserError(f"{method} {path} failed with {error.code}: {reason}")


def seconds(retry_after, default):
    """Parses a Retry-After header in seconds or as a date."""
    if not retry_after:
        return default
    if retry_after.strip().isdigit():
        return int(retry_after)
    try:
        at = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return default
    return max(0, (at - datetime.datetime.now(datetime.UTC)).total_seconds())


def error_text(error):
    """Returns the error message of a response body as one line."""
    text = error.read(10_000).decode(errors="replace")
    try:
        body = json.loads(text)
        details = [f"{detail.get('field')}: {detail.get('description')}" for detail in body.get("type_detail", [])]
        return "; ".join([body.get("error") or body.get("title") or text, *details])
    except (ValueError, AttributeError):
        return " ".join(text.split())[:200] or error.reason


if __name__ == "__main__":
    main()

"""What the functions answer to each event of events, literally but for ids and times, which are masked."""

import json
import re
from pathlib import Path

EVENTS = Path("events/api")
# The functions that no client calls, by the folder of their events.
TRIGGERED = {"signup": "SignupFunction", "stream": "StreamFunction"}

_MASKS = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"), "<uuid v7>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "<time>"),
    (re.compile(r"[0-9a-f]{32}"), "<trace id>"),
]


def masked(body):
    """`body` with each id, time and trace id replaced by what it is; a value of another form stays as it is."""
    match body:
        case dict():
            return {key: masked(value) for key, value in body.items()}
        case list():
            return [masked(value) for value in body]
        case str():
            return next((mask for pattern, mask in _MASKS if pattern.fullmatch(body)), body)
    return body


def _post(handle, display_name, message, likes=0, replies=0):
    return {"uuid": "<uuid v7>", "display_name": display_name, "handle": handle, "message": message,
            "replies_count": replies, "reposts_count": 0, "likes_count": likes,
            "expires_at": "<time>", "created_at": "<time>"}


def _problem(status, title, code, detail):
    return status, "application/problem+json", {
        "type": "about:blank", "title": title, "status": status, "detail": detail, "code": code,
        "trace_id": "<trace id>"}


def _short(uuid, handle, display_name):
    return {"uuid": uuid, "handle": handle, "display_name": display_name}


def _without_counts(post):
    return {key: value for key, value in post.items() if not key.endswith("_count")}


GONE = _problem(404, "Not Found", "not_found", "There is no such activity, or it has expired.")
ANDREW = _short("0c0d3a4e-6f0b-4b52-9d5c-7a1f2e8b6a01", "andrewbrown", "Andrew Brown")
HELLO = _post("andrewbrown", "Andrew Brown", "Hello from Lambda")
DEMO = [
    _post("garek", "Garek", "My dear doctor, I am just simple tailor"),
    _post("andrewbrown", "Andrew Brown", "Cloud is (very) fun!", likes=5, replies=1),
    _post("worf", "Worf", "I am out of prune juice"),
]

# From the record on that cannot be read, the stream is to send again.
BAD_RECORD = {"batchItemFailures": [{"itemIdentifier": "4421584500000000017450439093"}]}


def _told(kind, handle, display_name, message, *, likes=0, replies=0, reply_to=None):
    return {**_post(handle, display_name, message, likes, replies), "kind": kind, "unread": True, "trace_id": None,
            "reply_to_activity_uuid": reply_to, "message_group_uuid": None}


# What andrewbrown is told of the demo data.
TOLD = [
    _told("reply", "worf", "Worf", "This post has no honor!", reply_to="<uuid v7>"),
    *[_told("like", handle, name, "Cloud is (very) fun!", likes=5, replies=1) for handle, name in [
        ("londo", "Londo Mollari"), ("garek", "Garek"), ("altbrown", "Alt Brown"), ("bayko", "Andrew Bayko"),
        ("worf", "Worf")]],
]

# In the order in which they are sent to a new database: the post of `create` is in the feeds after it.
ANSWERS = {
    "health_check": (200, "application/json", {"success": True, "ver": 1}),
    "home": (200, "application/json", DEMO),
    "create": (200, "application/json", {
        "uuid": "<uuid v7>", "display_name": "Andrew Brown", "handle": "andrewbrown", "message": "Hello from Lambda",
        "created_at": "<time>", "expires_at": "<time>", "reply_to_activity_uuid": None}),
    "home_stage_in_path": (200, "application/json", [HELLO, *DEMO]),
    "home_cursor": _problem(
        400, "Bad Request", "bad_cursor",
        "`cursor` was altered, or was made for another route or another user: begin again without it."),
    "create_bad_input": (422, "application/json", ["ttl_blank", "message_blank"]),
    "create_anonymous": _problem(
        401, "Unauthorized", "unauthenticated", "Sign in first: this route needs a user."),
    "show": GONE,
    "user_feed": (200, "application/json", {
        "profile": {**ANDREW, "bio": "", "cruds_count": 2}, "activities": [_without_counts(HELLO), _without_counts(DEMO[1])]}),
    "short_user": (200, "application/json", _short("c93a7e15-4d60-4b8f-a2d1-5f8c1b7e0d05", "worf", "Worf")),
    "update_profile": (200, "application/json", ANDREW),
    "update_profile_by_post": (200, "application/json", ANDREW),
    "health_check_deep": (200, "application/json", {"success": True, "ver": 1}),
    "openapi": (200, "application/json", masked(json.loads(Path("docs/openapi.json").read_text()))),
    "notifications": (200, "application/json", TOLD),
    "read_notifications": (200, "application/json", {"unread_count": 0}),
    "search": (200, "application/json", []),
    "message_groups": (200, "application/json", []),
    "messages_with_user": (200, "application/json", []),
    "create_message": (200, "application/json", {"message_group_uuid": "<uuid v7>"}),
    "messages": _problem(404, "Not Found", "not_found", "There is no such conversation of yours."),
    # The post of these events is in the database of `cargo test` alone.
    **dict.fromkeys(["show_status", "reply", "like", "unlike", "repost", "undo_repost", "delete"], GONE),
    "unknown_route": _problem(404, "Not Found", "not_found", "There is no such route."),
}


_, _, METHOD_NOT_ALLOWED = _problem(
    405, "Method Not Allowed", "method_not_allowed",
    "This route is there, but not for this method; `Allow` lists those it takes.")


def events(token):
    """The events in the order of ANSWERS, as (name, text), with `token` where one is needed. Every file has an answer
    and every answer a file."""
    files = {path.stem: path for path in EVENTS.glob("*.json")}
    if files.keys() != ANSWERS.keys():
        raise SystemExit(f"Only in {EVENTS} or only in {__file__}: {sorted(files.keys() ^ ANSWERS.keys())}")
    return [(name, files[name].read_text().replace("ACCESS_TOKEN", token)) for name in ANSWERS]


def triggered(folder):
    """The events of a function that no client calls, as (name, text, answer): Cognito gets its event back, and the
    stream is told of what is to be sent again."""
    for path in sorted(Path("events", folder).glob("*.json")):
        event = path.read_text()
        done = json.loads(event) if folder == "signup" else {"batchItemFailures": []}
        yield path.stem, event, BAD_RECORD if path.stem == "bad_record" else done


def showing(activity_uuid):
    """The event `show` for another post."""
    event = json.loads((EVENTS / "show.json").read_text())
    old = event["pathParameters"]["activity_uuid"]
    return json.dumps(event).replace(old, activity_uuid)


SHOWN = (200, "application/json", {"activity": HELLO, "replies": []})


class Report:
    """Counts what passed and what failed, and says so line by line."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def compare(self, name, expected, found):
        """Returns whether they are equal."""
        if found == expected:
            self.passed += 1
            print(f"ok      {name}", flush=True)
        else:
            self.failed += 1
            print(f"FAILED  {name}\n  expected {expected}\n  found    {found}", flush=True)
        return found == expected

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed")
        raise SystemExit(self.failed > 0)


def of_proxy_response(text):
    """Status, content type and masked body of a Lambda proxy response; of anything else, the text itself."""
    try:
        response = json.loads(text)
        headers = {name.lower(): values for name, values in response["multiValueHeaders"].items()}
        return response["statusCode"], headers["content-type"][0], masked(json.loads(response["body"]))
    except (ValueError, KeyError, TypeError):
        return text

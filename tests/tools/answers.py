"""The events in `events`, and the responses that the functions give to them. Ids and times are masked."""

import json
import re
from pathlib import Path
from unittest.mock import ANY

from events import SAMPLES

EVENTS = Path("events/api")
# The functions without an HTTP route, by the folder of their events.
TRIGGERED = {"signup": "SignupFunction", "stream": "StreamFunction"}

_MASKS = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"), "<uuid v7>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "<time>"),
]


def masked(body):
    """Returns `body` with a placeholder for each id and time."""
    match body:
        case dict():
            return {key: masked(value) for key, value in body.items()}
        case list():
            return [masked(value) for value in body]
        case str():
            return next((mask for pattern, mask in _MASKS if pattern.fullmatch(body)), body)
    return body


def simplified(status, content_type, body):
    """Returns a response in the form of `ANSWERS`: a problem is only its status and code."""
    if content_type == "application/problem+json":
        return status, body["code"]
    if content_type != "application/json":
        raise ValueError(content_type)
    return status, masked(body)


def proxy_response(text):
    """Returns a Lambda proxy response in the form of `ANSWERS`, or any other text as it is."""
    try:
        response = json.loads(text)
        content_type = response["multiValueHeaders"]["content-type"][0]
        return simplified(response["statusCode"], content_type, json.loads(response["body"]))
    except (ValueError, KeyError, TypeError):
        return text


def _post(handle, display_name, message, likes=0, replies=0):
    return {
        "uuid": "<uuid v7>",
        "display_name": display_name,
        "handle": handle,
        "message": message,
        "replies_count": replies,
        "reposts_count": 0,
        "likes_count": likes,
        "expires_at": "<time>",
        "created_at": "<time>",
    }


HELLO = _post("andrewbrown", "Andrew Brown", "Hello from Lambda")
SHOWN = (200, {"activity": HELLO, "replies": []})
DEMO = [
    _post("garek", "Garek", "My dear doctor, I am just simple tailor"),
    _post("andrewbrown", "Andrew Brown", "Cloud is (very) fun!", likes=5, replies=1),
    _post("worf", "Worf", "I am out of prune juice"),
]
NOT_FOUND = (404, "not_found")


def _sample_answer(owner, path, body=None, **_):
    """Returns the response to a request in `tests/requests.json`. The demo data has other ids than the requests."""
    return NOT_FOUND if "_uuid}" in path + json.dumps(body) else (owner, ANY)


_FEED = (
    200,
    {
        "profile": {
            "uuid": "0c0d3a4e-6f0b-4b52-9d5c-7a1f2e8b6a01",
            "handle": "andrewbrown",
            "display_name": "Andrew Brown",
            "bio": "",
            "cruds_count": 2,
        },
        "activities": [HELLO, DEMO[1]],
    },
)

# In the order in which a new database gets the events: the feeds after `create` contain its post.
_SPECIAL = {
    "home": (200, DEMO),
    "create": (
        200,
        {
            "uuid": "<uuid v7>",
            "display_name": "Andrew Brown",
            "handle": "andrewbrown",
            "message": "Hello from Lambda",
            "created_at": "<time>",
            "expires_at": "<time>",
            "reply_to_activity_uuid": None,
        },
    ),
    **dict.fromkeys(
        [
            "home_base_path",
            "home_base_path_and_stage",
            "home_custom_domain",
            "home_custom_domain_of_stage_api",
            "home_stage_api",
            "home_stage_in_path",
            "home_test_invoke",
        ],
        (200, [HELLO, *DEMO]),
    ),
    "home_cursor": (400, "bad_cursor"),
    "create_bad_input": (422, ["ttl_blank", "message_blank"]),
    "create_anonymous": (401, "unauthenticated"),
    **dict.fromkeys(["user_feed", "user_feed_base_path", "user_feed_encoded", "user_feed_sam_local"], _FEED),
    "health_check_deep": (200, {"success": True, "ver": 1}),
    "messages_with_user": (200, []),
    "create_message_to_user": (200, {"message_group_uuid": "<uuid v7>"}),
    "unknown_route": NOT_FOUND,
}
_PLAIN = {sample["event"]: _sample_answer(**sample) for sample in SAMPLES["routes"] if sample["event"] not in _SPECIAL}
ANSWERS = _SPECIAL | _PLAIN


def api_events(token):
    """Yields the name and the text of each API event, in the order of `ANSWERS`, with `token` as access token."""
    for name in ANSWERS:
        yield name, Path(EVENTS, f"{name}.json").read_text().replace("ACCESS_TOKEN", token)


def trigger_events(folder):
    """Yields the name, the text and the expected response of each event of a function without HTTP route."""
    for path in sorted(Path("events", folder).glob("*.json")):
        event = json.loads(path.read_text())
        # Cognito expects its event back. Lambda expects the first stream record to retry.
        failed = [event["Records"][-1]["dynamodb"]["SequenceNumber"]] if path.stem == "bad_record" else []
        answer = event if folder == "signup" else {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}
        yield path.stem, json.dumps(event), answer


def show_event(activity_uuid):
    """Returns the event `show` for another post."""
    event = json.loads(Path(EVENTS, "show.json").read_text())
    return json.dumps(event).replace(event["pathParameters"]["activity_uuid"], activity_uuid)

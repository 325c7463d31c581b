#!/usr/bin/env python3
"""Writes the API events of `events/api` (`make events`). Needs only Python 3.

Each event is a request as API Gateway passes it to the function. `sam local invoke` and the tests read the files.
"""

import hashlib
import json
import re
import uuid
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "events/api"
HOST = "k3v9x0q2rd.execute-api.ca-central-1.amazonaws.com"
SECONDS = 1763803800
POST = "01a202e9-b47a-7000-8000-000000000009"
PROFILE = {"display_name": "Andrew Brown", "bio": "Cloud is fun."}
# A cursor of another deployment.
CURSOR = "AQAAA7ssw9gAAZnDoF4AehGLIsM9ROVfZvAD_ejaMrtj8JQeUqbVrxF0xg1lns4gy8cZp3e2xy4T"


def main():
    for name, text in files().items():
        (FOLDER / name).write_text(text)


def files():
    """Returns the text of each file by its name."""
    activities, activity = "/api/activities", "/api/activities/{activity_uuid}"
    messages, profile = "/api/messages/{message_group_uuid}", "/api/profile/update"
    events = {
        "create": event("POST", activities, True, {"message": "Hello from Lambda", "ttl": "7-days"}),
        "create_anonymous": event("POST", activities, False, {"message": "", "ttl": "2-weeks"}),
        "create_bad_input": event("POST", activities, True, {"message": "   ", "ttl": "2-weeks"}),
        "create_message": event("POST", "/api/messages", True, {"message": "Qapla'!", "handle": "worf"}),
        "delete": event("DELETE", activity, True, activity_uuid=POST),
        "health_check": event("GET", "/api/health-check", False),
        "health_check_deep": event("GET", "/api/health-check", False, query={"deep": ""}),
        "home": event("GET", f"{activities}/home", False),
        "home_cursor": event("GET", f"{activities}/home", False, query={"cursor": CURSOR, "limit": "2"}),
        "home_stage_in_path": event("GET", f"{activities}/home", False, stage_in_path=True),
        "like": event("PUT", f"{activity}/like", True, activity_uuid=POST),
        "message_groups": event("GET", "/api/message_groups", True),
        "messages": event("GET", messages, True, message_group_uuid="01a20320-a2fa-7000-8000-0000000000ff"),
        "messages_with_user": event("GET", messages, True, message_group_uuid="@worf"),
        "notifications": event("GET", f"{activities}/notifications", True),
        "openapi": event("GET", "/api/openapi.json", False),
        "read_notifications": event("PUT", f"{activities}/notifications", True),
        "reply": event(
            "POST",
            f"{activity}/reply",
            True,
            {"activity_uuid": POST, "message": "This post has no honor!"},
            activity_uuid=POST,
        ),
        "repost": event("PUT", f"{activity}/repost", True, activity_uuid=POST),
        "search": event("GET", f"{activities}/search", True, query={"term": "hello worl"}),
        "short_user": event("GET", "/api/users/{handle}/short", False, handle="@worf"),
        "show": event("GET", activity, False, activity_uuid="0199c3a0-5e00-7a11-8b22-c33d44e55f66"),
        "show_status": event(
            "GET", activity + "/status/{status_uuid}", False, activity_uuid="@andrewbrown", status_uuid=POST
        ),
        "undo_repost": event("DELETE", f"{activity}/repost", True, activity_uuid=POST),
        "unknown_route": event("GET", "/{proxy+}", False, proxy="api/nothing-here"),
        "unlike": event("DELETE", f"{activity}/like", True, activity_uuid=POST),
        "update_profile": event("PUT", profile, True, PROFILE),
        "update_profile_by_post": event("POST", profile, True, PROFILE),
        "user_feed": event("GET", activity, False, activity_uuid="@andrewbrown"),
    }
    return {f"{name}.json": json.dumps(event, indent=2) + "\n" for name, event in events.items()}


def event(method, resource, signed_in, body=None, query=None, stage_in_path=False, **variables):
    """Returns the event of a request to a resource of API Gateway, given the values of the path variables."""
    path = re.sub(r"\{(\w+)\+?\}", lambda variable: variables[variable[1]], resource)
    # The ids depend on the request only, so another event changes no other file.
    digest = hashlib.sha256(json.dumps([method, path, signed_in, body, query, stage_in_path]).encode()).hexdigest()
    headers = {
        "Accept": "application/json",
        **({"Authorization": "Bearer ACCESS_TOKEN"} if signed_in else {}),
        **({"Content-Type": "application/json"} if body else {}),
        "Host": HOST,
        "User-Agent": "curl/8.9.1",
        "X-Amzn-Trace-Id": f"Root=1-{SECONDS:x}-{digest[:24]}",
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }
    identity = [
        "cognitoIdentityPoolId",
        "accountId",
        "cognitoIdentityId",
        "caller",
        "principalOrgId",
        "accessKey",
        "cognitoAuthenticationType",
        "cognitoAuthenticationProvider",
        "userArn",
        "user",
    ]
    return {
        "resource": resource,
        "path": f"/prod{path}" if stage_in_path else path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": query and {name: [value] for name, value in query.items()},
        "pathParameters": variables or None,
        "stageVariables": None,
        "requestContext": {
            "resourceId": hashlib.sha256(resource.encode()).hexdigest()[:6],
            "resourcePath": resource,
            "httpMethod": method,
            "extendedRequestId": "XG3bQF05oYMEaVw=",
            "requestTime": "22/Nov/2025:09:30:00 +0000",
            "path": f"/prod{path}",
            "accountId": "123456789012",
            "protocol": "HTTP/1.1",
            "stage": "prod",
            "domainPrefix": HOST.split(".")[0],
            "requestTimeEpoch": SECONDS * 1000,
            "requestId": str(uuid.UUID(digest[:32], version=4)),
            "identity": {**dict.fromkeys(identity), "sourceIp": "203.0.113.7", "userAgent": "curl/8.9.1"},
            "domainName": HOST,
            "deploymentId": "u8m2tz",
            "apiId": HOST.split(".")[0],
        },
        "body": body and json.dumps(body),
        "isBase64Encoded": False,
    }


if __name__ == "__main__":
    main()

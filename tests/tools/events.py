#!/usr/bin/env python3
"""Writes the API events of `events/api` (`make events`). Needs only Python 3.

Each event is a request as API Gateway passes it to the function. `sam local invoke` and the tests read the files.
`tests/requests.json` has one request for each route, and `files` adds special ones.
"""

import hashlib
import json
import re
import uuid
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "events/api"
HOST = "k3v9x0q2rd.execute-api.ca-central-1.amazonaws.com"
SECONDS = 1763803800
SAMPLES = json.loads((Path(__file__).parents[1] / "requests.json").read_text())
# A cursor of another deployment.
CURSOR = "AQAAA7ssw9gAAZnDoF4AehGLIsM9ROVfZvAD_ejaMrtj8JQeUqbVrxF0xg1lns4gy8cZp3e2xy4T"


def main():
    for name, text in files().items():
        (FOLDER / name).write_text(text)


def files():
    """Returns the text of each file by its name."""
    activities, home = "/api/activities", "/api/activities/home"
    events = {sample["event"]: sample_event(**sample) for sample in SAMPLES["routes"]} | {
        "create_anonymous": event("POST", activities, False, {"message": "", "ttl": "2-weeks"}),
        "create_bad_input": event("POST", activities, True, {"message": "   ", "ttl": "2-weeks"}),
        "create_message_to_user": event("POST", "/api/messages", True, {"message": "Qapla'!", "handle": "worf"}),
        "health_check_deep": event("GET", "/api/health-check", False, query={"deep": ""}),
        "home_cursor": event("GET", home, False, query={"cursor": CURSOR, "limit": "2"}),
        "home_stage_in_path": event("GET", home, False, stage_in_path=True),
        "messages_with_user": event("GET", "/api/messages/{message_group_uuid}", True, message_group_uuid="@worf"),
        "unknown_route": event("GET", "/{proxy+}", False, proxy="api/nothing-here"),
    }
    return {f"{name}.json": json.dumps(event, indent=2) + "\n" for name, event in events.items()}


def sample_event(method, path, anonymous, resource=None, body=None, query=None, **_):
    """Returns the event of a request in `tests/requests.json`."""
    # A variable of API Gateway is a whole segment, with one name for all routes: `resource`, if the route differs.
    resource = resource or path.replace("@{", "{")
    values = filled(path).split("/")
    variables = {name[1:-1]: value for name, value in zip(resource.split("/"), values, strict=True) if "{" in name}
    return event(method, resource, anonymous == 401, json.loads(filled(json.dumps(body))), query, **variables)


def filled(text):
    """Returns the text with the values of the parameters in it."""
    return re.sub(r"\{(\w+)\}", lambda parameter: SAMPLES["parameters"][parameter[1]], text)


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

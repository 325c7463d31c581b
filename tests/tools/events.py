#!/usr/bin/env python3
"""Writes the API events of `events/api` (`make events`). Needs only Python 3.

Each event is a request as API Gateway passes it to the function. `sam local invoke` and the tests read the files.
`tests/requests.json` has one request for each route, and `files` adds special ones.
"""

import hashlib
import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "events/api"
HOST = "k3v9x0q2rd.execute-api.ca-central-1.amazonaws.com"
SECONDS = 1763803800
SAMPLES = json.loads((Path(__file__).parents[1] / "requests.json").read_text())
# A cursor of another deployment.
CURSOR = "AgAAA7ssw9gAAZnDoF4AehGLIsM9ROVfZvAD_ejaMrtj8JQeUqbVrxF0xg1lns4gy8cZp3e2xy4T"


@dataclass(frozen=True)
class Address:
    """How a client addresses the API. `{}` stands for the path of the resource."""

    path: str = "{}"
    sent: str = "/prod{}"
    stage: str = "prod"
    host: str = HOST
    # `sam local` writes the resource instead of the path that the client sent.
    sends_resource: bool = False


EXECUTE_API = Address()
DOMAIN = "api.cruddur.example"
# The mapping of a custom domain has a base path or none, and a stage or none.
CUSTOM_DOMAIN = Address(sent="{}", host=DOMAIN)
CUSTOM_DOMAIN_OF_STAGE_API = Address(sent="{}", stage="api", host=DOMAIN)
STAGE_IN_PATH = Address(path="/prod{}", host=DOMAIN)
BASE_PATH = Address(path="/v1{}", sent="/v1{}", host=DOMAIN)
BASE_PATH_AND_STAGE = Address(path="/v1/prod{}", sent="/v1/prod{}", host=DOMAIN)
STAGE_API = Address(sent="/api{}", stage="api")
TEST_INVOKE = Address(sent="{}", stage="test-invoke-stage", host="testPrefix.testDomainName")
SAM_LOCAL = Address(sent="{}", host="127.0.0.1:3001", sends_resource=True)


def main():
    for name, text in files().items():
        (FOLDER / name).write_text(text)


def files():
    """Returns the text of each file by its name."""
    activities, home, activity = "/api/activities", "/api/activities/home", "/api/activities/{activity_uuid}"
    name = "@andrewbrown"
    events = {sample["event"]: sample_event(**sample) for sample in SAMPLES["routes"]} | {
        "create_anonymous": event("POST", activities, False, {"message": "", "ttl": "2-weeks"}),
        "create_bad_input": event("POST", activities, True, {"message": "   ", "ttl": "2-weeks"}),
        "create_message_to_user": event("POST", "/api/messages", True, {"message": "Qapla'!", "handle": "worf"}),
        "health_check_deep": event("GET", "/api/health-check", False, query={"deep": ""}),
        "home_cursor": event("GET", home, False, query={"cursor": CURSOR, "limit": "2"}),
        "home_base_path": event("GET", home, False, address=BASE_PATH),
        "home_base_path_and_stage": event("GET", home, False, address=BASE_PATH_AND_STAGE),
        "home_custom_domain": event("GET", home, False, address=CUSTOM_DOMAIN),
        "home_custom_domain_of_stage_api": event("GET", home, False, address=CUSTOM_DOMAIN_OF_STAGE_API),
        "home_stage_api": event("GET", home, False, address=STAGE_API),
        "home_stage_in_path": event("GET", home, False, address=STAGE_IN_PATH),
        "home_test_invoke": event("GET", home, False, address=TEST_INVOKE),
        "messages_with_user": event("GET", "/api/messages/{message_group_uuid}", True, message_group_uuid="@worf"),
        "unknown_route": event("GET", "/{proxy+}", False, proxy="api/nothing-here"),
        "user_feed_base_path": event("GET", activity, False, address=BASE_PATH, activity_uuid=name),
        "user_feed_encoded": event("GET", activity, False, address=BASE_PATH, activity_uuid="%40andrewbrown"),
        "user_feed_sam_local": event("GET", activity, False, address=SAM_LOCAL, activity_uuid=name),
    }
    return {f"{name}.json": json.dumps(event, indent=2) + "\n" for name, event in events.items()}


def sample_event(method, path, anonymous, resource=None, body=None, query=None, headers=None, **_):
    """Returns the event of a request in `tests/requests.json`."""
    # A variable of API Gateway is a whole segment, with one name for all routes: `resource`, if the route differs.
    resource = resource or path.replace("@{", "{")
    values = filled(path).split("/")
    variables = {name[1:-1]: value for name, value in zip(resource.split("/"), values, strict=True) if "{" in name}
    body = json.loads(filled(json.dumps(body)))
    return event(method, resource, anonymous == 401, body, query, headers=headers, **variables)


def filled(text):
    """Returns the text with the values of the parameters in it."""
    return re.sub(r"\{(\w+)\}", lambda parameter: SAMPLES["parameters"][parameter[1]], text)


def event(method, resource, signed_in, body=None, query=None, address=EXECUTE_API, headers=None, **variables):
    """Returns the event of a request to a resource of API Gateway, given the values of the path variables."""
    path = re.sub(r"\{(\w+)\+?\}", lambda variable: variables[variable[1]], resource)
    # The ids depend on the request only, so another event changes no other file.
    special = False if address == EXECUTE_API else [address.stage, address.host, address.path.format(path)]
    digest = hashlib.sha256(json.dumps([method, path, signed_in, body, query, special]).encode()).hexdigest()
    headers = {
        "Accept": "application/json",
        **({"Authorization": "Bearer ACCESS_TOKEN"} if signed_in else {}),
        **({"Content-Type": "application/json"} if body else {}),
        "Host": address.host,
        "User-Agent": "curl/8.9.1",
        "X-Amzn-Trace-Id": f"Root=1-{SECONDS:x}-{digest[:24]}",
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        **(headers or {}),
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
        "path": address.path.format(path),
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
            "path": address.sent.format(resource if address.sends_resource else path),
            "accountId": "123456789012",
            "protocol": "HTTP/1.1",
            "stage": address.stage,
            "domainPrefix": address.host.split(".")[0],
            "requestTimeEpoch": SECONDS * 1000,
            "requestId": str(uuid.UUID(digest[:32], version=4)),
            "identity": {**dict.fromkeys(identity), "sourceIp": "203.0.113.7", "userAgent": "curl/8.9.1"},
            "domainName": address.host,
            "deploymentId": "u8m2tz",
            "apiId": HOST.split(".")[0],
        },
        "body": body and json.dumps(body),
        "isBase64Encoded": False,
    }


if __name__ == "__main__":
    main()

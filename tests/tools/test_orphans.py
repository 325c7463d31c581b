"""Runs operate/orphans.py with the AWS CLI against a fake account with retained resources."""

import json
import os
from urllib.parse import parse_qs, urlsplit

from processes import http_server, run

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function"
TABLES = ["cruddur-Table-OLD", "cruddur-Table-NEW", "cruddur2-Table-X", "other"]
POOLS = {"us-east-1_old": "cruddur-SignupFunction-A", "us-east-1_new": "cruddur-SignupFunction-B", "us-east-1_x": "x"}
LOG_GROUPS = ["cruddur-ApiFunctionLogGroup-NEW", "/aws/lambda/cruddur-ApiFunction-A"]
MAPPINGS = {"uuid-old": "cruddur-StreamFunction-A", "uuid-new": "cruddur-StreamFunction-B", "uuid-x": "other"}
MANAGED = ["cruddur-Table-NEW", "us-east-1_new", "cruddur-ApiFunctionLogGroup-NEW", "uuid-new"]


def orphans(managed):
    """Returns the exit code, the kinds and ids that are listed, and the requests. `managed` is None without a stack."""
    requests = []

    def respond(method, path, headers, body):
        target = headers.get("X-Amz-Target", "").rpartition(".")[2]
        given = json.loads(body) if target else None
        requests.append(target or f"{method} {urlsplit(path).path}")
        match target or urlsplit(path).path:
            case "ListTables":
                answer = {"TableNames": TABLES}
            case "ListUserPools":
                answer = {"UserPools": [{"Id": pool, "Name": "UserPool"} for pool in POOLS]}
            case "DescribeUserPool":
                trigger = f"{FUNCTION}:{POOLS[given['UserPoolId']]}:live"
                answer = {"UserPool": {"Id": given["UserPoolId"], "LambdaConfig": {"PostConfirmation": trigger}}}
            case "DescribeLogGroups":
                names = [name for name in LOG_GROUPS if name.startswith(given["logGroupNamePrefix"])]
                answer = {"logGroups": [{"logGroupName": name} for name in names]}
            case "/2015-03-31/event-source-mappings" | "/2015-03-31/event-source-mappings/":
                mappings = [{"UUID": one, "FunctionArn": f"{FUNCTION}:{name}:live"} for one, name in MAPPINGS.items()]
                answer = {"EventSourceMappings": mappings}
            case "/":
                assert parse_qs(body.decode())["Action"] == ["DescribeStackResources"]
                return described(managed)
            case _:
                raise AssertionError(f"unknown request: {method} {path} {target}")
        return 200, {}, json.dumps(answer).encode()

    with http_server(respond) as url:
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        done = run("operate/orphans.py cruddur", env=environment)
    lines = [line for line in done.stdout.splitlines()[:-1] if not line.startswith(" ")]
    assert done.returncode == 0, done.stderr
    return lines, requests


def described(managed):
    if managed is None:
        error = "<Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id cruddur does not exist</Message>"
        return 400, {}, f"<ErrorResponse><Error>{error}</Error></ErrorResponse>".encode()
    members = "".join(
        "<member><ResourceType>x</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus>"
        f"<PhysicalResourceId>{one}</PhysicalResourceId></member>"
        for one in managed
    )
    result = f"<DescribeStackResourcesResult><StackResources>{members}</StackResources></DescribeStackResourcesResult>"
    return 200, {}, f"<DescribeStackResourcesResponse>{result}</DescribeStackResourcesResponse>".encode()


def test_resources_outside_of_the_stack_are_listed():
    lines, _ = orphans(MANAGED)
    assert lines == [
        "table cruddur-Table-OLD",
        "user pool us-east-1_old",
        "log group /aws/lambda/cruddur-ApiFunction-A",
        "event source mapping uuid-old",
    ]


def test_everything_is_listed_after_a_deletion():
    lines, _ = orphans(None)
    assert len(lines) == 8


def test_listing_changes_nothing():
    _, requests = orphans(MANAGED)
    assert [one for one in requests if not one.startswith(("List", "Describe", "GET ", "POST /"))] == []


def test_missing_stack_name_is_an_error():
    assert run("operate/orphans.py").returncode == 1

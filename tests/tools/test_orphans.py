"""Runs operate/orphans.py with the AWS CLI against a fake account with retained resources."""

import json
import os
import re
from urllib.parse import parse_qs, urlsplit

from processes import http_server, run

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function"
TABLES = ["cruddur-Table-OLD", "cruddur-Table-NEW", "cruddur2-Table-X", "other"]
# Each pool is a page of the list.
POOLS = {"us-east-1_x": "x", "us-east-1_old": "cruddur-SignupFunction-A", "us-east-1_new": "cruddur-SignupFunction-B"}
LOG_GROUPS = ["cruddur-ApiFunctionLogGroup-NEW", "/aws/lambda/cruddur-ApiFunction-A"]
MAPPINGS = {"uuid-old": "cruddur-StreamFunction-A", "uuid-new": "cruddur-StreamFunction-B", "uuid-x": "other"}
MANAGED = ["cruddur-Table-NEW", "us-east-1_new", "cruddur-ApiFunctionLogGroup-NEW", "uuid-new"]


def orphans(managed):
    """Returns the commands by kind and id, and the requests. `managed` is None without a stack."""
    requests = []

    def respond(method, path, headers, body):
        target = headers.get("X-Amz-Target", "").rpartition(".")[2]
        given = json.loads(body) if target else None
        requests.append(target or f"{method} {urlsplit(path).path}")
        match target or urlsplit(path).path:
            case "ListTables":
                answer = {"TableNames": TABLES}
            case "ListUserPools":
                assert 1 <= given["MaxResults"] <= 60
                pools, at = list(POOLS), int(given.get("NextToken", 0))
                answer = {"UserPools": [{"Id": pools[at], "Name": "UserPool"}]}
                answer |= {"NextToken": str(at + 1)} if pools[at + 1 :] else {}
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
    assert done.returncode == 0, done.stderr
    resources = [block.split("\n    ") for block in re.split(r"\n(?! )", done.stdout)[:-2]]
    commands = {resource: commands for resource, *commands in resources}
    return commands, requests


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
    commands, _ = orphans(MANAGED)
    # Table and user pool have deletion protection.
    assert commands == {
        "table cruddur-Table-OLD": [
            "aws dynamodb update-table --table-name cruddur-Table-OLD --no-deletion-protection-enabled",
            "aws dynamodb delete-table --table-name cruddur-Table-OLD",
        ],
        "user pool us-east-1_old": [
            "aws cognito-idp update-user-pool --user-pool-id us-east-1_old --deletion-protection INACTIVE",
            "aws cognito-idp delete-user-pool --user-pool-id us-east-1_old",
        ],
        "log group /aws/lambda/cruddur-ApiFunction-A": [
            "aws logs delete-log-group --log-group-name /aws/lambda/cruddur-ApiFunction-A"
        ],
        "event source mapping uuid-old": ["aws lambda delete-event-source-mapping --uuid uuid-old"],
    }


def test_everything_is_listed_after_a_deletion():
    commands, _ = orphans(None)
    assert len(commands) == 8


def test_listing_changes_nothing():
    _, requests = orphans(MANAGED)
    assert [one for one in requests if not one.startswith(("List", "Describe", "GET ", "POST /"))] == []


def test_missing_stack_name_is_an_error():
    assert run("operate/orphans.py").returncode == 1

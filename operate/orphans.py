#!/usr/bin/env python3
"""Lists the resources of a stack that no stack manages, for example after a failed deployment or a deletion.

It prints the commands that delete each of them, and changes nothing. docs/runbook.md describes how a new stack adopts a
table or a user pool.

usage: orphans.py STACK

Requires the AWS CLI and Python 3.
"""

import json
import subprocess
import sys


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    (stack,) = sys.argv[1:]
    managed = managed_ids(stack)
    found = [one for list_kind in (tables, user_pools, log_groups, mappings) for one in list_kind(stack)]
    orphans = [one for one in found if one[1] not in managed]
    for kind, one_id, *commands in orphans:
        print("\n    ".join([f"{kind} {one_id}", *commands]))
    print(f"{len(orphans)} resources of {stack} belong to no stack")


def aws(service, operation, *arguments):
    command = ["aws", service, operation, *arguments, "--output", "json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        sys.exit("orphans.py: the AWS CLI is missing. Run `make doctor FOR=deploy`.")
    if done.returncode != 0:
        raise Failed(" ".join(done.stderr.split()))
    return json.loads(done.stdout) if done.stdout.strip() else {}


class Failed(Exception):
    pass


def managed_ids(stack):
    """Returns the ids of the stack's resources. A stack that does not exist has an empty set."""
    try:
        resources = aws("cloudformation", "describe-stack-resources", "--stack-name", stack)["StackResources"]
    except Failed as failed:
        if "does not exist" in str(failed):
            return set()
        sys.exit(f"orphans.py: {failed}")
    kept = [one for one in resources if one["ResourceStatus"] != "DELETE_SKIPPED"]
    return {one["PhysicalResourceId"] for one in kept if "PhysicalResourceId" in one}


def tables(stack):
    for name in aws("dynamodb", "list-tables")["TableNames"]:
        if name.startswith(f"{stack}-Table-"):
            yield (
                "table",
                name,
                f"aws dynamodb update-table --table-name {name} --no-deletion-protection-enabled",
                f"aws dynamodb delete-table --table-name {name}",
            )


def user_pools(stack):
    # CloudFormation does not name a user pool after its stack, but the pool's trigger is a function of the stack.
    for pool in every_user_pool():
        described = aws("cognito-idp", "describe-user-pool", "--user-pool-id", pool["Id"])["UserPool"]
        trigger = described.get("LambdaConfig", {}).get("PostConfirmation", "")
        if f":function:{stack}-SignupFunction-" in trigger:
            yield (
                "user pool",
                pool["Id"],
                f"aws cognito-idp update-user-pool --user-pool-id {pool['Id']} --deletion-protection INACTIVE",
                f"aws cognito-idp delete-user-pool --user-pool-id {pool['Id']}",
            )


def every_user_pool():
    # The CLI requires --max-results here, and then reads one page only.
    page = ["--max-results", "60"]
    while True:
        answer = aws("cognito-idp", "list-user-pools", *page)
        yield from answer["UserPools"]
        if not answer.get("NextToken"):
            return
        page = ["--max-results", "60", "--next-token", answer["NextToken"]]


def log_groups(stack):
    for prefix in (f"{stack}-", f"/aws/lambda/{stack}-"):
        for group in aws("logs", "describe-log-groups", "--log-group-name-prefix", prefix)["logGroups"]:
            name = group["logGroupName"]
            yield "log group", name, f"aws logs delete-log-group --log-group-name {name}"


def mappings(stack):
    for mapping in aws("lambda", "list-event-source-mappings")["EventSourceMappings"]:
        if f":function:{stack}-StreamFunction-" in mapping["FunctionArn"]:
            yield (
                "event source mapping",
                mapping["UUID"],
                f"aws lambda delete-event-source-mapping --uuid {mapping['UUID']}",
            )


if __name__ == "__main__":
    main()

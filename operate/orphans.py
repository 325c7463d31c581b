#!/usr/bin/env python3
"""Lists the resources of a stack that no stack manages, for example after a failed deployment or a deletion.

It prints the command that adopts or deletes each of them, and changes nothing. See docs/runbook.md.

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
    orphans = [(kind, one_id, command) for kind, one_id, command in found if one_id not in managed]
    for kind, one_id, command in orphans:
        print(f"{kind} {one_id}\n    {command}")
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
    """Returns the ids of the stack's resources, none if the stack does not exist."""
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
            yield "table", name, f"adopt, or delete: aws dynamodb delete-table --table-name {name}"


def user_pools(stack):
    # CloudFormation does not name a user pool after its stack, but the pool's trigger is a function of the stack.
    for pool in aws("cognito-idp", "list-user-pools", "--max-results", "60")["UserPools"]:
        described = aws("cognito-idp", "describe-user-pool", "--user-pool-id", pool["Id"])["UserPool"]
        trigger = described.get("LambdaConfig", {}).get("PostConfirmation", "")
        if f":function:{stack}-SignupFunction-" in trigger:
            delete = f"aws cognito-idp delete-user-pool --user-pool-id {pool['Id']}"
            yield "user pool", pool["Id"], f"adopt, or delete: {delete}"


def log_groups(stack):
    for prefix in (f"{stack}-", f"/aws/lambda/{stack}-"):
        for group in aws("logs", "describe-log-groups", "--log-group-name-prefix", prefix)["logGroups"]:
            name = group["logGroupName"]
            yield "log group", name, f"delete: aws logs delete-log-group --log-group-name {name}"


def mappings(stack):
    for mapping in aws("lambda", "list-event-source-mappings")["EventSourceMappings"]:
        if f":function:{stack}-StreamFunction-" in mapping["FunctionArn"]:
            delete = f"aws lambda delete-event-source-mapping --uuid {mapping['UUID']}"
            yield "event source mapping", mapping["UUID"], f"delete: {delete}"


if __name__ == "__main__":
    main()

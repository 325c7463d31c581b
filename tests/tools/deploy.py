#!/usr/bin/env python3
"""Deploys the built template with `sam deploy`, runs what users do over HTTP on what came of it, looks for the trace of
each request, deploys again, and deletes.

ministack stands in for AWS, with each function in a container; traces go to a receiver of our own. What ministack does
not do (authorizers, validators, X-Ray) is looked at in the template, by template.py.

usage: deploy.py FOLDER_OF_BUILT_TEMPLATE
"""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from answers import Report
from cloud import cloud, inventory
from engine import base_image, bridge_address, docker_engine
from otlp import receiver
from ports import free_port
from samcli.yamlhelper import yaml_parse
from users import converse, refuse, remove, users_sign_up

STACK = "cruddur"
PAGE = "https://cruddur.example"
# What ministack cannot make: it has no X-Ray, and alarms only of a single metric. Nothing that is asked here needs it.
LEFT_OUT = {"AWS::XRay::Group", "AWS::XRay::SamplingRule", "AWS::XRay::TransactionSearchConfig"}
# What CloudFormation leaves when the stack is deleted: docs/operate.md says how to remove it.
RETAINED = {"Table", "UserPool"}
ALIAS = "live"
OUTPUTS = {"ApiUrl", "UserPoolId", "UserPoolClientId", "TableName", "DashboardUrl", "FunctionName"}
METHODS = ["DELETE", "GET", "OPTIONS", "POST", "PUT"]
FUNCTIONS = ["ApiFunction", "SignupFunction", "StreamFunction"]


def main(built):
    report = Report()
    template = yaml_parse(Path(built, "template.yaml").read_text())
    with docker_engine(), base_image():
        bridge = bridge_address()
        with receiver(bridge) as traces:
            with cloud(bridge, free_port()) as (aws, log), tempfile.TemporaryDirectory(prefix="cruddur-deploy-") as folder:
                try:
                    stack = Stack(aws, adapted(template, built, aws.endpoint), Path(folder), traces)
                    run(report, stack, template)
                finally:
                    if report.failed or sys.exc_info()[0]:
                        print(log.read_text()[-20000:])
            # In a burst a function keeps spans for its next invocation. Now its end has come, and they have left.
            find_traces(report, stack)
    report.end()


def adapted(template, built, endpoint):
    """The template as ministack can deploy it."""
    resources = {name: resource for name, resource in template["Resources"].items() if not left_out(resource)}
    for function in FUNCTIONS:
        properties = resources[function]["Properties"]
        properties["CodeUri"] = str(Path(built, function).absolute())
        properties["Events"] = dict(named_methods(properties["Events"]))
    # The keys of its user pools are not at Cognito's address; the issuer in its tokens is Cognito's.
    resources["ApiFunction"]["Properties"]["Environment"]["Variables"]["JWKS_URL"] = {
        "Fn::Sub": endpoint + "/${UserPool}/.well-known/jwks.json"}
    return {**template, "Resources": resources}


def left_out(resource):
    return resource["Type"] in LEFT_OUT or resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]


def named_methods(events):
    """The events with one for each method in place of ANY, which ministack does not take over; where a path has one for
    a method already, that one stays."""
    named = {(event["Properties"].get("Path"), event["Properties"].get("Method")) for event in events.values()}
    for name, event in events.items():
        if event["Properties"].get("Method") != "ANY":
            yield name, event
            continue
        for method in METHODS:
            if (event["Properties"]["Path"], method) not in named:
                yield name + method.title(), {**event, "Properties": {**event["Properties"], "Method": method}}


class Stack:
    """What is deployed, and how to ask it."""

    def __init__(self, aws, template, folder, traces):
        self.aws = aws
        self.traces = traces
        self._template = folder / "template.json"
        self._template.write_text(json.dumps(template, default=str))
        # Of each answered request its trace id, its route, and what follows from it.
        self.answered = []
        self.outputs = {}

    def deploy(self, **parameters):
        """Returns the stack's status after `sam deploy`."""
        parameters = {"Architecture": "x86_64", "OtlpEndpoint": self.traces.endpoint, **parameters}
        self._sam("deploy", "--template-file", self._template, "--no-confirm-changeset", "--no-progressbar",
                  "--parameter-overrides", *[f"{name}={value}" for name, value in parameters.items()])
        if self.outputs:
            self._restore_aliases()
        (stack,) = self.aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        return stack["StackStatus"]

    def _restore_aliases(self):
        """ministack makes a function anew that changes, and its version, but forgets its alias."""
        functions = self.aws.client("lambda")
        for function in functions.list_functions()["Functions"]:
            name = function["FunctionName"]
            if not functions.list_aliases(FunctionName=name)["Aliases"]:
                version = functions.list_versions_by_function(FunctionName=name)["Versions"][-1]["Version"]
                functions.create_alias(FunctionName=name, Name=ALIAS, FunctionVersion=version)

    def delete(self):
        """As `aws cloudformation delete-stack`: `sam delete` asks for what ministack does not tell."""
        formation = self.aws.client("cloudformation")
        formation.delete_stack(StackName=STACK)
        formation.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})

    def _sam(self, command, *arguments):
        begin = time.monotonic()
        run = subprocess.run(
            ["sam", command, "--stack-name", STACK, "--config-file", Path("samconfig.toml").absolute(), *arguments],
            env=self.aws.environment, capture_output=True, text=True)
        if run.returncode != 0:
            raise SystemExit(f"sam {command} ended with {run.returncode}:\n{run.stdout}\n{run.stderr}")
        print(f"        sam {command}: {time.monotonic() - begin:.1f} s", flush=True)

    def ask(self, route, *, token=None, body=None, follows=frozenset(), path=None, **headers):
        """Returns status, headers and body of the API's answer to a request of `route`, such as `GET /api/messages`;
        `path` is that of the request where the route has variables. `follows` are the names of the spans in which the
        stream's consumer does what follows from it."""
        method, route_path = route.split()
        url = urlsplit(self.outputs["ApiUrl"])
        headers["Host"] = f"{url.hostname.split('.')[0]}.execute-api.localhost"
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        with contextlib.closing(http.client.HTTPConnection(urlsplit(self.aws.endpoint).netloc, timeout=60)) as connection:
            connection.request(method, url.path + (path or route_path), body and json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        if "x-trace-id" in headers:
            self.answered.append((headers["x-trace-id"], route, set(follows)))
        return response.status, headers, json.loads(text) if text else None


def run(report, stack, template):
    empty = inventory(stack.aws)
    report.compare("sam deploy", "CREATE_COMPLETE", stack.deploy())
    report.compare("the outputs name what is needed", set(), OUTPUTS - stack.outputs.keys())
    users = users_sign_up(report, stack)
    refuse(report, stack, users)
    created = converse(report, stack, users)

    home = "GET /api/activities/home"
    (status, headers, posts) = stack.ask(home, Origin=PAGE)
    report.compare("a page of an origin that is not named may not read", (200, None), (status, allowed(headers)))
    report.compare("sam deploy, with that origin", "UPDATE_COMPLETE", stack.deploy(AllowedOrigins=PAGE))
    (status, headers, again) = stack.ask(home, Origin=PAGE)
    report.compare("now it may", (200, PAGE), (status, allowed(headers)))
    report.compare("what was posted is still there", posts, again)
    remove(report, stack, users, created)

    kinds = {kind for kind, _ in inventory(stack.aws) - empty}
    report.compare("what is listed has a list", set(), {"functions", "tables", "user pools", "APIs", "roles"} - kinds)
    stack.delete()
    left = inventory(stack.aws) - empty
    # The one that `sam deploy --resolve-s3` puts packages into, of all stacks of an account.
    report.compare("when the stack is deleted, the SAM CLI's own bucket is left", set(),
                   {(kind, name) for kind, name in left if not name.startswith("aws-sam-cli-managed-default")})
    # ministack deletes whatever the policy; CloudFormation does not.
    report.compare("and by its policies", RETAINED, {
        name for name, resource in template["Resources"].items() if resource.get("DeletionPolicy") == "Retain"})


def allowed(headers):
    return headers.get("access-control-allow-origin")


def find_traces(report, stack):
    """Looks for the trace of every answered request, and for what the stream's consumer did because of it."""
    traces = stack.traces
    for trace_id, route, _ in stack.answered:
        report.compare(f"the trace of {route}", [("cruddur-api", route)], traces.roots(trace_id))
    for trace_id, route, follows in stack.answered:
        if follows:
            report.compare(f"what followed from {route}", follows | {f"process {stack.outputs['TableName']}"},
                           followed(traces, trace_id))
    report.compare("the traces of the sign-ups", ["PostConfirmation_ConfirmSignUp"] * 2, [
        span.name for span in traces.spans() if span.service == "cruddur-signup" and not span.parent])
    report.compare("no span without its parent", [], traces.orphans())
    report.compare("nothing else was sent", [], traces.faults)


def followed(traces, trace_id):
    """The names of the consumer's spans that are linked to the trace."""
    return {span.name for span in traces.spans() if trace_id in span.links and span.service == "cruddur-stream"}


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main(*sys.argv[1:])

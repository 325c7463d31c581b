#!/usr/bin/env python3
"""Deploys the built template by the commands of docs/operate.md, runs what users do over HTTP on what came of it, looks
for the trace of each request, deploys again, and deletes.

ministack stands in for AWS, with each function in a container; traces go to a receiver of our own. What ministack does
not do (authorizers, validators, X-Ray) is looked at in the template, by template.py.

usage: deploy.py FOLDER_OF_BUILT_TEMPLATE
"""

import copy
import os
import re
import sys
import tempfile
from pathlib import Path

from answers import Report
from cloud import cloud, inventory
from engine import base_image, bridge_address, docker_engine
from otlp import receiver
from page import Shell, blocks
from ports import free_port
from samcli.yamlhelper import yaml_parse
from stack import Stack
from users import ANDREW, PASSWORD, confirm, converse, refuse, remove, sign_in, sign_up
from waiting import wait_for

PAGE = "https://cruddur.example"
# What ministack cannot make: it has no X-Ray, and alarms only of a single metric. Nothing that is asked here needs it.
LEFT_OUT = {"AWS::XRay::Group", "AWS::XRay::SamplingRule", "AWS::XRay::TransactionSearchConfig"}
# What CloudFormation leaves when the stack is deleted: docs/operate.md says how to remove it.
RETAINED = {"Table", "UserPool"}
# And what is not the stack's.
LEFT = {
    ("parameters", "/cruddur/honeycomb-key"),
    ("stacks", "api-gateway-logs"), ("roles", "api-gateway-logs-LogsRole"),
    ("stacks", "aws-sam-cli-managed-default"), ("buckets", "aws-sam-cli-managed-default-samclisourcebucket"),
}
# It is read, and sent to nobody: the receiver here is not Honeycomb.
KEY = "of-nobody"
OUTPUTS = {"ApiUrl", "UserPoolId", "UserPoolClientId", "TableName", "DashboardUrl", "FunctionName"}
METHODS = ["DELETE", "GET", "OPTIONS", "POST", "PUT"]
FUNCTIONS = ["ApiFunction", "SignupFunction", "StreamFunction"]


def main(built):
    report = Report()
    template = yaml_parse(Path(built, "template.yaml").read_text())
    with docker_engine(), base_image():
        bridge = bridge_address()
        with receiver(bridge) as traces:
            with cloud(bridge, free_port()) as (aws, log), \
                    tempfile.TemporaryDirectory(prefix="cruddur-deploy-") as folder:
                try:
                    stack = Stack(aws, adapted(template, built, aws.endpoint, traces.endpoint), Path(folder))
                    run(report, stack, template, traces)
                finally:
                    if report.failed or sys.exc_info()[0]:
                        print(log.read_text()[-20000:])
            # In a burst a function keeps spans for its next invocation. Now its end has come, and they have left.
            find_traces(report, stack, traces)
    report.end()


def adapted(template, built, endpoint, otlp):
    """The template as ministack can deploy it, with the values that are right here by default."""
    template = copy.deepcopy(template)
    template["Parameters"]["Architecture"]["Default"] = Path(built).name
    template["Parameters"]["OtlpEndpoint"]["Default"] = otlp
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
    kind = resource["Type"]
    return kind in LEFT_OUT or kind == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]


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


def run(report, stack, template, traces):
    empty = inventory(stack.aws)
    deploy_by_the_page(report, stack)
    report.compare("the outputs name what is needed", set(), OUTPUTS - stack.outputs.keys())
    users = [sign_in(stack, stack.outputs["UserPoolClientId"], ANDREW), sign_up(report, stack, "Worf", "worf")]
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
    # What follows from that takes two rounds of the stream. Where its spans are kept, this waits in vain and long enough.
    wait_for(lambda: all(follows <= followed(traces, trace_id) for trace_id, _, follows in stack.answered), seconds=10)
    report.compare("no change was given up", [], dead_letters(stack.aws))

    kinds = {kind for kind, _ in inventory(stack.aws) - empty}
    report.compare("what is deployed is listed", set(), {"functions", "tables", "user pools", "APIs", "alarms"} - kinds)
    stack.delete()
    report.compare("what is left is what docs/operate.md says", LEFT, {
        (kind, re.sub("-[0-9a-fA-F]{12,}$", "", name)) for kind, name in inventory(stack.aws) - empty})
    # ministack deletes these too, whatever the template says; CloudFormation does not.
    report.compare("and what the template retains", RETAINED, {
        name for name, resource in template["Resources"].items() if resource.get("DeletionPolicy") == "Retain"})


def deploy_by_the_page(report, stack):
    """Does what docs/operate.md says, up to the first post and a look at the log."""
    shell = Shell(stack.folder, stack.aws)
    answers = iter([KEY, PASSWORD])
    for block in blocks("Deploy, from nothing to a signed-in request"):
        # Described to a stand-in for Honeycomb it is by `make operate`.
        if "make honeycomb" in block:
            continue
        failed, said = shell.run(block, answers)
        if not report.compare(f"docs/operate.md: {block.splitlines()[0][:60]} …", False, failed):
            print(said)
        if "sam deploy" in block:
            report.compare("the stack is there", "CREATE_COMPLETE", stack.look())
        if "confirm-sign-up" in block:
            confirm(report, stack, ANDREW)
        if "curl -i" in block:
            route = "POST /api/activities" if "TOKEN" in block else "GET /api/health-check"
            report.compare(f"curl, {route}", "200", (re.findall(r"^HTTP/\S+ (\d+)", said, re.MULTILINE) or [said])[-1])
            stack.note(re.search("^x-trace-id: (.*)$", said, re.MULTILINE)[1].strip(), route,
                       {"activity-written"} if "TOKEN" in block else ())
        if "lines ApiFunctionLogGroup" in block:
            # ministack looks for no such pattern: these are all lines.
            report.compare("the log has lines and no error", (True, False),
                           ("START RequestId" in said, '"level":"ERROR"' in said))
    shell.end()


def dead_letters(aws):
    queues = aws.client("sqs")
    (queue,) = queues.list_queues()["QueueUrls"]
    return [message["Body"] for message in queues.receive_message(QueueUrl=queue).get("Messages", [])]


def allowed(headers):
    return headers.get("access-control-allow-origin")


def find_traces(report, stack, traces):
    """Looks for the trace of every answered request, and for what the stream's consumer did because of it."""
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

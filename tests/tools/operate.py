#!/usr/bin/env python3
"""docs/operate.md beside the template and beside AWS's own description of its commands.

Runs with the Python that the SAM CLI is installed in.

usage: operate.py [TEMPLATE]
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import botocore.session
from answers import Report
from botocore import xform_name
from samcli.yamlhelper import yaml_parse

# Of the AWS CLI itself, and not of a service.
GLOBAL = {"query", "output", "cli-binary-format"}
# What the CLI does by several calls, and its options.
CUSTOM = {("cloudformation", "deploy"): {"stack-name", "template-file", "capabilities"}}
# What the CLI calls otherwise than the service's own description.
SERVICES = {"deploy": "codedeploy", "dynamodbstreams": "dynamodbstreams"}
# What SAM makes of a function's DeploymentPreference.
MADE_BY_SAM = {"ServerlessDeploymentApplication": "", "ApiFunctionDeploymentGroup": "ApiFunction"}


def main(template_path="template.yaml"):
    report = Report()
    page = Path("docs/operate.md").read_text()
    template = yaml_parse(Path(template_path).read_text())
    resources = template["Resources"]
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", page, re.MULTILINE | re.DOTALL)
    short = re.findall(r"`((?:aws|lines) [^`]*)`", page)

    alarms = [name for name, resource in resources.items() if resource["Type"] == "AWS::CloudWatch::Alarm"]
    report.compare("each alarm has its section, in the template's order", alarms, re.findall(r"^### (\w+)$", page, re.MULTILINE))
    silent = [name for name in alarms if "docs/operate.md, Alarms" not in resources[name]["Properties"]["AlarmDescription"]]
    report.compare("each alarm says that there is one", [], silent)

    named = re.findall(r"--parameter-overrides ([^\n]+)", "\n".join(blocks))
    named = [pair.split("=")[0] for line in named for pair in line.split()]
    named += re.findall(r"add `(\w+)=", page) + re.findall(r"`(\w+(?:Rate|Units|Concurrency|Target))`", page)
    report.compare("parameters are there", [], sorted(set(named) - template["Parameters"].keys()))
    rates = re.findall(r"^\| `(\w+)` \|.*\| ([\d.]+) \|$", page, re.MULTILINE)
    report.compare("and have these defaults", [(name, str(template["Parameters"].get(name, {}).get("Default"))) for name, _ in rates], rates)
    asked = re.findall(r"\$\(output (\w+)\)", page) + re.findall(r"`output (\w+)`", page)
    report.compare("outputs are there", [], sorted(set(asked) - template["Outputs"].keys()))
    asked = set(re.findall(r"resource (\w+)\)", page) + re.findall(r"lines (\w+LogGroup)", page))
    report.compare("resources are there", [], sorted(
        name for name in asked if MADE_BY_SAM.get(name, name) not in {*resources, ""}))
    flows = [f"ALLOW_{flow}" for flow in re.findall(r"--auth-flow (\w+)", page)]
    client = resources["UserPoolClient"]["Properties"]["ExplicitAuthFlows"]
    report.compare("the client lets one sign in that way", [], sorted(set(flows) - set(client)))

    for number, block in enumerate(blocks):
        told = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
        report.compare(f"block {number + 1} is a shell's", "", told.stderr)
    session = botocore.session.get_session()
    for text in [*blocks, *short]:
        for service, operation, options in commands(text):
            report.compare(f"aws {service} {operation}", [], unknown(session, service, operation, options))
    report.end()


def commands(text):
    """Service, operation and options of each command of the AWS CLI."""
    text = text.replace("\\\n", " ").replace("$(date +%s)", "0")
    text = re.sub(r"\$\(\((?:[^()]|\([^()]*\))*\)\)", "0", text)
    for found in re.finditer(r"\baws ([a-z-]+) ([a-z-]+)((?:\"[^\"]*\"|'[^']*'|[^|;&)`\n\"'])*)", text):
        # What stands in quotes is a value, but for a command in it, which is found by itself.
        options = re.findall(r"(?<=\s)--([a-z-]+)", re.sub(r"\"[^\"]*\"|'[^']*'", "…", found[3]))
        yield found[1], found[2], set(options)


def unknown(session, service, operation, options):
    """What the service does not know, and what it needs and does not get."""
    if (service, operation) in CUSTOM:
        return sorted(options - CUSTOM[service, operation] - GLOBAL)
    model = session.get_service_model(SERVICES.get(service, service))
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in operations:
        return [operation]
    shape = model.operation_model(operations[operation]).input_shape
    members = {xform_name(name, "-"): name for name in shape.members}
    negated = {f"no-{name}" for name, member in members.items() if shape.members[member].type_name == "boolean"}
    needed = {xform_name(name, "-") for name in shape.required_members}
    return sorted(options - members.keys() - negated - GLOBAL) + sorted(f"no --{name}" for name in needed - options)


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main(*sys.argv[1:])

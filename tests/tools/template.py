#!/usr/bin/env python3
"""Compares the template with the code, and looks at what CloudFormation gets of it: each function with its binary, its
events and its role, the API with the router, what is watched with what there is.

Runs with the Python that the SAM CLI is installed in, for its reading of `!Ref` and its making of SAM's resources.
"""

import os
import re
from pathlib import Path

from answers import Report
from template_access import look_at_access
from template_api import look_at_api
from template_watch import look_at_what_is_watched
from transformed import VARIANTS, source, transformed

# What others rely on: commands of the documentation, tests, samconfig.toml.
PARAMETERS = ["AlarmTarget", "AllowedOrigins", "Architecture", "HoneycombApiKeyParameter", "LogLevel",
              "LogRetentionDays", "MaxReadUnits", "MaxWriteUnits", "OtlpEndpoint", "ReservedConcurrency", "SampleRate",
              "Stage", "TransactionSearch", "XraySampleRate"]
OUTPUTS = ["ApiUrl", "DashboardUrl", "FunctionName", "TableName", "UserPoolClientId", "UserPoolId"]
# The longest description of a version.
VERSION_DESCRIPTION = 256


def main():
    report = Report()
    template = source()
    report.compare("the parameters", PARAMETERS, sorted(template["Parameters"]))
    report.compare("the outputs", OUTPUTS, sorted(template["Outputs"]))
    functions = functions_of(template)
    binaries = sorted(path.stem for path in Path("src/bin").glob("*.rs"))
    report.compare("every binary is a function", [f"{name.capitalize()}Function" for name in binaries],
                   sorted(functions))
    report.compare("every binary has events", binaries, sorted(path.name for path in Path("events").iterdir()))
    for name, function in functions.items():
        look_at_versions(report, name, function, template)
    for variant, given in VARIANTS.items():
        made = transformed(source(), given)["Resources"]
        look_at_functions(report, variant, made)
        look_at_api(report, variant, made)
        look_at_access(report, variant, made, set(template["Resources"]))
        look_at_what_is_watched(report, variant, made)
    report.end()


def functions_of(template):
    return {name: resource for name, resource in template["Resources"].items()
            if resource["Type"] == "AWS::Serverless::Function"}


def look_at_versions(report, name, function, template):
    """A parameter that changes a variable makes a new version, and so is in the version's description."""
    parameters, conditions = template["Parameters"], template["Conditions"]
    properties = function["Properties"]
    everybodys = template["Globals"]["Function"]["Environment"]["Variables"]
    needed = parameters_in({**everybodys, **properties["Environment"]["Variables"]}, parameters, conditions)
    described = parameters_in(properties["VersionDescription"], parameters, conditions)
    report.compare(f"{name} has a new version when one of its variables changes", sorted(needed), sorted(described))
    text, _ = properties["VersionDescription"]["Fn::Sub"]
    # Where there is a choice between a parameter's value and `-`, it is under another name.
    longest = len(re.sub(r"\$\{\w+\}", "", text)) + sum(longest_of(parameters[parameter]) for parameter in described)
    report.compare(f"the description of {name}'s version is not too long", True, longest <= VERSION_DESCRIPTION)


def longest_of(parameter):
    values = parameter.get("AllowedValues") or [parameter.get("MaxValue", "")]
    return parameter.get("MaxLength") or max(len(str(value)) for value in values)


def parameters_in(node, parameters, conditions):
    """The parameters that `node` depends on, by itself or by a condition."""
    match node:
        case {"Ref": name}:
            return {name} & parameters.keys()
        case {"Condition": name}:
            return parameters_in(conditions[name], parameters, conditions)
        case {"Fn::If": [name, *branches]}:
            found = [parameters_in(branch, parameters, conditions) for branch in branches]
            # What a condition asks of its own parameter is nothing more.
            return set.union(*found) or parameters_in(conditions[name], parameters, conditions)
        case {"Fn::Sub": str(text)}:
            return set(re.findall(r"\$\{(\w+)\}", text)) & parameters.keys()
        case {"Fn::Sub": [text, variables]}:
            return parameters_in({"Fn::Sub": text}, parameters, conditions) | parameters_in(
                list(variables.values()), parameters, conditions)
        case dict():
            return parameters_in(list(node.values()), parameters, conditions)
        case list():
            return set().union(*(parameters_in(part, parameters, conditions) for part in node))
    return set()


def look_at_functions(report, variant, resources):
    functions = {name: resource["Properties"] for name, resource in resources.items()
                 if resource["Type"] == "AWS::Lambda::Function"}
    deployments = {name for name, resource in resources.items() if resource["Type"] == "AWS::CodeDeploy::DeploymentGroup"}
    for name, function in functions.items():
        told = f"{variant}, {name}"
        logs = resources[function["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]
        report.compare(f"{told}: logs where lines end one day", True, logs["RetentionInDays"] > 0)
        report.compare(f"{told}: ends before the gateway's 29 s and the stream's 30 s do", True, function["Timeout"] <= 30)
        report.compare(f"{told}: is traced", "Active", function["TracingConfig"]["Mode"])
        alias = resources[f"{name}Aliaslive"]
        report.compare(f"{told}: new code is let in by a canary in prod alone", variant == "prod",
                       "UpdatePolicy" in alias and f"{name}DeploymentGroup" in deployments)
        if variant == "prod":
            group = resources[f"{name}DeploymentGroup"]["Properties"]
            report.compare(f"{told}: by a tenth of the requests", "CodeDeployDefault.LambdaCanary10Percent5Minutes",
                           group["DeploymentConfigName"])
            report.compare(f"{told}: guarded by alarms, its own errors among them", True,
                           {"Name": {"Ref": f"{name}ErrorsAlarm"}} in group["AlarmConfiguration"]["Alarms"])
            report.compare(f"{told}: by a role of ours", {"Fn::GetAtt": ["DeploymentRole", "Arn"]}, group["ServiceRoleArn"])
        report.compare(f"{told}: a number is kept free for it where one is given", 100 if variant == "prod" else None,
                       function.get("ReservedConcurrentExecutions"))


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()

#!/usr/bin/env python3
"""Compares the template with the code: the routes with the router's, each function with its binary and its events.

Runs with the Python that the SAM CLI is installed in, for its reading of `!Ref` and the like.
"""

import os
import re
from pathlib import Path

from answers import Report
from samcli.yamlhelper import yaml_parse


def main():
    report = Report()
    resources = yaml_parse(Path("template.yaml").read_text())["Resources"]
    functions = {name: resource for name, resource in resources.items()
                 if resource["Type"] == "AWS::Serverless::Function"}

    router = Path("src/api/router.rs").read_text()
    routes = routes_of(router)
    preflights = {("options", path) for _, path in routes}
    report.compare("the routes are those of the router, with their preflights", sorted(preflights.union(routes)), sorted(
        (event["Properties"]["Method"].lower(), event["Properties"]["Path"])
        for event in functions["ApiFunction"]["Properties"]["Events"].values()))

    binaries = sorted(function["Metadata"]["BuildProperties"]["Binary"] for function in functions.values())
    report.compare("every binary is a function", sorted(path.stem for path in Path("src/bin").glob("*.rs")), binaries)
    report.compare("every binary has events", binaries, sorted(path.name for path in Path("events").iterdir()))

    for name, function in functions.items():
        actions = [action for policy in function["Properties"]["Policies"] for statement in policy["Statement"]
                   for action in as_list(statement["Action"])]
        report.compare(f"{name} has a permission for each single action", [], [a for a in actions if "*" in a])
        log_group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
        report.compare(f"{name} logs where lines end one day", True,
                       "RetentionInDays" in resources[log_group]["Properties"])
    report.end()


def routes_of(router):
    return re.findall(r'Route::(get|post|put|patch|delete)\(\s*"([^"]+)"', router)


def as_list(value):
    return value if isinstance(value, list) else [value]


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()

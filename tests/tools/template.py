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
    paths = [event["Properties"]["Path"] for event in functions["ApiFunction"]["Properties"]["Events"].values()]
    # API Gateway knows no `@` before a variable: a user's page is the same resource as a post.
    report.compare("the paths are those of the router", sorted({shape_of(path) for path in paths_of(router)}),
                   sorted(shape_of(path) for path in paths))
    report.compare("variables of one place have one name", [], sorted(names_that_differ(paths)))

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


def paths_of(router):
    return re.findall(r'Route::\w+\(\s*"([^"]+)"', router)


def shape_of(path):
    return re.sub(r"@?\{[^}]+\}", "{}", path)


def names_that_differ(paths):
    """Variables that stand at one place under several names, which API Gateway refuses."""
    names = {}
    for path in paths:
        parts = path.split("/")
        for at, part in enumerate(parts):
            if part.startswith("{"):
                names.setdefault(shape_of("/".join(parts[:at])), set()).add(part)
    return [part for found in names.values() if len(found) > 1 for part in found]


def as_list(value):
    return value if isinstance(value, list) else [value]


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()

#!/usr/bin/env python3
"""Holds the templates against policies: cfn-lint, checkov, and cfn-guard with the rules of AWS Control Tower and of
tests/policy. There may be no finding but those that a template's Metadata names with a reason, and no reason without a
finding.

usage: policy.py CHECKOV CFN_GUARD
"""

import copy
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from answers import Report
from transformed import VARIANTS, source, transformed, with_values

ANYBODY = "ApiFunctionHealthCheckPermissionStage"
OURS = "tests/policy/well-architected.guard"
# The npm package within the Python package, for which rules are data.
CONTROL_TOWER = "lib/python*/site-packages/cdklabs/cdk_validator_cfnguard/_jsii/*.tgz"


def main(checkov, cfn_guard):
    report = Report()
    # With all that parameters can add.
    made = {name: transformed(source(), parameters) for name, parameters in VARIANTS.items()}
    account = with_values(source("account.yaml"), {})
    with tempfile.TemporaryDirectory(prefix="cruddur-policy-") as folder:
        rules = Path(folder, "rules")
        kinds = {resource["Type"] for template in [*made.values(), account] for resource in template["Resources"].values()}
        unpack(Path(checkov).parents[1], rules, kinds)
        templates = Path(folder, "templates")
        templates.mkdir()
        for name, template in {**made, "account": account}.items():
            Path(templates, f"{name}.json").write_text(json.dumps(template, indent=1))
            report.compare(f"cfn-lint, {name}", "", lint(Path(templates, f"{name}.json")))
        guard = Guard(cfn_guard, [OURS, rules])
        prod, account_path = Path(templates, "prod.json"), Path(templates, "account.json")
        everything = found_by_checkov(checkov, ["template.yaml", prod]) | guard.findings(prod)
        waived(report, "template.yaml", source(), everything)
        waived(report, "account.yaml", source("account.yaml"),
               found_by_checkov(checkov, ["account.yaml"]) | guard.findings(account_path))
        found_in_broken = guard.findings(broken(made["prod"], Path(folder, "broken.json")))
        for fault, rule, resource, _ in FAULTS:
            report.compare(f"{fault} is found by {rule}", True, (rule, resource) in found_in_broken)
    report.end()


def broken(template, path):
    template = copy.deepcopy(template)
    for _, _, _, change in FAULTS:
        change(template["Resources"])
    path.write_text(json.dumps(template, indent=1))
    return path


def lint(path):
    run = subprocess.run(["cfn-lint", path], capture_output=True, text=True)
    return run.stdout + run.stderr


def found_by_checkov(checkov, paths):
    arguments = [argument for path in paths for argument in ("--file", path)]
    run = subprocess.run([checkov, "--framework", "cloudformation", "--compact", "--quiet", "--skip-download",
                          "--output", "json", *arguments], capture_output=True, text=True)
    answer = json.loads(run.stdout)
    if answer["summary"]["parsing_errors"] or not answer["summary"]["resource_count"]:
        raise SystemExit(f"checkov has not read {paths}: {answer['summary']}")
    return {(check["check_id"], check["resource"].rpartition(".")[2]) for check in answer["results"]["failed_checks"]}


class Guard:
    def __init__(self, program, rules):
        self.arguments = [program, "validate", "--structured", "--output-format", "json", "--show-summary", "none"]
        for rule in rules:
            self.arguments += ["--rules", rule]

    def findings(self, path):
        run = subprocess.run([*self.arguments, "--data", path], capture_output=True, text=True)
        # 19: there are findings. Anything else but 0 is a rule or a template that it cannot read.
        if run.returncode not in (0, 19):
            raise SystemExit(f"cfn-guard: {run.stderr}")
        (answer,) = json.loads(run.stdout)
        return {(rule["Rule"]["name"], resource) for rule in answer["not_compliant"] for resource in resources_of(rule)}


def resources_of(rule):
    """The resources that a rule has something against; `-` where it misses one.

    A rule whose own filters leave it nothing to look at fails without a single thing in which it does: no finding.
    """
    found = set()

    def look(node):
        if isinstance(node, list):
            for part in node:
                look(part)
        elif isinstance(node, dict):
            if "Clause" in node:
                text = json.dumps(node["Clause"])
                found.update(re.findall(r'/Resources/(\w+)', text) or ["-"])
            else:
                look(list(node.values()))

    look(rule)
    return found


def waived(report, name, template, findings):
    """Each waiver has a reason, rules and resources; each of those is needed."""
    waivers = template.get("Metadata", {}).get("Waivers", [])
    pairs = {(rule, resource) for waiver in waivers for rule in waiver["Rules"] for resource in waiver["Resources"]}
    report.compare(f"{name}: nothing is found that is not waived", [], sorted(findings - pairs))
    for waiver in waivers:
        report.compare(f"{name}: there is a reason for {', '.join(waiver['Rules'])}", True, len(waiver["Reason"]) > 20)
        used = {(rule, resource) for rule, resource in findings
                if rule in waiver["Rules"] and resource in waiver["Resources"]}
        report.compare(f"{name}: each of these rules is waived for something", sorted(waiver["Rules"]),
                       sorted({rule for rule, _ in used}))
        report.compare(f"{name}: each of these resources needs it", sorted(waiver["Resources"]),
                       sorted({resource for _, resource in used}))


def unpack(environment, folder, kinds):
    """The rules of Control Tower that look at one of those kinds of resources."""
    folder.mkdir()
    (package,) = environment.glob(CONTROL_TOWER)
    with tarfile.open(package) as archive:
        for member in archive.getmembers():
            if member.name.endswith(".guard"):
                text = archive.extractfile(member).read().decode()
                if any(f'"{kind}"' in text for kind in kinds):
                    Path(folder, Path(member.name).name).write_text(text)


def statement_of(resources, role):
    return resources[role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]


# What rules are there for, so that none passes because it looks at nothing: the fault, who finds it, and where.
FAULTS = [
    ("a table without recovery", "DYNAMODB_PITR_ENABLED", "Table",
     lambda all: all["Table"]["Properties"].pop("PointInTimeRecoverySpecification")),
    ("a table without recovery", "dynamodb_table_pitr_enabled_check", "Table", lambda all: None),
    ("an index without an upper bound", "DYNAMODB_THROUGHPUT_LIMIT_CHECK", "Table",
     lambda all: all["Table"]["Properties"]["GlobalSecondaryIndexes"][0].pop("OnDemandThroughput")),
    ("a table of a fixed size", "DYNAMODB_AUTOSCALING_ENABLED", "Table",
     lambda all: all["Table"]["Properties"].update(BillingMode="PROVISIONED")),
    ("a function without reserved concurrency", "LAMBDA_CONCURRENCY_CHECK", "StreamFunction",
     lambda all: all["StreamFunction"]["Properties"].pop("ReservedConcurrentExecutions")),
    ("a function that anybody may invoke", "LAMBDA_FUNCTION_PUBLIC_ACCESS_PROHIBITED", ANYBODY,
     lambda all: all[ANYBODY]["Properties"].pop("SourceArn")),
    ("a function that anybody may invoke", "lambda_function_public_access_prohibited_check", ANYBODY, lambda all: None),
    ("logs without an end", "CW_LOGGROUP_RETENTION_PERIOD_CHECK", "ApiAccessLogGroup",
     lambda all: all["ApiAccessLogGroup"]["Properties"].pop("RetentionInDays")),
    ("an alarm that tells nobody", "CLOUDWATCH_ALARM_ACTION_CHECK", "DeadLettersAlarm",
     lambda all: all["DeadLettersAlarm"]["Properties"].pop("AlarmActions")),
    ("a role that may do everything", "IAM_POLICY_NO_STATEMENTS_WITH_ADMIN_ACCESS", "ApiFunctionRole",
     lambda all: statement_of(all, "ApiFunctionRole").update(Action="*", Resource="*")),
    ("a role that may do everything", "iam_inline_policy_no_statements_with_admin_access_check", "ApiFunctionRole",
     lambda all: None),
    ("a role that may do all of a service", "IAM_POLICY_NO_STATEMENTS_WITH_FULL_ACCESS", "StreamFunctionRole",
     lambda all: statement_of(all, "StreamFunctionRole").update(Action=["dynamodb:*"])),
    ("a stage without traces", "api_gw_xray_enabled_check", "ApiStage",
     lambda all: all["ApiStage"]["Properties"].update(TracingEnabled=False)),
]


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main(*sys.argv[1:])

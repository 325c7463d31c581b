"""Checks the templates against policies: cfn-lint, checkov, and cfn-guard with the rules of AWS Control Tower and ours.

Each finding must be waived with a reason in the metadata of its template, and each waiver must be needed.
"""

import copy
import json
import re
import tarfile
from pathlib import Path

import pytest
from processes import run
from transformed import VARIANTS, source, transformed, with_values

CHECKOV, GUARD = ".tools/policy/bin/checkov", ".tools/policy/bin/cfn-guard"
OUR_RULES = "tests/policy/well-architected.guard"
# The rules are files in an npm package within the Python package.
CONTROL_TOWER = ".tools/policy/lib/python*/site-packages/cdklabs/cdk_validator_cfnguard/_jsii/*.tgz"
HEALTH_CHECK = "ApiFunctionHealthCheckPermissionStage"


def statement_of(resources, role):
    return resources[role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]


# Changes that break one rule each, and the rules and resources of the findings. They show that no rule passes
# because it selects nothing.
FAULTS = {
    "table without recovery": (
        lambda found: found["Table"]["Properties"].pop("PointInTimeRecoverySpecification"),
        [("DYNAMODB_PITR_ENABLED", "Table"), ("dynamodb_table_pitr_enabled_check", "Table")],
    ),
    "index without a throughput limit": (
        lambda found: found["Table"]["Properties"]["GlobalSecondaryIndexes"][0].pop("OnDemandThroughput"),
        [("DYNAMODB_THROUGHPUT_LIMIT_CHECK", "Table")],
    ),
    "table with provisioned capacity": (
        lambda found: found["Table"]["Properties"].update(BillingMode="PROVISIONED"),
        [("DYNAMODB_AUTOSCALING_ENABLED", "Table")],
    ),
    "function without reserved concurrency": (
        lambda found: found["StreamFunction"]["Properties"].pop("ReservedConcurrentExecutions"),
        [("LAMBDA_CONCURRENCY_CHECK", "StreamFunction")],
    ),
    "function that every account may invoke": (
        lambda found: found[HEALTH_CHECK]["Properties"].pop("SourceArn"),
        [
            ("LAMBDA_FUNCTION_PUBLIC_ACCESS_PROHIBITED", HEALTH_CHECK),
            ("lambda_function_public_access_prohibited_check", HEALTH_CHECK),
        ],
    ),
    "logs that never expire": (
        lambda found: found["ApiAccessLogGroup"]["Properties"].pop("RetentionInDays"),
        [("CW_LOGGROUP_RETENTION_PERIOD_CHECK", "ApiAccessLogGroup")],
    ),
    "alarm without an action": (
        lambda found: found["DeadLettersAlarm"]["Properties"].pop("AlarmActions"),
        [("CLOUDWATCH_ALARM_ACTION_CHECK", "DeadLettersAlarm")],
    ),
    "role of an administrator": (
        lambda found: statement_of(found, "ApiFunctionRole").update(Action="*", Resource="*"),
        [
            ("IAM_POLICY_NO_STATEMENTS_WITH_ADMIN_ACCESS", "ApiFunctionRole"),
            ("iam_inline_policy_no_statements_with_admin_access_check", "ApiFunctionRole"),
        ],
    ),
    "role with full access to a service": (
        lambda found: statement_of(found, "StreamFunctionRole").update(Action=["dynamodb:*"]),
        [("IAM_POLICY_NO_STATEMENTS_WITH_FULL_ACCESS", "StreamFunctionRole")],
    ),
    "stage without traces": (
        lambda found: found["ApiStage"]["Properties"].update(TracingEnabled=False),
        [("api_gw_xray_enabled_check", "ApiStage")],
    ),
}


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    """The paths of the templates as CloudFormation receives them, by name."""
    folder = tmp_path_factory.mktemp("templates")
    found = {name: transformed(source(), parameters) for name, parameters in VARIANTS.items()}
    found["account"] = with_values(source("account.yaml"), {})
    # All faults at once, since cfn-guard takes seconds for a template.
    broken = copy.deepcopy(found["prod"])
    for change, _ in FAULTS.values():
        change(broken["Resources"])
    paths = {}
    for name, template in {**found, "broken": broken}.items():
        paths[name] = folder / f"{name}.json"
        paths[name].write_text(json.dumps(template, indent=1))
    return paths


@pytest.fixture(scope="module")
def rules(templates, tmp_path_factory):
    """A folder with the rules of Control Tower for the types of our resources."""
    folder = tmp_path_factory.mktemp("rules")
    types = set().union(
        *(
            {resource["Type"] for resource in json.loads(path.read_text())["Resources"].values()}
            for path in templates.values()
        )
    )
    (package,) = Path().glob(CONTROL_TOWER)
    with tarfile.open(package) as archive:
        for member in archive.getmembers():
            if member.name.endswith(".guard"):
                text = archive.extractfile(member).read().decode()
                if any(f'"{one}"' in text for one in types):
                    Path(folder, Path(member.name).name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def broken_findings(templates, rules):
    return guard_findings(templates["broken"], rules)


@pytest.mark.parametrize("name", [*VARIANTS, "account"])
def test_cfn_lint_finds_nothing(templates, name):
    # SAM gives the UpdateReplacePolicy of a function to everything that it generates for the function.
    done = run("cfn-lint --ignore-checks W3011 --", templates[name])
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize(("path", "variant"), [("template.yaml", "prod"), ("account.yaml", "account")])
def test_findings_are_exactly_the_waived_ones(templates, rules, path, variant):
    findings = checkov_findings(path, templates[variant]) | guard_findings(templates[variant], rules)
    waivers = source(path).get("Metadata", {}).get("Waivers", [])
    waived = {(rule, resource) for waiver in waivers for rule in waiver["Rules"] for resource in waiver["Resources"]}
    assert findings - waived == set()
    for waiver in waivers:
        used = {
            (rule, resource)
            for rule, resource in findings
            if rule in waiver["Rules"] and resource in waiver["Resources"]
        }
        assert waiver["Reason"]
        assert {rule for rule, _ in used} == set(waiver["Rules"])
        assert {resource for _, resource in used} == set(waiver["Resources"])


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found(broken_findings, fault):
    assert set(FAULTS[fault][1]) <= broken_findings


def checkov_findings(*paths):
    """Returns the rule and the resource of each finding."""
    files = [argument for path in paths for argument in ("--file", path)]
    done = run(f"{CHECKOV} --framework cloudformation --compact --quiet --skip-download --output json", *files)
    found = json.loads(done.stdout)
    assert found["summary"]["parsing_errors"] == 0
    assert found["summary"]["resource_count"] > 0
    return {(check["check_id"], check["resource"].rpartition(".")[2]) for check in found["results"]["failed_checks"]}


def guard_findings(path, rules):
    """Returns the rule and the resource of each finding."""
    options = f"--structured --output-format json --show-summary none --rules {OUR_RULES}"
    done = run(f"{GUARD} validate {options} --rules", rules, "--data", path)
    # 19 means findings. Other codes mean a rule or a template that cfn-guard cannot read.
    assert done.returncode in (0, 19), done.stderr
    (found,) = json.loads(done.stdout)
    return {(rule["Rule"]["name"], resource) for rule in found["not_compliant"] for resource in resources_of(rule)}


def resources_of(node):
    """Returns the resources in the clauses of a finding, or `-` for a clause about a missing resource.

    A rule whose filters select nothing fails without a clause. That is no finding.
    """
    match node:
        case {"Clause": clause}:
            return set(re.findall(r"/Resources/(\w+)", json.dumps(clause)) or ["-"])
        case dict():
            return resources_of(list(node.values()))
        case list():
            return set().union(*map(resources_of, node))
    return set()

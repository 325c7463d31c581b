"""Checks the functions of template.yaml: binaries, events, versions, limits and deployments."""

import copy
import json
import re
from pathlib import Path

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
from transformed import VARIANTS, broken_rules, source, transformed

TEMPLATE = source()
PARAMETERS, CONDITIONS = TEMPLATE["Parameters"], TEMPLATE["Conditions"]
FUNCTIONS = {
    name: resource["Properties"]
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}
# Lambda's limit.
LONGEST_VERSION_DESCRIPTION = 256


@pytest.fixture(scope="module")
def functions(of_type):
    return of_type("AWS::Lambda::Function")


def test_each_binary_is_a_function_with_events():
    binaries = sorted(path.stem for path in Path("src/bin").glob("*.rs"))
    assert sorted(FUNCTIONS) == [f"{name.capitalize()}Function" for name in binaries]
    assert sorted(path.name for path in Path("events").iterdir()) == binaries


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_parameter_of_a_version_is_in_its_description(function):
    common = TEMPLATE["Globals"]["Function"]
    # Reserved concurrency and events belong to the function or to its callers, not to a version.
    versioned = [
        value
        for properties in (common, FUNCTIONS[function])
        for name, value in properties.items()
        if name not in ("ReservedConcurrentExecutions", "DeploymentPreference", "Events", "VersionDescription")
    ]
    # CloudFormation publishes a version for another value only if its description changes.
    assert parameters_in(versioned) == parameters_in(FUNCTIONS[function]["VersionDescription"])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_version_description_fits_its_limit(function):
    text, variables = FUNCTIONS[function]["VersionDescription"]["Fn::Sub"]
    values = {**variables, **{name: {"Ref": name} for name in PARAMETERS}}
    longest = len(re.sub(r"\$\{\w+\}", "", text)) + sum(
        longest_value(values[name]) for name in re.findall(r"\$\{(\w+)\}", text)
    )
    assert longest <= LONGEST_VERSION_DESCRIPTION


# Changes of a function's configuration in the template, each without new code.
CHANGES = {
    "timeout": {"Timeout": 11},
    "memory": {"MemorySize": 1024},
    "tracing": {"Tracing": "PassThrough"},
    "logging": {"LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "INFO"}},
    "role": {"Role": {"Fn::GetAtt": ["SignupFunctionRole", "Arn"]}},
}
# Another value for each parameter that a version of ApiFunction depends on.
VALUES = {
    "Architecture": "x86_64",
    "LogLevel": "DEBUG",
    "Revision": "1",
    "SampleRate": "7",
    "Stage": "staging",
    "RestoredTable": "restored",
    "XrayOtlp": "true",
    "AllowedOrigins": "https://cruddur.example",
    "BrowserTraces": "off",
    "HomeSchedule": "2027-01-01T00:00:00Z,30,4",
}


def version_of_api(template, given):
    """Returns what CloudFormation compares: the name and the properties of the version."""
    resources = transformed(copy.deepcopy(template), given)["Resources"]
    return [
        (name, resource["Properties"])
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Version" and resource["Properties"]["FunctionName"]["Ref"] == "ApiFunction"
    ]


@pytest.mark.parametrize("change", CHANGES)
def test_changed_property_alone_publishes_a_version(change):
    changed = copy.deepcopy(TEMPLATE)
    changed["Resources"]["ApiFunction"]["Properties"] |= CHANGES[change]
    assert version_of_api(changed, {}) != version_of_api(TEMPLATE, {})


@pytest.mark.parametrize("parameter", VALUES)
def test_changed_parameter_alone_publishes_a_version(parameter):
    assert version_of_api(TEMPLATE, {parameter: VALUES[parameter]}) != version_of_api(TEMPLATE, {})


def test_every_version_is_kept(resources):
    versions = [resource for resource in resources.values() if resource["Type"] == "AWS::Lambda::Version"]
    assert len(versions) == len(FUNCTIONS)
    # DeletionPolicy keeps a version with another name, UpdateReplacePolicy one with another description.
    assert {(one["DeletionPolicy"], one["UpdateReplacePolicy"]) for one in versions} == {("Retain", "Retain")}


def test_other_revision_changes_the_function_itself():
    def descriptions(revision):
        resources = transformed(source(), {"Revision": revision})["Resources"]
        return {resources[name]["Properties"]["Description"] for name in FUNCTIONS}

    # Lambda publishes no version of a function that has not changed since the last one.
    assert (descriptions("0"), descriptions("8")) == ({"Revision 0"}, {"Revision 8"})


def test_function_logs_expire(resources, functions):
    for function in functions.values():
        logs = resources[function["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]
        assert logs["RetentionInDays"] > 0


def test_functions_time_out_before_their_callers(functions):
    # API Gateway waits 29 s; the stream consumer has 30 s.
    assert all(function["Timeout"] <= 30 for function in functions.values())


def test_functions_are_traced(functions):
    assert {function["TracingConfig"]["Mode"] for function in functions.values()} == {"Active"}


def test_reserved_concurrency_is_opt_in(variant, functions):
    expected = 100 if variant == "prod" else None
    assert {function.get("ReservedConcurrentExecutions") for function in functions.values()} == {expected}


def test_canary_deployment_is_used_in_prod_only(variant, resources, functions):
    for name in functions:
        assert ("UpdatePolicy" in resources[f"{name}Aliaslive"]) == (variant == "prod")
        assert (f"{name}DeploymentGroup" in resources) == (variant == "prod")


@pytest.mark.parametrize("variant", ["prod"], indirect=True)
def test_canary_is_guarded_by_the_alarm_of_its_version(resources, functions):
    for name in functions:
        group = resources[f"{name}DeploymentGroup"]["Properties"]
        alarm = name.replace("Function", "CanaryAlarm")
        assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
        assert group["AlarmConfiguration"]["Alarms"] == [{"Name": {"Ref": alarm}}]
        assert group["ServiceRoleArn"] == {"Fn::GetAtt": ["DeploymentRole", "Arn"]}
        version = resources[f"{name}Aliaslive"]["Properties"]["FunctionVersion"]
        dimensions = {one["Name"]: one["Value"] for one in resources[alarm]["Properties"]["Dimensions"]}
        assert dimensions["ExecutedVersion"] == version


def test_rollout_at_once_in_prod_uses_no_codedeploy():
    resources = transformed(source(), {**VARIANTS["prod"], "Rollout": "at-once"})["Resources"]
    assert [name for name, one in resources.items() if one["Type"].startswith("AWS::CodeDeploy::")] == []
    assert [name for name in resources if name.endswith("CanaryAlarm")] == []
    assert [name for name, one in resources.items() if "UpdatePolicy" in one] == []
    # They stay, so that the next canary deployment does not wait for IAM.
    assert {"DeploymentRole", "DeploymentPolicy"} <= resources.keys()


def test_rollout_at_once_publishes_the_same_versions():
    at_once = {**VARIANTS["prod"], "Rollout": "at-once"}
    assert version_of_api(TEMPLATE, at_once) == version_of_api(TEMPLATE, VARIANTS["prod"])


def test_stack_uses_the_restored_table_everywhere():
    arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/restored"
    given = {"RestoredTable": "restored", "RestoredTableStream": "2027-01-01T00:00:00.000"}
    template = transformed(source(), {**VARIANTS["prod"], **given})
    # The stack keeps its own table, and nothing refers to it.
    del template["Resources"]["Table"]
    assert re.findall(r'"Ref": "Table"|"Fn::GetAtt": \["Table"|\$\{Table\b', json.dumps(template)) == []
    resources = template["Resources"]
    assert resources["StreamFunctionChanges"]["Properties"]["EventSourceArn"] == f"{arn}/stream/2027-01-01T00:00:00.000"
    for name in FUNCTIONS:
        assert resources[name]["Properties"]["Environment"]["Variables"]["TABLE_NAME"] == "restored"
        statements = resources[f"{name}Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
        tables = {one["Resource"] for one in statements if "dynamodb:GetItem" in one["Action"]}
        assert tables == {arn}
    assert template["Outputs"]["TableName"]["Value"] == "restored"


def test_adopted_resources_are_those_of_the_template(resources):
    adopted = source("operate/adopt.yaml")["Resources"]
    kept = {name for name, one in TEMPLATE["Resources"].items() if one.get("DeletionPolicy") == "Retain"}
    assert adopted.keys() == kept
    for name, resource in adopted.items():
        assert resource["DeletionPolicy"] == "Retain"
        expected = resources[name]["Properties"]
        assert {key: expected.get(key) for key in resource["Properties"]} == resource["Properties"]
    # An import does not read the table. CloudFormation would set what the import leaves out again.
    assert adopted["Table"]["Properties"].keys() == resources["Table"]["Properties"].keys()


def test_named_resources_need_no_replacement():
    """CloudFormation creates the replacement first, which fails if its name is taken."""
    for name, resource in TEMPLATE["Resources"].items():
        if resource["Type"].startswith("AWS::Serverless::"):
            continue
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource["Type"]).schema
        fixed = {
            path: value
            for path in schema.get("createOnlyProperties", [])
            if (value := at_path(resource.get("Properties", {}), path)) is not None
        }
        if any(path.endswith("Name") for path in fixed):
            assert parameters_in(list(fixed.values())) == set(), name


def at_path(properties, path):
    for key in path.removeprefix("/properties/").split("/"):
        properties = properties.get(key) if isinstance(properties, dict) else None
    return properties


def test_variants_break_no_rule(variant):
    assert broken_rules(TEMPLATE, VARIANTS[variant]) == []


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"AlarmTarget": ""}, ["AlarmTarget"]),
        ({"EmailIdentity": ""}, ["EmailIdentity"]),
        ({"AllowedOrigins": "http://localhost:3000"}, ["AllowedOrigins"]),
        ({"BudgetEmail": ""}, ["BudgetEmail"]),
        ({"RestoredTable": "restored"}, ["RestoredTableStream"]),
        ({"AlarmTarget": "", "EmailIdentity": ""}, ["AlarmTarget", "EmailIdentity"]),
    ],
)
def test_incomplete_prod_is_rejected(change, names):
    broken = broken_rules(TEMPLATE, {**VARIANTS["prod"], **change})
    assert [text.split()[0] for text in broken] == names


def longest_value(node):
    """Returns the length of the longest value of an expression."""
    match node:
        case str():
            return len(node)
        case {"Fn::If": [_, *branches]}:
            return max(map(longest_value, branches))
        case {"Fn::FindInMap": [name, key, _]}:
            return max(map(len, TEMPLATE["Mappings"][name][key].values()))
        case {"Ref": name}:
            parameter = PARAMETERS[name]
            values = parameter.get("AllowedValues") or [parameter.get("MaxValue", "")]
            return parameter.get("MaxLength") or max(len(str(value)) for value in values)
    raise ValueError(f"unknown expression {node}")


def parameters_in(node):
    """Returns the parameters that the value of `node` depends on."""
    match node:
        case {"Ref": name}:
            return {name} & PARAMETERS.keys()
        case {"Condition": name}:
            return parameters_in(CONDITIONS[name])
        case {"Fn::If": [name, *branches]}:
            # A condition usually checks whether the parameter of its branches is set.
            return set.union(*map(parameters_in, branches)) or parameters_in(CONDITIONS[name])
        case {"Fn::Sub": str(text)}:
            return set(re.findall(r"\$\{(\w+)\}", text)) & PARAMETERS.keys()
        case {"Fn::Sub": [text, variables]}:
            return parameters_in({"Fn::Sub": text}) | parameters_in(list(variables.values()))
        case dict():
            return parameters_in(list(node.values()))
        case list():
            return set().union(*map(parameters_in, node))
    return set()

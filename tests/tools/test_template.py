"""Checks the functions of template.yaml: binaries, events, versions, limits and deployments."""

import re
from pathlib import Path

import pytest
from transformed import source

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
def test_each_change_of_a_variable_makes_a_new_version(function):
    properties = FUNCTIONS[function]
    common = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    variables = {**common, **properties["Environment"]["Variables"]}
    # CloudFormation publishes a version only if its description changes.
    assert parameters_in(variables) == parameters_in(properties["VersionDescription"])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_version_description_fits_its_limit(function):
    description = FUNCTIONS[function]["VersionDescription"]
    # A variable of `Fn::Sub` is the value of a parameter or `-`.
    literal = re.sub(r"\$\{\w+\}", "", description["Fn::Sub"][0])
    longest = len(literal) + sum(longest_value(PARAMETERS[name]) for name in parameters_in(description))
    assert longest <= LONGEST_VERSION_DESCRIPTION


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
def test_canary_is_guarded_by_the_functions_alarm(resources, functions):
    for name in functions:
        group = resources[f"{name}DeploymentGroup"]["Properties"]
        assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
        assert {"Name": {"Ref": f"{name}ErrorsAlarm"}} in group["AlarmConfiguration"]["Alarms"]
        assert group["ServiceRoleArn"] == {"Fn::GetAtt": ["DeploymentRole", "Arn"]}


def longest_value(parameter):
    values = parameter.get("AllowedValues") or [parameter.get("MaxValue", "")]
    return parameter.get("MaxLength") or max(len(str(value)) for value in values)


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

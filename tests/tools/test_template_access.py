"""Checks the roles of template.yaml. `tests/it/permissions.rs` checks the access to the table by real requests."""

import json

import pytest

# These actions support no resources.
XRAY_OTLP = {"xray:PutSpans", "xray:PutSpansForIndexing"}
WITHOUT_RESOURCES = {"dynamodb:ListStreams", "xray:PutTelemetryRecords", "xray:PutTraceSegments"} | XRAY_OTLP
EVERY_FUNCTION = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments"}
HONEYCOMB_KEY = {"ssm:GetParameter", "kms:Decrypt"}
# The actions of each role except those on the table.
ACTIONS = {
    "ApiFunctionRole": EVERY_FUNCTION | {"secretsmanager:GetSecretValue"},
    "SignupFunctionRole": EVERY_FUNCTION,
    "StreamFunctionRole": EVERY_FUNCTION | {"sqs:SendMessage"},
}


@pytest.fixture(scope="module")
def policies(of_type):
    return {**of_type("AWS::IAM::Policy"), **of_type("AWS::IAM::ManagedPolicy")}


@pytest.fixture(scope="module")
def statements(of_type, policies):
    """The statements of each role, in inline policies and in separate ones."""
    found = {
        role: [statement for policy in properties["Policies"] for statement in statements_of(policy)]
        for role, properties in of_type("AWS::IAM::Role").items()
    }
    for policy in policies.values():
        for role in policy["Roles"]:
            found[role["Ref"]] += statements_of(policy)
    return found


def test_roles_and_policies_are_explicit(resources, of_type, policies):
    from transformed import source

    # SAM generates the others, with wider permissions.
    assert {*of_type("AWS::IAM::Role"), *policies} <= source()["Resources"].keys()
    assert "ManagedPolicy" not in json.dumps(resources)


def test_each_function_has_its_own_role(of_type):
    for name, function in of_type("AWS::Lambda::Function").items():
        assert function["Role"] == {"Fn::GetAtt": [f"{name}Role", "Arn"]}


def test_wildcards_are_only_where_resources_are_unsupported(statements):
    everywhere = {
        action
        for found in statements.values()
        for statement in found
        if statement["Resource"] == "*"
        for action in actions_of(statement)
    }
    assert everywhere <= WITHOUT_RESOURCES
    assert [
        action
        for found in statements.values()
        for statement in found
        for action in actions_of(statement)
        if "*" in action
    ] == []


@pytest.mark.parametrize("role", ACTIONS)
def test_role_allows_only_the_needed_actions(variant, statements, role):
    found = {action for statement in statements[role] for action in actions_of(statement)}
    expected = ACTIONS[role] | (HONEYCOMB_KEY | XRAY_OTLP if variant == "prod" else set())
    assert {action for action in found if not action.startswith("dynamodb:")} == expected


@pytest.mark.parametrize("variant", ["prod"], indirect=True)
def test_honeycomb_key_is_decrypted_for_its_parameter_only(statements):
    (parameter,) = [one["Resource"] for one in statements["ApiFunctionRole"] if one["Action"] == "ssm:GetParameter"]
    (decrypt,) = [one for one in statements["ApiFunctionRole"] if one["Action"] == "kms:Decrypt"]
    conditions = decrypt["Condition"]["StringEquals"]
    # One slash precedes the name, although the name begins with a slash.
    assert joined(parameter).rpartition(":")[2] == "parameter/cruddur/honeycomb-key"
    assert joined(conditions["kms:EncryptionContext:PARAMETER_ARN"]) == joined(parameter)
    assert conditions["kms:ViaService"] == "ssm.eu-west-1.amazonaws.com"


def test_functions_are_invoked_by_alias_and_known_source(of_type):
    permissions = of_type("AWS::Lambda::Permission")
    assert permissions
    for permission in permissions.values():
        assert "Aliaslive" in permission["FunctionName"]["Ref"]
        assert "SourceArn" in permission


def joined(value):
    """Returns the result of `Fn::Join` of `Fn::Split`."""
    between, split = value["Fn::Join"]
    separator, text = split["Fn::Split"]
    return between.join(text.split(separator))


def statements_of(policy):
    return policy["PolicyDocument"]["Statement"]


def actions_of(statement):
    action = statement["Action"]
    return action if isinstance(action, list) else [action]

"""Who may do what: roles as CloudFormation gets them, beside the code that needs them. What the functions do with the
table is compared by `cargo test`, which sees their requests."""

import json
import re
from pathlib import Path

# What these know no resources for.
WITHOUT_RESOURCES = {"dynamodb:ListStreams", "xray:PutTelemetryRecords", "xray:PutTraceSegments"}
OF_EVERY_FUNCTION = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments"}
OF_A_KEY = {"ssm:GetParameter", "kms:Decrypt"}


def look_at_access(report, variant, resources, ours):
    roles = {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == "AWS::IAM::Role"}
    policies = {name: resource["Properties"] for name, resource in resources.items()
                if resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")}
    report.compare(f"{variant}: no role and no policy is of SAM's making", [], sorted({*roles, *policies} - ours))
    report.compare(f"{variant}: no policy is managed", False, "ManagedPolicy" in json.dumps(resources))
    functions = [name for name, resource in resources.items() if resource["Type"] == "AWS::Lambda::Function"]
    report.compare(f"{variant}: every function has a role of its own",
                   {name: {"Fn::GetAtt": [f"{name}Role", "Arn"]} for name in functions},
                   {name: resources[name]["Properties"]["Role"] for name in functions})

    statements = {role: [statement for policy in properties["Policies"] for statement in statements_of(policy)]
                  for role, properties in roles.items()}
    for policy in policies.values():
        for role in policy["Roles"]:
            statements[role["Ref"]] += statements_of(policy)
    actions = {role: {action for statement in found for action in as_list(statement["Action"])}
               for role, found in statements.items()}
    everywhere = [(role, action) for role, found in statements.items() for statement in found
                  if statement["Resource"] == "*" for action in as_list(statement["Action"])]
    report.compare(f"{variant}: only what knows no resources is allowed on all of them", [],
                   sorted(pair for pair in everywhere if pair[1] not in WITHOUT_RESOURCES))
    report.compare(f"{variant}: every action is named", [],
                   sorted(action for found in actions.values() for action in found if "*" in action))

    key = OF_A_KEY if variant == "prod" else set()
    expected = {"ApiFunctionRole": OF_EVERY_FUNCTION | secret_actions(), "SignupFunctionRole": OF_EVERY_FUNCTION,
                "StreamFunctionRole": OF_EVERY_FUNCTION | {"sqs:SendMessage"}}
    for role, beside_the_table in expected.items():
        report.compare(f"{variant}: what {role} may do beside the table", sorted(beside_the_table | key),
                       sorted(action for action in actions[role] if not action.startswith("dynamodb:")))
    report.compare("the key is read by the one call that is allowed", OF_A_KEY - {"kms:Decrypt"}, key_actions())
    if variant == "prod":
        look_at_the_key(report, statements["ApiFunctionRole"])
    permissions = [resource["Properties"] for resource in resources.values()
                   if resource["Type"] == "AWS::Lambda::Permission"]
    report.compare(f"{variant}: a function is invoked as its alias, and by a resource of ours", [],
                   [permission for permission in permissions
                    if "Aliaslive" not in permission["FunctionName"]["Ref"] or "SourceArn" not in permission])


def look_at_the_key(report, statements):
    (parameter,) = [statement["Resource"] for statement in statements if statement["Action"] == "ssm:GetParameter"]
    (decrypt,) = [statement for statement in statements if statement["Action"] == "kms:Decrypt"]
    report.compare("the key's parameter, with one slash before its name", "parameter/cruddur/honeycomb-key",
                   joined(parameter).rpartition(":")[2])
    conditions = decrypt["Condition"]["StringEquals"]
    report.compare("it is decrypted for that parameter alone", joined(parameter),
                   joined(conditions.get("kms:EncryptionContext:PARAMETER_ARN")))
    report.compare("and through Systems Manager alone", "ssm.eu-west-1.amazonaws.com", conditions.get("kms:ViaService"))


def joined(value):
    """What Fn::Join makes of Fn::Split."""
    if not value:
        return None
    between, split = value["Fn::Join"]
    at, text = split["Fn::Split"]
    return between.join(text.split(at))


def secret_actions():
    calls = re.findall(r"client\s*\.(\w+)\(\)", Path("src/config/secret.rs").read_text())
    return {"secretsmanager:" + "".join(part.capitalize() for part in call.split("_")) for call in calls}


def key_actions():
    targets = re.findall(r'"AmazonSSM\.(\w+)"', Path("crates/lambda-spans/src/otlp/honeycomb_key.rs").read_text())
    return {f"ssm:{target}" for target in targets}


def statements_of(policy):
    return policy["PolicyDocument"]["Statement"]


def as_list(value):
    return value if isinstance(value, list) else [value]

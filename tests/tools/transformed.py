"""The template as CloudFormation receives it: translated by SAM, with the values of parameters and conditions."""

import logging
import re

import boto3
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

# A deployment with the default parameters, and one with every parameter set.
VARIANTS = {
    "dev": {},
    "prod": {
        "Stage": "prod",
        "Architecture": "x86_64",
        "HoneycombApiKeyParameter": "/cruddur/honeycomb-key",
        "OtlpEndpoint": "https://api.eu1.honeycomb.io",
        "LogRetentionDays": "365",
        "AlarmTarget": "arn:aws:sns:eu-west-1:123456789012:alarms",
        "ReservedConcurrency": "100",
        "TransactionSearch": "true",
        "XrayOtlp": "true",
        "AllowedOrigins": "https://cruddur.example",
        "EmailIdentity": "arn:aws:ses:eu-west-1:123456789012:identity/cruddur.example",
        "EmailFrom": "no-reply@cruddur.example",
        "UserPoolTier": "ESSENTIALS",
        "TotpMfa": "true",
        "WafRateLimit": "2000",
        "MonthlyBudget": "50",
        "BudgetEmail": "owner@cruddur.example",
    },
}


# CloudFormation's pseudo parameters.
PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::StackName": "cruddur",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/cruddur/1a2b3c4d-0000-11f1-a000-0a0b0c0d0e0f",
}


def source(path="template.yaml"):
    with open(path) as file:
        return yaml_parse(file.read())


def transformed(template, given):
    """Returns the template with the resources that SAM generates, for the `given` parameters."""
    # The translator warns about feature flags that only AWS has.
    logging.disable(logging.WARNING)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    # No managed policies are known, so a role that SAM generates would fail.
    translated = Translator({}, Parser(), boto_session=boto3.Session(region_name="eu-west-1")).translate(
        template, dict(given)
    )
    return with_values(translated, given)


def with_values(template, given):
    """Returns the template without parameters and conditions."""
    values = {
        name: typed(given.get(name, parameter["Default"]), parameter["Type"])
        for name, parameter in template.get("Parameters", {}).items()
    }
    values |= PSEUDO
    conditions, mappings = template.get("Conditions", {}), template.get("Mappings", {})

    def holds(condition):
        ((kind, operands),) = condition.items()
        match kind:
            case "Condition":
                return holds(conditions[operands])
            case "Fn::Equals":
                left, right = (valued(operand) for operand in operands)
                return str(left) == str(right)
            case "Fn::Not":
                return not holds(operands[0])
            case "Fn::And":
                return all(holds(operand) for operand in operands)
            case "Fn::Or":
                return any(holds(operand) for operand in operands)
        raise ValueError(f"unknown condition {kind}")

    def filled_in(text, variables):
        """Returns `text` with all known values. References to resources stay."""
        named = {
            name: value["Ref"] if isinstance(value, dict) and "Ref" in value else value
            for name, value in variables.items()
        }
        known = {**values, **{name: value for name, value in named.items() if not isinstance(value, dict)}}
        text = re.sub(r"\$\{([\w:]+)\}", lambda found: str(known.get(found[1], found[0])), text)
        left = {name: value for name, value in named.items() if name not in known}
        if "${" not in text:
            return text
        return {"Fn::Sub": [text, left] if left else text}

    def valued(node):
        match node:
            case {"Ref": str(name)} if name in values:
                return values[name]
            case {"Fn::If": [name, one, other]}:
                return valued(one if holds(conditions[name]) else other)
            case {"Fn::FindInMap": [name, *keys]}:
                found = mappings[name]
                for key in map(valued, keys):
                    found = found[key]
                return found
            case {"Fn::Sub": str(text)}:
                return filled_in(text, {})
            case {"Fn::Sub": [text, variables]}:
                return filled_in(text, valued(variables))
            case dict():
                return {key: valued(value) for key, value in node.items() if valued(value) != {"Ref": "AWS::NoValue"}}
            case list():
                return [value for value in map(valued, node) if value != {"Ref": "AWS::NoValue"}]
        return node

    resources = {
        name: valued(resource)
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or holds(conditions[resource["Condition"]])
    }
    for resource in resources.values():
        resource.pop("Condition", None)
    outputs = template.get("Outputs")
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": resources,
        **({"Outputs": valued(outputs)} if outputs else {}),
    }


def broken_rules(template, given):
    """Returns the descriptions of the assertions that CloudFormation would reject the `given` parameters for."""
    values = {name: str(given.get(name, one["Default"])) for name, one in template["Parameters"].items()}

    def holds(node):
        match node:
            case {"Fn::Equals": operands}:
                left, right = (values[one["Ref"]] if isinstance(one, dict) else one for one in operands)
                return left == right
            case {"Fn::Not": [operand]}:
                return not holds(operand)
            case {"Fn::Or": operands}:
                return any(map(holds, operands))
        raise ValueError(f"unknown condition {node}")

    return [
        assertion["AssertDescription"]
        for rule in template["Rules"].values()
        if holds(rule["RuleCondition"])
        for assertion in rule["Assertions"]
        if not holds(assertion["Assert"])
    ]


def typed(value, kind):
    if kind != "Number":
        return value
    return float(value) if "." in str(value) else int(value)

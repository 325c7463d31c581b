"""Checks the commands and names in the documents against template.yaml, the shell, and AWS's service descriptions."""

import json
import re
import runpy
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from documents import code_spans, first_cells, headings, shell_blocks
from processes import run
from transformed import source

DOCUMENTS = [*Path().glob("*.md"), *Path("docs").glob("*.md"), *Path("crates").glob("*/*.md")]
TEMPLATE = source()
# SAM generates these for the canary deployment.
GENERATED = {"ServerlessDeploymentApplication", "ApiFunctionDeploymentGroup"}
# Options of the AWS CLI itself.
GLOBAL_OPTIONS = {"query", "output", "cli-binary-format"}
# Commands that consist of several calls, and their options.
CUSTOM_COMMANDS = {
    ("cloudformation", "deploy"): {"stack-name", "template-file", "capabilities"},
    ("configure", "export-credentials"): {"format"},
    ("configure", "get"): set(),
    ("cloudformation", "wait"): {"stack-name", "change-set-name"},
    ("dynamodb", "wait"): {"table-name"},
}
# Options that have another name in the CLI.
RENAMED = {("sns", "subscribe"): {"endpoint": "notification-endpoint"}}
# Services that have another name in the CLI.
SERVICES = {"deploy": "codedeploy"}
SESSION = botocore.session.get_session()


@pytest.fixture(scope="module", params=DOCUMENTS, ids=str)
def document(request):
    return request.param


def test_runbook_describes_every_alarm():
    alarms = {name for name, resource in TEMPLATE["Resources"].items() if resource["Type"] == "AWS::CloudWatch::Alarm"}
    # A section may describe several alarms.
    assert alarms <= {name for heading in headings("docs/runbook.md", "h3") for name in heading.split(", ")}


def test_configuration_lists_every_parameter():
    assert set(first_cells("docs/configuration.md", "Template parameters")) == TEMPLATE["Parameters"].keys()


def test_console_has_the_prices_of_the_cost_page():
    """Both tables are entered by hand."""
    page = runpy.run_path("docs/generate/scale.py")["PRICES"]
    table = json.loads(Path("crates/console/src/model/prices.json").read_text())
    assert f"The prices are those of {table['region']} on {table['date']}" in Path("docs/cost.md").read_text()
    console = table["dollars_per_million"]
    assert console["write_units"] == page["a million DynamoDB write units"]
    assert console["read_units"] == page["a million DynamoDB read units"]
    assert console["invocations"] == page["a million Lambda requests"]
    assert console["gb_seconds_arm64"] == pytest.approx(page["a GB-second of Lambda on arm64"] * 1e6)


def test_documented_parameters_exist(document):
    overrides = re.findall(r"--parameter-overrides ([^\n]+)", "\n".join(shell_blocks(document)).replace("\\\n", " "))
    names = {name for line in overrides for name in re.findall(r"(?:^| )([A-Z]\w+)=", line)}
    names |= {span.split("=")[0] for span in code_spans(document) if re.match(r"[A-Z][a-z]\w+=", span)}
    assert names <= TEMPLATE["Parameters"].keys()


def test_documented_outputs_and_resources_exist(document):
    commands = "\n".join([*shell_blocks(document), *code_spans(document)])
    outputs = set(re.findall(r"\boutput ([A-Z]\w+)", commands))
    resources = set(re.findall(r"\bresource ([A-Z]\w+)|\blines ([A-Z]\w+)", commands))
    assert outputs <= TEMPLATE["Outputs"].keys()
    assert {name for names in resources for name in names if name} <= TEMPLATE["Resources"].keys() | GENERATED


def test_shell_blocks_are_valid(document):
    for block in shell_blocks(document):
        checked = run("bash -n", input=block)
        assert (checked.returncode, checked.stderr) == (0, "")


def test_aws_commands_and_options_exist(document):
    for text in [*shell_blocks(document), *code_spans(document)]:
        for service, operation, options in aws_commands(text):
            assert faults(service, operation, options) == [], f"aws {service} {operation}"


def aws_commands(text):
    """Yields the service, the operation and the options of each command of the AWS CLI."""
    text = text.replace("\\\n", " ").replace("$(date +%s)", "0")
    text = re.sub(r"\$\(\((?:[^()]|\([^()]*\))*\)\)", "0", text)
    for found in re.finditer(r"\baws ([a-z-]+) ([a-z-]+)((?:\"[^\"]*\"|'[^']*'|[^|;&)`\n\"'])*)", text):
        # Quoted text is a value. A command within it is found on its own.
        options = re.findall(r"(?<=\s)--([a-z-]+)", re.sub(r"\"[^\"]*\"|'[^']*'", "…", found[3]))
        yield found[1], found[2], set(options)


def faults(service, operation, options):
    """Returns the operation if it does not exist, or else its unknown and missing options."""
    if (service, operation) in CUSTOM_COMMANDS:
        return sorted(options - CUSTOM_COMMANDS[service, operation] - GLOBAL_OPTIONS)
    model = SESSION.get_service_model(SERVICES.get(service, service))
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in operations:
        return [operation]
    shape = model.operation_model(operations[operation]).input_shape
    renamed = RENAMED.get((service, operation), {})
    members = {renamed.get(xform_name(name, "-"), xform_name(name, "-")): name for name in shape.members}
    negated = {f"no-{name}" for name, member in members.items() if shape.members[member].type_name == "boolean"}
    required = {xform_name(name, "-") for name in shape.required_members}
    return sorted(options - members.keys() - negated - GLOBAL_OPTIONS) + sorted(
        f"no --{name}" for name in required - options
    )

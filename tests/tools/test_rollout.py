"""Deploys the variant of template.yaml for prod to ministack, and changes how it is rolled out. No function runs."""

import io
import zipfile

import pytest
from cloud import cloud
from processes import free_port, wait_for
from samcli.yamlhelper import yaml_dump
from test_deploy import is_supported
from transformed import VARIANTS, source

PARAMETERS = {**VARIANTS["prod"], "TransactionSearch": "false"}
BUCKET, STACK = "templates", "cruddur"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]


@pytest.fixture(scope="module")
def aws():
    """An emulated account with the template and a package of the functions in a bucket."""
    template, package = source(), io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("bootstrap", "")
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://{BUCKET}/package.zip"
    template["Resources"] = {name: one for name, one in template["Resources"].items() if is_supported(one)}
    with cloud("127.0.0.1", free_port()) as (found, _):
        storage = found.client("s3")
        storage.create_bucket(Bucket=BUCKET)
        storage.put_object(Bucket=BUCKET, Key="package.zip", Body=package.getvalue())
        storage.put_object(Bucket=BUCKET, Key="template.yaml", Body=yaml_dump(template).encode())
        yield found


def deployed(aws, operation, **changes):
    """Creates or updates the stack. Returns its status and the alarms of a canary."""
    formation = aws.client("cloudformation")
    parameters = {**PARAMETERS, **changes}
    getattr(formation, operation)(
        StackName=STACK,
        TemplateURL=f"{aws.endpoint}/{BUCKET}/template.yaml",
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=CAPABILITIES,
    )

    def status():
        return formation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]

    wait_for(lambda: not status().endswith("IN_PROGRESS"))
    alarms = [alarm["AlarmName"] for alarm in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]]
    return status(), sum("CanaryAlarm" in name for name in alarms)


def test_prod_is_created_and_rolled_out_in_both_ways(aws):
    # ministack has no CodeDeploy. The other tests of the template check its resources.
    assert deployed(aws, "create_stack") == ("CREATE_COMPLETE", 3)
    assert deployed(aws, "update_stack", Rollout="at-once") == ("UPDATE_COMPLETE", 0)
    assert deployed(aws, "update_stack", Rollout="at-once", Revision="1") == ("UPDATE_COMPLETE", 0)
    assert deployed(aws, "update_stack", Revision="1") == ("UPDATE_COMPLETE", 3)

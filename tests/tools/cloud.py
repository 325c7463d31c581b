"""ministack, an emulator of AWS: CloudFormation, Lambda in Docker, API Gateway, DynamoDB, Cognito and more.

It starts empty and stores nothing.
"""

import contextlib
import os
import subprocess
import tempfile
import urllib.request
from pathlib import Path

import boto3
from processes import wait_until

REGION = "us-east-1"


class Cloud:
    def __init__(self, address, port):
        self.address = f"{address}:{port}"
        self.endpoint = f"http://{self.address}"
        # For the SAM CLI and the AWS CLI.
        self.environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
        }
        self._session = boto3.Session("test", "test", region_name=REGION)

    def client(self, service):
        return self._session.client(service, endpoint_url=self.endpoint)


@contextlib.contextmanager
def cloud(address, port):
    """Yields a Cloud and the path of its log. `address` is that of the Docker bridge, which functions can reach."""
    with tempfile.TemporaryDirectory(prefix="cruddur-cloud-") as folder:
        found = Cloud(address, port)
        log_path = Path(folder, "log")
        with log_path.open("w") as log:
            process = subprocess.Popen(
                [Path(".tools/python/bin/ministack").absolute()],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={
                    **found.environment,
                    "BIND_HOST": address,
                    # The host in its URLs. The authorizers of API Gateway fetch the keys of a user pool there.
                    "MINISTACK_HOST": address,
                    "GATEWAY_PORT": str(port),
                    "TMPDIR": folder,
                    "S3_DATA_DIR": f"{folder}/s3",
                    "STATE_DIR": f"{folder}/state",
                    # Without Docker, ministack runs functions without the Extensions API.
                    "LAMBDA_EXECUTOR": "docker",
                    "LAMBDA_STRICT": "1",
                    # This would listen on all addresses.
                    "IOT_MTLS_ENABLED": "0",
                },
            )

        def is_healthy():
            try:
                with urllib.request.urlopen(f"{found.endpoint}/_ministack/health", timeout=2) as response:
                    return response.status == 200
            except OSError:
                return False

        try:
            wait_until("ministack is healthy", is_healthy, process, log=log_path)
            yield found, log_path
        finally:
            process.terminate()
            process.wait(timeout=60)


# For each kind of resource: the service, the operation that lists it, the member with the list, and the name.
_LISTS = {
    "stacks": ("cloudformation", "describe_stacks", "Stacks", "StackName"),
    "functions": ("lambda", "list_functions", "Functions", "FunctionName"),
    "event sources": ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
    "APIs": ("apigateway", "get_rest_apis", "items", "name"),
    "tables": ("dynamodb", "list_tables", "TableNames", None),
    "user pools": ("cognito-idp", "list_user_pools", "UserPools", "Name"),
    "secrets": ("secretsmanager", "list_secrets", "SecretList", "Name"),
    "queues": ("sqs", "list_queues", "QueueUrls", None),
    "topics": ("sns", "list_topics", "Topics", "TopicArn"),
    "log groups": ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "roles": ("iam", "list_roles", "Roles", "RoleName"),
    "policies": ("iam", "list_policies", "Policies", "PolicyName"),
    "alarms": ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    "dashboards": ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    "parameters": ("ssm", "describe_parameters", "Parameters", "Name"),
    "buckets": ("s3", "list_buckets", "Buckets", "Name"),
}
_LIMITS = {"cognito-idp": {"MaxResults": 60}, "iam": {"MaxItems": 1000}}


def inventory(found):
    """Returns the kind and the name of every resource."""
    everything = set()
    for kind, (service, operation, listed, name) in _LISTS.items():
        scope = {"Scope": "Local"} if kind == "policies" else {}
        answer = getattr(found.client(service), operation)(**_LIMITS.get(service, {}), **scope)
        everything |= {(kind, one[name] if name else one) for one in answer.get(listed, [])}
    return everything

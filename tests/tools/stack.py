"""The deployed stack, and how it is asked."""

import contextlib
import http.client
import json
import subprocess
from urllib.parse import urlsplit

from samcli.yamlhelper import yaml_dump

NAME = "cruddur"
ALIAS = "live"


class Stack:
    def __init__(self, aws, template, folder):
        """In `folder` is what `make build` would have put there: the template, as it can be deployed here."""
        self.aws = aws
        self.folder = folder
        built = folder / ".aws-sam/build/template.yaml"
        built.parent.mkdir(parents=True)
        built.write_text(yaml_dump(template))
        # Of each answered request its trace id, its route, and what follows from it.
        self.answered = []
        self.outputs = {}

    def deploy(self, **parameters):
        """Returns the stack's status after another `sam deploy`."""
        run = subprocess.run(
            ["sam", "deploy", "--parameter-overrides", *[f"{name}={value}" for name, value in parameters.items()]],
            cwd=self.folder, env=self.aws.environment, capture_output=True, text=True)
        if run.returncode != 0:
            raise SystemExit(f"sam deploy ended with {run.returncode}:\n{run.stdout}\n{run.stderr}")
        self._restore_aliases()
        return self.look()

    def look(self):
        """Takes the outputs from the stack, and returns its status."""
        (stack,) = self.aws.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        return stack["StackStatus"]

    def _restore_aliases(self):
        """ministack makes a function anew that changes, and its version, but forgets its alias."""
        functions = self.aws.client("lambda")
        for function in functions.list_functions()["Functions"]:
            name = function["FunctionName"]
            if not functions.list_aliases(FunctionName=name)["Aliases"]:
                version = functions.list_versions_by_function(FunctionName=name)["Versions"][-1]["Version"]
                functions.create_alias(FunctionName=name, Name=ALIAS, FunctionVersion=version)

    def delete(self):
        """As `aws cloudformation delete-stack`: `sam delete` asks for what ministack does not tell."""
        formation = self.aws.client("cloudformation")
        formation.delete_stack(StackName=NAME)
        formation.get_waiter("stack_delete_complete").wait(StackName=NAME, WaiterConfig={"Delay": 1})

    def ask(self, route, *, token=None, body=None, follows=frozenset(), path=None, **headers):
        """Returns status, headers and body of the API's answer to a request of `route`, such as `GET /api/messages`;
        `path` is that of the request where the route has variables. `follows` are the names of the spans in which the
        stream's consumer does what follows from it."""
        method, route_path = route.split()
        url = urlsplit(self.outputs["ApiUrl"])
        headers["Host"] = f"{url.hostname.split('.')[0]}.execute-api.localhost"
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        with contextlib.closing(http.client.HTTPConnection(self.aws.address, timeout=60)) as connection:
            connection.request(method, url.path + (path or route_path), body and json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        self.note(headers.get("x-trace-id"), route, follows)
        return response.status, headers, json.loads(text) if text else None

    def note(self, trace_id, route, follows=frozenset()):
        """A request has been answered."""
        self.answered.append((trace_id, route, set(follows)))

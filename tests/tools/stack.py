"""The deployed stack and requests to its API."""

import contextlib
import http.client
import json
from urllib.parse import urlsplit

from processes import run
from samcli.yamlhelper import yaml_dump

NAME = "cruddur"


class Stack:
    def __init__(self, aws, template, folder):
        """Writes the template to `folder`, as `make build` does."""
        self.aws = aws
        self.folder = folder
        built = folder / ".aws-sam/build/template.yaml"
        built.parent.mkdir(parents=True)
        built.write_text(yaml_dump(template))
        # The trace id, the route and the side effects of each answered request.
        self.answered = []
        self.outputs = {}

    def deploy(self, **parameters):
        """Deploys again. Returns the status of the stack."""
        overrides = [f"{name}={value}" for name, value in parameters.items()]
        deployed = run("sam deploy --parameter-overrides", *overrides, cwd=self.folder, env=self.aws.environment)
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        return self.refresh()

    def refresh(self):
        """Reads the outputs of the stack. Returns its status."""
        (stack,) = self.aws.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        return stack["StackStatus"]

    def delete(self):
        """Deletes the stack and the files that `sam deploy` uploaded."""
        deleted = run("sam delete --no-prompts", cwd=self.folder, env=self.aws.environment)
        assert deleted.returncode == 0, deleted.stdout + deleted.stderr

    def request(self, route, *, token=None, body=None, effects=frozenset(), path=None, **headers):
        """Returns status, headers and body of the response to a request of `route`, such as `GET /api/messages`.

        `path` replaces the path of a route with variables. `effects` are the names of the spans that the stream
        consumer creates because of the request.
        """
        method, route_path = route.split()
        url = urlsplit(self.outputs["ApiUrl"])
        headers["Host"] = f"{url.hostname.split('.')[0]}.execute-api.{self.aws.address}"
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        with contextlib.closing(http.client.HTTPConnection(self.aws.address, timeout=180)) as connection:
            connection.request(method, url.path + (path or route_path), body and json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        # API Gateway's own errors have this header. The function does not receive such a request.
        if "x-amzn-errortype" not in headers:
            self.note(headers.get("x-trace-id"), route, effects)
        return response.status, headers, json.loads(text) if text else None

    def note(self, trace_id, route, effects=frozenset()):
        """Remembers an answered request."""
        self.answered.append((trace_id, route, set(effects)))

"""A fake of an AWS account with the deployed stack: CloudFormation, Cognito, X-Ray, CloudWatch Logs and the API.

The AWS CLI parses its responses by the service descriptions of AWS, so their shapes are the documented ones. Each request
to the API creates the segments that API Gateway, Lambda and the function send to X-Ray, and the events of Honeycomb.
"""

import contextlib
import json
import re
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from processes import http_server

KEY = "hcxlk-fake-0123456789abcdef"
UUID = "01a202e9-b47a-7000-8000-000000000009"
# Paths of the API, and the routes in the names of spans. The first match counts.
ROUTES = [
    (r"/api/activities/home", "/api/activities/home"),
    (r"/api/activities/notifications", "/api/activities/notifications"),
    (r"/api/activities/search", "/api/activities/search"),
    (r"/api/activities/@\w+", "/api/activities/@{handle}"),
    (r"/api/activities/[0-9a-f-]+/(\w+)", r"/api/activities/{activity_uuid}/\1"),
    (r"/api/activities/[0-9a-f-]+", "/api/activities/{activity_uuid}"),
    (r"/api/users/@\w+/short", "/api/users/@{handle}/short"),
    (r"/api/messages/[0-9a-f-]+", "/api/messages/{message_group_uuid}"),
]


class FakeAccount:
    def __init__(self):
        self.traces, self.events, self.links = {}, [], []
        self.users, self.queries, self.deleted = {}, {}, False
        self.parameters = {"Stage": "dev", "SampleRate": "1", "XrayOtlp": "false", "OtlpEndpoint": ""}
        # Faults: changes of the documents of a trace, log lines with drops, and what X-Ray does not accept.
        self.change = lambda name, documents: documents
        self.drops, self.arrays, self.otlp, self.linked, self.query_api = [], True, True, True, True

    def answer(self, method, path, headers, body):
        target = headers.get("X-Amz-Target", "").rpartition(".")[2]
        if target:
            return self.json_service(target, json.loads(body))
        if path.startswith("/dev/api/"):
            return self.api(method, path.removeprefix("/dev").partition("?")[0], headers, body)
        if headers.get("X-Honeycomb-Team"):
            assert headers["X-Honeycomb-Team"] == KEY
            return self.honeycomb(method, path, json.loads(body) if body else None)
        match method, path:
            case "POST", "/":
                return self.cloudformation(parse_qs(body.decode()))
            case "POST", "/Traces":
                found = [one for one in json.loads(body)["TraceIds"] if one in self.traces]
                traces = [{"Id": one, "Duration": 0.1, "Segments": segments(self.traces[one])} for one in found]
                return 200, {"Traces": traces, "UnprocessedTraceIds": []}
            case "POST", "/TraceSummaries":
                assert json.loads(body)["FilterExpression"] == (
                    'service(id(name: "cruddur/dev", type: "AWS::ApiGateway::Stage"))'
                )
                return 200, {"TraceSummaries": [{"Id": one} for one in self.traces], "TracesProcessedCount": 1}
            case "POST", "/TraceSegments":
                return 200, {"UnprocessedTraceSegments": self.put_segments(json.loads(body)["TraceSegmentDocuments"])}
            case "POST", "/v1/traces":
                assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=test/")
                return self.put_otlp(json.loads(body))
        raise AssertionError(f"unknown request: {method} {path}")

    def cloudformation(self, form):
        outputs = {"ApiUrl": f"{self.url}/dev", "UserPoolId": "us-east-1_a", "UserPoolClientId": "client"}
        resources = {f"{name}FunctionLogGroup": f"{name}-logs" for name in ("Api", "Signup", "Stream")}
        match form["Action"]:
            case ["DescribeStacks"]:
                members = members_of("Outputs", "OutputKey", "OutputValue", outputs)
                members += members_of("Parameters", "ParameterKey", "ParameterValue", self.parameters)
                stack_id = "arn:aws:cloudformation:us-east-1:123456789012:stack/cruddur/1"
                stack = f"<StackName>cruddur</StackName><StackId>{stack_id}</StackId><CreationTime>2026-11-22T12:00:00Z"
                stack += f"</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus>{members}"
                return xml("DescribeStacks", f"<Stacks><member>{stack}</member></Stacks>")
            case ["DescribeStackResources"]:
                members = members_of("StackResources", "LogicalResourceId", "PhysicalResourceId", resources)
                return xml("DescribeStackResources", members)
        raise AssertionError(form)

    def json_service(self, target, given):
        match target:
            case "SignUp":
                assert given["Username"].endswith("@simulator.amazonses.com")
                self.users[given["Username"]] = given["Password"]
                return 200, {"UserConfirmed": False, "UserSub": UUID}
            case "AdminConfirmSignUp":
                return 200, {}
            case "AdminInitiateAuth":
                assert given["AuthParameters"]["PASSWORD"] == self.users[given["AuthParameters"]["USERNAME"]]
                return 200, {"AuthenticationResult": {"AccessToken": "token", "ExpiresIn": 3600, "TokenType": "Bearer"}}
            case "AdminDeleteUser":
                del self.users[given["Username"]]
                return 200, {}
            case "FilterLogEvents":
                lines = self.drops if given["logGroupName"] == "Stream-logs" else []
                return 200, {"events": [{"message": line} for line in lines]}
        raise AssertionError(target)

    def api(self, method, path, headers, body):
        user = headers.get("Authorization") == "Bearer token"
        if method == "POST" and not user:
            return 401, {"code": "unauthenticated"}
        route = next((re.sub(pattern, to, path) for pattern, to in ROUTES if re.fullmatch(pattern, path)), path)
        given = json.loads(body) if body else {}
        status = 422 if given.get("message") == "" else 200
        if (method, route) == ("DELETE", "/api/activities/{activity_uuid}"):
            self.deleted = True
        elif (method, route) == ("GET", "/api/activities/{activity_uuid}") and self.deleted:
            status = 404
        xray_id = re.fullmatch(r"Root=(1-[0-9a-f]{8}-[0-9a-f]{24});Sampled=1", headers["X-Amzn-Trace-Id"])[1]
        trace_id = xray_id.replace("-", "")[1:]
        name = f"{method} {route}"
        self.record(xray_id, trace_id, name)
        if name == "POST /api/activities" and status == 200 and self.linked:
            self.links.append({"trace.link.trace_id": trace_id})
        answer = {"uuid": UUID, "message_group_uuid": UUID}
        return status, answer, {"x-trace-id": trace_id}

    def record(self, xray_id, trace_id, name):
        documents = [
            {"id": "000000000000000a", "name": "cruddur/dev", "origin": "AWS::ApiGateway::Stage"},
            {"id": "000000000000000b", "name": "api", "parent_id": "000000000000000a", "origin": "AWS::Lambda"},
            {
                "id": "000000000000000c",
                "name": "api",
                "parent_id": "000000000000000b",
                "origin": "AWS::Lambda::Function",
                "subsegments": [{"id": "000000000000000d", "name": name}],
            },
        ]
        self.traces[xray_id] = self.change(name, documents)
        if not self.traces[xray_id]:
            del self.traces[xray_id]
        span = {"trace.trace_id": trace_id, "trace.span_id": "000000000000000d", "name": name}
        child = {"trace.trace_id": trace_id, "trace.span_id": "000000000000000e", "name": "DynamoDB.Query"}
        self.events += [span, {**child, "trace.parent_id": span["trace.span_id"]}]

    def put_segments(self, documents):
        unprocessed = []
        for text in documents:
            document = json.loads(text)
            if isinstance(document, list) and not self.arrays:
                unprocessed.append({"ErrorCode": "ParseError", "Message": "Invalid segment."})
                continue
            for one in document if isinstance(document, list) else [document]:
                self.traces.setdefault(one["trace_id"], []).append(one)
        return unprocessed

    def put_otlp(self, given):
        if not self.otlp:
            return 400, {"message": "Transaction Search is off."}
        for span in given["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            trace_id = f"1-{span['traceId'][:8]}-{span['traceId'][8:]}"
            self.traces.setdefault(trace_id, []).append({"id": span["spanId"], "name": span["name"]})
        return 200, {}

    def honeycomb(self, method, path, given):
        match method, *path.strip("/").split("/"):
            case "POST", "1", "queries", "__all__":
                query_id = f"query{len(self.queries)}"
                self.queries[query_id] = given
                return 200, {"id": query_id, **given}
            case "POST", "1", "query_results", "__all__" if not self.query_api:
                return 403, {"error": "The query API is not available."}
            case "POST", "1", "query_results", "__all__":
                assert given.keys() == {"query_id", "disable_series"}
                return 201, {"id": given["query_id"], "complete": False}
            case "GET", "1", "query_results", "__all__", query_id:
                query = self.queries[query_id]
                column, wanted = query["filters"][0]["column"], query["filters"][0]["value"]
                rows = self.links if column == "trace.link.trace_id" else self.events
                found = [{"data": {**row, "COUNT": 1}} for row in rows if row[column] in wanted]
                return 200, {"id": query_id, "complete": True, "data": {"results": found, "series": []}}
        raise AssertionError(path)


def segments(documents):
    return [{"Id": one["id"], "Document": json.dumps(one)} for one in documents]


def members_of(list_name, key, value, items):
    members = "".join(
        f"<member><{key}>{escape(one)}</{key}><{value}>{escape(text)}</{value}></member>" for one, text in items.items()
    )
    return f"<{list_name}>{members}</{list_name}>"


def xml(operation, result):
    return 200, f"<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>"


@contextlib.contextmanager
def served(account):
    """Yields the URL of the fake."""

    def respond(method, path, headers, body):
        status, answer, *more = account.answer(method, path, headers, body)
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return status, more[0] if more else {}, text.encode()

    with http_server(respond) as url:
        account.url = url
        yield url

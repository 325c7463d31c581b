"""A fake of an AWS account with the deployed stack: CloudFormation, Cognito, X-Ray, CloudWatch Logs and the API.

The AWS CLI parses its responses by the service descriptions of AWS, so their shapes are the documented ones. Each request
to the API creates the segments that API Gateway, Lambda and the function send to X-Ray, and the events of Honeycomb.
Each invocation may add a line with counts of spans to the log of its function.
"""

import contextlib
import json
import re
import time
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from processes import http_server

KEY = "hcxlk-fake-0123456789abcdef"
UUID = "01a202e9-b47a-7000-8000-000000000009"
# The characters that X-Ray allows in names.
XRAY_NAME = re.compile(r"[\w .:/%&#=+@-]+")
# The most traces on a page of ListRetrievedTraces.
PAGE = 5
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
    def __init__(self, clock=time):
        self.clock = clock
        self.traces, self.events, self.links = {}, [], []
        self.users, self.queries, self.deleted = {}, {}, False
        self.parameters = {
            "Stage": "dev",
            "SampleRate": "1",
            "OtlpEndpoint": "https://api.honeycomb.io",
            "HoneycombApiKeyParameter": "/cruddur/honeycomb-key",
            "HomeSchedule": "",
        }
        self.logs = {name: Log(clock) for name in ("Api", "Signup", "Stream")}
        # `CloudWatchLogs` is Transaction Search.
        self.destination, self.retrievals, self.honeycomb_requests = "XRay", {}, 0
        # Faults: changes of the documents of a trace, failing operations, and what X-Ray does not accept.
        self.change = lambda name, documents: documents
        self.failing, self.arrays, self.linked, self.query_api = set(), True, True, True

    def answer(self, method, path, headers, body):
        target = headers.get("X-Amz-Target", "").rpartition(".")[2]
        if target:
            return self.json_service(target, json.loads(body))
        if path.startswith("/dev/api/"):
            return self.api(method, path.removeprefix("/dev").partition("?")[0], headers, body)
        if headers.get("X-Honeycomb-Team"):
            assert headers["X-Honeycomb-Team"] == KEY
            self.honeycomb_requests += 1
            return self.honeycomb(method, path, json.loads(body) if body else None)
        match method, path:
            case "POST", "/":
                return self.cloudformation(parse_qs(body.decode()))
            case "POST", "/Traces":
                ids = json.loads(body)["TraceIds"]
                assert len(ids) <= 5
                # With Transaction Search, this operation finds no traces.
                found = [one for one in ids if one in self.traces] if self.destination == "XRay" else []
                traces = [{"Id": one, "Duration": 0.1, "Segments": segments(self.traces[one])} for one in found]
                return 200, {"Traces": traces, "UnprocessedTraceIds": []}
            case "POST", "/GetTraceSegmentDestination":
                return 200, {"Destination": self.destination, "Status": "ACTIVE"}
            case "POST", "/StartTraceRetrieval":
                return 200, {"RetrievalToken": self.start_retrieval(json.loads(body))}
            case "POST", "/ListRetrievedTraces":
                return 200, self.retrieved(json.loads(body))
            case "POST", "/TraceSummaries":
                assert json.loads(body)["FilterExpression"] == (
                    'service(id(name: "cruddur/dev", type: "AWS::ApiGateway::Stage"))'
                )
                listed = [{"Id": one} for one in self.traces] if self.destination == "XRay" else []
                return 200, {"TraceSummaries": listed, "TracesProcessedCount": 1}
            case "POST", "/TraceSegments":
                return 200, {"UnprocessedTraceSegments": self.put_segments(json.loads(body)["TraceSegmentDocuments"])}
            case "POST", "/v1/traces":
                assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=test/")
                return self.put_otlp(json.loads(body))
        raise AssertionError(f"unknown request: {method} {path}")

    def cloudformation(self, form):
        outputs = {
            "ApiUrl": f"{self.url}/dev",
            "UserPoolId": "us-east-1_a",
            "UserPoolClientId": "client",
            "TableName": "cruddur-Table-A",
        }
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
        if target in self.failing:
            return 400, {"__type": "InternalErrorException", "message": "failed"}
        match target:
            case "SignUp":
                assert given["Username"].endswith("@simulator.amazonses.com")
                self.users[given["Username"]] = given["Password"]
                return 200, {"UserConfirmed": False, "UserSub": f"sub{len(self.users)}"}
            case "AdminConfirmSignUp":
                self.logs["Signup"].invoked()
                return 200, {}
            case "AdminInitiateAuth":
                assert given["AuthParameters"]["PASSWORD"] == self.users[given["AuthParameters"]["USERNAME"]]
                self.logs["Signup"].invoked()
                return 200, {"AuthenticationResult": {"AccessToken": "token", "ExpiresIn": 3600, "TokenType": "Bearer"}}
            case "AdminDeleteUser":
                del self.users[given["Username"]]
                return 200, {}
            case "FilterLogEvents":
                assert given["filterPattern"] == "{ $.SpansCreated >= 0 }"
                lines = self.logs[given["logGroupName"].removesuffix("-logs")].lines
                return 200, {"events": [line for line in lines if line["timestamp"] >= given["startTime"]]}
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
        self.logs["Api"].invoked()
        if method != "GET":
            self.logs["Stream"].invoked()
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
                "subsegments": [{"id": "000000000000000d", "name": name.replace("{", ":").replace("}", "")}],
            },
        ]
        assert all(
            XRAY_NAME.fullmatch(one["name"]) for document in documents for one in [document, *subsegments(document)]
        )
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
        if self.destination != "CloudWatchLogs":
            return 400, {"message": "The OTLP API is supported with CloudWatch Logs as a Trace Segment Destination."}
        for span in given["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            trace_id = f"1-{span['traceId'][:8]}-{span['traceId'][8:]}"
            self.traces.setdefault(trace_id, []).append({"id": span["spanId"], "name": span["name"]})
        return 200, {}

    def start_retrieval(self, given):
        assert len(given["TraceIds"]) <= 100
        assert given["StartTime"] < given["EndTime"]
        token = f"token{len(self.retrievals)}"
        ids = [one for one in given["TraceIds"] if one in self.traces]
        self.retrievals[token] = {"statuses": ["SCHEDULED", "RUNNING", "COMPLETE"], "ids": ids}
        return token

    def retrieved(self, given):
        retrieval = self.retrievals[given["RetrievalToken"]]
        statuses, ids, at = retrieval["statuses"], retrieval["ids"], int(given.get("NextToken", 0))
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        answer = {"RetrievalStatus": status, "TraceFormat": given["TraceFormat"], "Traces": []}
        if status == "COMPLETE":
            assert given["TraceFormat"] == "XRAY"
            shown = ids[at : at + PAGE]
            answer["Traces"] = [{"Id": one, "Duration": 0.1, "Spans": segments(self.traces[one])} for one in shown]
            answer |= {"NextToken": str(at + PAGE)} if ids[at + PAGE :] else {}
        return answer

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


class Log:
    """The lines in which a function reports its counts of spans: at most one a minute, at the end of an invocation."""

    def __init__(self, clock):
        self.clock, self.lines, self.created, self.dropped, self.last = clock, [], 0, {}, None
        # Counts of drops that happen in the second invocation, by name.
        self.drops = {}

    def invoked(self):
        self.created += 4
        if self.last is not None:
            self.dropped, self.drops = self.dropped | self.drops, {}
        now = self.clock.time()
        if self.last is None or now - self.last >= 60:
            line = {"SpansCreated": self.created, "XRayDropped": 0, "OtlpDropped": 0, **self.dropped}
            self.lines.append({"timestamp": int(now * 1000), "message": json.dumps(line)})
            self.created, self.dropped, self.last = 0, {}, now


def subsegments(document):
    for one in document.get("subsegments", []):
        yield from [one, *subsegments(one)]


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

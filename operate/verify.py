#!/usr/bin/env python3
"""Proves that a deployed stack traces every request.

It signs two test users up, sends about 20 requests of all kinds, and checks what arrived: each request is one complete
trace with one root in X-Ray and in Honeycomb, the traces of the stream consumer are linked to the requests, and no span
was dropped. It sends one small trace to X-Ray in each format, and prints which of them arrived. It also prints what it
could not check. At the end, it deletes the posts, and the users from the user pool. The rest of their data remains in the
table; it prints the commands that delete it.

usage: verify.sh STACK [--wait SECONDS]

Requires the AWS CLI with access to the stack, curl and Python 3. For Honeycomb, set HONEYCOMB_CONFIGURATION_KEY (and
HONEYCOMB_API_ENDPOINT in the EU); its query API requires the Enterprise plan.
"""

import argparse
import json
import os
import secrets
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request

from honeycomb import EU, US, Api, NotFound, UserError

# SES accepts mail for these addresses and delivers it nowhere.
MAILBOX = "success+cruddur-{}@simulator.amazonses.com"
FUNCTIONS = ["ApiFunction", "SignupFunction", "StreamFunction"]
# In the names of metrics. Spans for X-Ray's OTLP endpoint are those of SecondOtlp.
DESTINATIONS = ["XRay", "Otlp", "SecondOtlp"]
# The most ids of one BatchGetTraces.
MAX_TRACES = 5
# In seconds. Each function reports its counts of spans at most once in this time.
REPORT_INTERVAL = 60
PAUSE = 10
# The tolerated difference between the clocks of this machine and of AWS, in seconds.
CLOCK_DIFFERENCE = 5
# How often and how long, in seconds, it asks for a result that X-Ray or Honeycomb prepares.
TRIES, TRY_PAUSE = 30, 1
SCOPE = "operate/verify.py"


def main():
    arguments = parse_arguments()
    report = Report()
    try:
        stack = Stack(arguments.stack)
        verify(stack, report, arguments.wait)
    except UserError as error:
        sys.exit(f"verify.py: {error}")
    sys.exit(report.end())


def verify(stack, report, wait):
    users = []
    try:
        for name in ("a", "b"):
            users.append(User(stack, name))
            users[-1].confirm()
            users[-1].sign_in()
        requests = send_requests(stack, users, report)
        sent = time.monotonic()
        for what, check in (
            ("traces in X-Ray", lambda: check_xray(stack, requests, report, wait)),
            ("traces and links in Honeycomb", lambda: check_honeycomb(stack, requests, report, wait)),
            ("dropped spans", lambda: check_drops(stack, users[0], sent, report, wait)),
            ("formats of X-Ray", lambda: compare_formats(stack, report, wait)),
        ):
            try:
                check()
            except (NotFound, UserError) as error:
                report.unchecked(what, str(error))
    finally:
        delete_users(stack, users, report)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack", help="name of the CloudFormation stack")
    parser.add_argument("--wait", type=int, default=300, help="longest wait of each check, in seconds")
    return parser.parse_args()


class Report:
    def __init__(self):
        self.failures = self.skipped = 0

    def check(self, holds, what, problem=""):
        if not holds:
            self.failures += 1
        print(f"{'ok     ' if holds else 'FAILED '} {what}{'' if holds or not problem else f': {problem}'}", flush=True)

    def unchecked(self, what, why):
        self.skipped += 1
        print(f"skipped {what}: {why}", flush=True)

    def note(self, text):
        print(f"note    {text}", flush=True)

    def end(self):
        skipped = f", and {self.skipped} were skipped" if self.skipped else ""
        print(f"{self.failures or 'No'} checks failed{skipped}.")
        return 1 if self.failures else 0


def aws(service, operation, *arguments, secret=None):
    """Returns the response of the AWS CLI. Other users of this machine can see the arguments, but not the secret.

    An argument `file:///dev/stdin` is the secret.
    """
    try:
        done = subprocess.run(
            ["aws", service, operation, *arguments, "--output", "json"],
            input=secret,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise UserError("the AWS CLI is missing. Run `make doctor FOR=deploy`.") from None
    if done.returncode != 0:
        raise UserError(f"aws {service} {operation} failed: {' '.join(done.stderr.split())}")
    return json.loads(done.stdout) if done.stdout.strip() else {}


class Stack:
    def __init__(self, name):
        (stack,) = aws("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"]
        self.name = name
        self.outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
        self.parameters = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
        self.region = stack["StackId"].split(":")[3]
        self.api = self.outputs["ApiUrl"]
        resources = aws("cloudformation", "describe-stack-resources", "--stack-name", name)["StackResources"]
        self.resources = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}
        self.began = int(time.time()) - CLOCK_DIFFERENCE


class User:
    """A test user, signed up."""

    def __init__(self, stack, name):
        self.pool, self.client = stack.outputs["UserPoolId"], stack.outputs["UserPoolClientId"]
        self.handle = f"verify{secrets.token_hex(4)}{name}"
        self.email, self.password = MAILBOX.format(self.handle), f"Aa1!{secrets.token_urlsafe(24)}"
        attributes = {"email": self.email, "name": "Verify", "preferred_username": self.handle}
        user = ["--client-id", self.client, "--username", self.email]
        names = json.dumps([{"Name": key, "Value": value} for key, value in attributes.items()])
        sign_up = [*user, "--user-attributes", names, "--password", "file:///dev/stdin"]
        self.sub = aws("cognito-idp", "sign-up", *sign_up, secret=self.password)["UserSub"]

    def confirm(self):
        aws("cognito-idp", "admin-confirm-sign-up", "--user-pool-id", self.pool, "--username", self.email)

    def sign_in(self):
        flow = ["--user-pool-id", self.pool, "--client-id", self.client, "--auth-flow", "ADMIN_USER_PASSWORD_AUTH"]
        parameters = json.dumps({"USERNAME": self.email, "PASSWORD": self.password})
        sign_in = [*flow, "--auth-parameters", "file:///dev/stdin"]
        answer = aws("cognito-idp", "admin-initiate-auth", *sign_in, secret=parameters)
        self.token = answer["AuthenticationResult"]["AccessToken"]

    def delete(self):
        aws("cognito-idp", "admin-delete-user", "--user-pool-id", self.pool, "--username", self.email)


def delete_users(stack, users, report):
    for user in users:
        try:
            user.delete()
        except UserError as error:
            report.check(False, f"deletion of {user.email} from the user pool", str(error))
    if users:
        report.note(
            "the table keeps the users' profiles, handles, conversation and notifications. To delete them, export"
        )
        report.note("the credentials with `aws configure export-credentials --format env`, and run for each user:")
    names = {
        "TABLE_NAME": stack.outputs["TableName"],
        "HOME_SCHEDULE": stack.parameters["HomeSchedule"],
        "AWS_REGION": stack.region,
    }
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in names.items())
    for user in users:
        report.note(f"{variables} cargo run --locked --release --example delete_user -- {user.sub}")


class Sent:
    """An answered request."""

    def __init__(self, name, status, trace_id):
        self.name, self.status, self.trace_id = name, status, trace_id

    def xray_id(self):
        return f"1-{self.trace_id[:8]}-{self.trace_id[8:]}"


def send_requests(stack, users, report):
    """Returns the requests that a function answered."""
    (one, other), sent = users, []

    def send(route, expected=200, *, user=None, body=None, answered=True, **values):
        method, path = route.split(" ")
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", value)
        status, headers, answer = request(stack, method, path, user, body)
        report.check(status == expected, f"{status} {route}", f"expected {expected}")
        # The gateway answers some requests itself. Its responses have no trace of a function.
        if answered:
            trace_id = headers.get("x-trace-id") or ""
            report.check(len(trace_id) == 32, f"trace id of {route}", "the header x-trace-id is missing")
            # The template's names of path segments are those of the span's name.
            sent.append(Sent(route.split("?")[0], status, trace_id))
        return answer if isinstance(answer, dict) else {}

    send("GET /api/health-check")
    send("GET /api/openapi.json")
    send("GET /api/activities/home")
    send("POST /api/activities", 401, body={"message": "No", "ttl": "1-hour"}, answered=False)
    text = {"message": f"Verification for @{other.handle}", "ttl": "1-hour"}
    post = send("POST /api/activities", user=one, body=text).get("uuid", "")
    send("POST /api/activities", 422, user=one, body={"message": "", "ttl": "1-hour"})
    send("GET /api/activities/{activity_uuid}", activity_uuid=post)
    send("GET /api/activities/@{handle}", handle=one.handle)
    send("GET /api/users/@{handle}/short", handle=one.handle)
    send("GET /api/activities/search?term=verification")
    reply = send("POST /api/activities/{activity_uuid}/reply", user=other, activity_uuid=post, body={"message": "Seen"})
    send("PUT /api/activities/{activity_uuid}/like", user=other, activity_uuid=post)
    send("DELETE /api/activities/{activity_uuid}/like", user=other, activity_uuid=post)
    send("PUT /api/activities/{activity_uuid}/repost", user=other, activity_uuid=post)
    send("GET /api/activities/notifications", user=one)
    send("PUT /api/profile/update", user=one, body={"display_name": "Verified", "bio": ""})
    message = {"message": "Verification", "handle": other.handle}
    group = send("POST /api/messages", user=one, body=message).get("message_group_uuid", "")
    send("GET /api/message_groups", user=other)
    send("GET /api/messages/{message_group_uuid}", user=other, message_group_uuid=group)
    send("DELETE /api/activities/{activity_uuid}", user=other, activity_uuid=reply.get("uuid", ""))
    send("DELETE /api/activities/{activity_uuid}", user=one, activity_uuid=post)
    send("GET /api/activities/{activity_uuid}", 404, activity_uuid=post)
    return [one for one in sent if one.trace_id]


def request(stack, method, path, user, body):
    """Returns status, headers and JSON of the response. X-Ray samples the request."""
    trace = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    headers = {"X-Amzn-Trace-Id": f"Root={trace};Sampled=1"}
    if user:
        headers["Authorization"] = f"Bearer {user.token}"
    if body is not None:
        headers["Content-Type"] = "application/json"
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(stack.api + path, data=data, headers=headers, method=method)
    try:
        response = urllib.request.urlopen(asked, timeout=30)
    except urllib.error.HTTPError as error:
        response = error
    except OSError as error:
        raise UserError(f"no response from {stack.api}: {error}") from error
    with response:
        text = response.read()
    names = {name.lower(): value for name, value in response.headers.items()}
    return response.status, names, json.loads(text) if text else None


def until(wait, found, complete):
    """Calls `found` until the result is complete, or until the wait is over. Returns the last result."""
    deadline = time.monotonic() + wait
    while True:
        result = found()
        if complete(result) or time.monotonic() + PAUSE > deadline:
            return result
        time.sleep(PAUSE)


class XRay:
    """Reads traces from where X-Ray stores them."""

    def __init__(self, since):
        self.since = since
        # With Transaction Search, X-Ray writes spans to CloudWatch Logs, which BatchGetTraces does not read.
        self.writes_logs = aws("xray", "get-trace-segment-destination")["Destination"] == "CloudWatchLogs"

    def traces(self, ids):
        """Returns the documents of the traces that X-Ray has, by id."""
        found = self.retrieved(ids) if self.writes_logs else self.stored(ids)
        return {trace_id: [json.loads(one["Document"]) for one in documents] for trace_id, documents in found}

    @staticmethod
    def stored(ids):
        for at in range(0, len(ids), MAX_TRACES):
            for trace in aws("xray", "batch-get-traces", "--trace-ids", *ids[at : at + MAX_TRACES])["Traces"]:
                yield trace["Id"], trace["Segments"]

    def retrieved(self, ids):
        times = ["--start-time", str(self.since), "--end-time", str(int(time.time()) + 1)]
        token = aws("xray", "start-trace-retrieval", "--trace-ids", *ids, *times)["RetrievalToken"]
        page = ["--retrieval-token", token, "--trace-format", "XRAY", "--no-paginate"]
        for _ in range(TRIES):
            answer = aws("xray", "list-retrieved-traces", *page)
            if answer["RetrievalStatus"] not in ("SCHEDULED", "RUNNING"):
                break
            time.sleep(TRY_PAUSE)
        while True:
            if answer["RetrievalStatus"] != "COMPLETE":
                raise UserError(f"X-Ray's retrieval of traces has the status {answer['RetrievalStatus']}")
            yield from ((trace["Id"], trace["Spans"]) for trace in answer["Traces"])
            if not answer.get("NextToken"):
                return
            answer = aws("xray", "list-retrieved-traces", *page, "--next-token", answer["NextToken"])


def check_xray(stack, requests, report, wait):
    ids, xray = {one.xray_id(): one for one in requests}, XRay(stack.began)

    def faults():
        traces = xray.traces(list(ids))
        return {trace_id: xray_fault(traces.get(trace_id), one.name) for trace_id, one in ids.items()}

    for trace_id, fault in until(wait, faults, lambda found: not any(found.values())).items():
        report.check(not fault, f"X-Ray: {ids[trace_id].name}", f"{fault} ({trace_id})")
    if xray.writes_logs:
        report.unchecked("summaries in X-Ray", "Transaction Search indexes only a part of the traces")
        return
    missing = until(wait, lambda: ids.keys() - summarized(stack), lambda missing: not missing)
    report.check(not missing, "X-Ray: all traces can be found by the stage", f"{len(missing)} are missing")


def summarized(stack):
    """Returns the ids of the traces that X-Ray finds by the API's stage."""
    stage = f"{stack.name}/{stack.parameters['Stage']}"
    found = aws(
        "xray",
        "get-trace-summaries",
        *("--start-time", str(stack.began), "--end-time", str(int(time.time()) + 1)),
        *("--filter-expression", f'service(id(name: "{stage}", type: "AWS::ApiGateway::Stage"))'),
    )
    return {one["Id"] for one in found["TraceSummaries"]}


def xray_fault(documents, name):
    """Returns why the trace is not one complete tree with the request's span, or None."""
    if documents is None:
        return "no trace"
    nodes = {}

    def collect(node, parent):
        nodes[node["id"]] = (node.get("parent_id", parent), node)
        for child in node.get("subsegments", []):
            collect(child, node["id"])

    for document in documents:
        collect(document, None)
    roots = [node for parent, node in nodes.values() if parent is None]
    if len(roots) != 1:
        return f"{len(roots)} roots"
    if roots[0].get("origin") != "AWS::ApiGateway::Stage":
        return f"the root is {roots[0]['name']}"
    missing = [node["name"] for parent, node in nodes.values() if parent is not None and parent not in nodes]
    if missing:
        return f"parents are missing of {', '.join(missing)}"
    if unfinished := [node["name"] for _, node in nodes.values() if node.get("in_progress")]:
        return f"in progress: {', '.join(unfinished)}"
    if xray_name(name) not in {xray_name(node["name"]) for _, node in nodes.values()}:
        return f"the span {xray_name(name)} is missing"
    return None


def xray_name(name):
    """Returns the name as X-Ray has it: documents have no braces, and a route's `{id}` is `:id`. OTLP may keep braces."""
    return name.replace("{", ":").replace("}", "")


def check_honeycomb(stack, requests, report, wait):
    what, key = "traces and links in Honeycomb", os.environ.get("HONEYCOMB_CONFIGURATION_KEY", "")
    endpoint, receiver = os.environ.get("HONEYCOMB_API_ENDPOINT", ""), stack.parameters["OtlpEndpoint"]
    if not key:
        report.unchecked(what, "HONEYCOMB_CONFIGURATION_KEY is not set")
        return
    if not receiver or (receiver in (US, EU) and not stack.parameters["HoneycombApiKeyParameter"]):
        report.unchecked(what, "the stack sends no traces to Honeycomb")
        return
    # The key is for Honeycomb only, so it is never sent to another receiver of the stack.
    if not endpoint and receiver not in (US, EU):
        report.unchecked(what, "OtlpEndpoint is not Honeycomb. If it forwards to Honeycomb, set HONEYCOMB_API_ENDPOINT")
        return
    if stack.parameters["SampleRate"] != "1":
        report.unchecked(what, "SampleRate is not 1, so that some traces were sampled out")
        return
    api, ids = Api(endpoint or receiver, key), {one.trace_id: one for one in requests}
    found = until(wait, lambda: honeycomb_faults(api, ids), lambda faults: not any(faults.values()))
    for trace_id, fault in found.items():
        report.check(not fault, f"Honeycomb: {ids[trace_id].name}", f"{fault} ({trace_id})")
    # Requests whose changes always have side effects.
    effects = {one.trace_id for one in requests if one.status == 200 and one.name == "POST /api/activities"}
    linked = until(wait, lambda: linked_traces(api, effects), lambda found: effects <= found)
    report.check(effects <= linked, "Honeycomb: the stream consumer is linked to posts", "no link")


def honeycomb_faults(api, ids):
    spans = query(
        api,
        ["trace.trace_id", "trace.span_id", "trace.parent_id", "name"],
        [
            {"column": "trace.trace_id", "op": "in", "value": sorted(ids)},
            {"column": "meta.annotation_type", "op": "does-not-exist"},
        ],
    )
    faults = {}
    for trace_id, one in ids.items():
        own = [span for span in spans if span["trace.trace_id"] == trace_id]
        known = {span["trace.span_id"] for span in own}
        roots = [span["name"] for span in own if not span.get("trace.parent_id")]
        lost = [span["name"] for span in own if span.get("trace.parent_id") and span["trace.parent_id"] not in known]
        if not own:
            faults[trace_id] = "no trace"
        elif roots != [one.name]:
            faults[trace_id] = f"the roots are {', '.join(roots) or 'missing'}"
        else:
            faults[trace_id] = f"parents are missing of {', '.join(lost)}" if lost else None
    return faults


def linked_traces(api, ids):
    """Returns the traces that spans of the stream consumer are linked to."""
    links = query(
        api,
        ["trace.link.trace_id"],
        [
            {"column": "trace.link.trace_id", "op": "in", "value": sorted(ids)},
            {"column": "service.name", "op": "=", "value": "cruddur-stream"},
        ],
    )
    return {link["trace.link.trace_id"] for link in links}


def query(api, breakdowns, filters):
    """Returns the rows of a query over all datasets."""
    spec = {
        "breakdowns": breakdowns,
        "calculations": [{"op": "COUNT"}],
        "filters": filters,
        "limit": 1000,
        "time_range": 3600,
    }
    query_id = api.post("/1/queries/__all__", spec)["id"]
    result = api.post("/1/query_results/__all__", {"query_id": query_id, "disable_series": True})
    for _ in range(TRIES):
        if result["complete"]:
            return [row["data"] for row in result["data"]["results"]]
        time.sleep(TRY_PAUSE)
        result = api.get(f"/1/query_results/__all__/{result['id']}")
    raise UserError("Honeycomb did not finish the query")


def check_drops(stack, user, sent, report, wait):
    # A function reports at the end of an invocation, at most once a minute. Only an invocation after that time reports
    # the spans of all requests.
    time.sleep(max(0, min(sent + REPORT_INTERVAL + PAUSE - time.monotonic(), wait)))
    last = int(time.time()) - CLOCK_DIFFERENCE
    invoke_again(stack, user)
    for function in FUNCTIONS:
        check_drops_of(stack, function, last, report, wait)


def check_drops_of(stack, function, last, report, wait):
    def is_complete(lines):
        return any(at >= last * 1000 for at, _ in lines)

    what, lines = f"no dropped spans of {function}", until(wait, lambda: reports(stack, function), is_complete)
    drops = [one for _, one in lines if any(one.get(f"{name}Dropped") for name in DESTINATIONS)]
    if drops or is_complete(lines):
        report.check(not drops, what, f"{len(drops)} lines report drops")
    else:
        report.unchecked(what, "its log has no counts after the last request")


def invoke_again(stack, user):
    """Invokes each function: SignupFunction by the sign-in, StreamFunction by the changed name."""
    user.sign_in()
    request(stack, "PUT", "/api/profile/update", user, {"display_name": "Verified again", "bio": ""})


def reports(stack, function):
    """Returns time and content of the lines in which the function has reported its counts of spans."""
    found = aws(
        "logs",
        "filter-log-events",
        *("--log-group-name", stack.resources[f"{function}LogGroup"], "--start-time", str(stack.began * 1000)),
        *("--filter-pattern", "{ $.SpansCreated >= 0 }"),
    )
    return [(event["timestamp"], json.loads(event["message"])) for event in found["events"]]


def compare_formats(stack, report, wait):
    """Sends one trace of three spans in each format, and prints what X-Ray has of each."""
    sent, xray = {}, XRay(stack.began)
    for name, send in (("segments", send_segments), ("arrays of siblings", send_arrays), ("otlp", send_otlp)):
        seconds = int(time.time())
        trace_id = f"1-{seconds:08x}-{secrets.token_hex(12)}"
        try:
            send(stack, trace_id, seconds)
            sent[trace_id] = name
        except UserError as error:
            report.unchecked(f"format {name}", str(error))

    def arrived():
        texts = {trace_id: json.dumps(found) for trace_id, found in xray.traces(list(sent)).items()}
        return {
            trace_id: sum(f'"verify-{part}"' in texts.get(trace_id, "") for part in ("root", "one", "two"))
            for trace_id in sent
        }

    counts = until(wait, arrived, lambda counts: all(count == 3 for count in counts.values())) if sent else {}
    for trace_id, count in counts.items():
        report.note(f"format {sent[trace_id]}: {count} of 3 spans arrived in X-Ray")


def documents_of(trace_id, seconds):
    root = secrets.token_hex(8)
    times = {"trace_id": trace_id, "start_time": seconds, "end_time": seconds + 1}
    return [
        {"name": "verify-root", "id": root, **times},
        *(
            {"name": f"verify-{part}", "id": secrets.token_hex(8), "parent_id": root, "type": "subsegment", **times}
            for part in ("one", "two")
        ),
    ]


def put_documents(documents):
    texts = json.dumps([json.dumps(one) for one in documents])
    answer = aws("xray", "put-trace-segments", "--trace-segment-documents", texts)
    if answer.get("UnprocessedTraceSegments"):
        first = answer["UnprocessedTraceSegments"][0]
        raise UserError(f"X-Ray rejected it: {first.get('ErrorCode')} {first.get('Message', '')}")


def send_segments(_, trace_id, seconds):
    put_documents(documents_of(trace_id, seconds))


def send_arrays(_, trace_id, seconds):
    root, *siblings = documents_of(trace_id, seconds)
    put_documents([root, siblings])


def send_otlp(stack, trace_id, seconds):
    _, epoch, rest = trace_id.split("-")
    ids = [secrets.token_hex(8) for _ in range(3)]
    spans = [
        {
            "traceId": epoch + rest,
            "spanId": span_id,
            **({"parentSpanId": ids[0]} if at else {}),
            "name": f"verify-{part}",
            "kind": 1 if at else 2,
            "startTimeUnixNano": str(seconds * 10**9),
            "endTimeUnixNano": str((seconds + 1) * 10**9),
        }
        for at, (span_id, part) in enumerate(zip(ids, ("root", "one", "two"), strict=True))
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "verify-root"}}]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": SCOPE}, "spans": spans}]}]}
    endpoint = os.environ.get("AWS_ENDPOINT_URL_XRAY") or f"https://xray.{stack.region}.amazonaws.com"
    access_key, secret_key, token = credentials()
    # The credentials are in the standard input, because every user of the machine can see the arguments.
    config = ['header = "Content-Type: application/json"', f"data = {json.dumps(json.dumps(body))}"]
    config += [f'user = "{access_key}:{secret_key}"', f'aws-sigv4 = "aws:amz:{stack.region}:xray"']
    config += [f'header = "x-amz-security-token: {token}"'] if token else []
    done = subprocess.run(
        [
            "curl",
            "--silent",
            "--config",
            "-",
            "--output",
            os.devnull,
            "--write-out",
            "%{http_code}",
            endpoint + "/v1/traces",
        ],
        input="\n".join(config),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.stdout != "200":
        raise UserError(
            f"X-Ray's OTLP endpoint responded with {done.stdout or done.stderr.strip()}; it needs Transaction Search"
        )


def credentials():
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        return tuple(os.environ.get(name, "") for name in names)
    found = aws("configure", "export-credentials", "--format", "process")
    return found["AccessKeyId"], found["SecretAccessKey"], found.get("SessionToken", "")


if __name__ == "__main__":
    main()

"""Deploys the built template by the commands of docs/deploy.md, uses the API, deploys again, and deletes the stack.

ministack emulates AWS and runs the functions in containers. A receiver of this test gets their traces. ministack has
no gateway responses, no validators and no X-Ray; the tests of the template cover these. The tests build on each other.
"""

import contextlib
import copy
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from answers import masked
from cloud import cloud, inventory
from documents import shell_blocks
from engine import bridge_address
from otlp import receiver
from processes import free_port, wait_for
from samcli.yamlhelper import yaml_parse
from shell import Shell
from stack import Stack
from users import ANDREW, PASSWORD, invoke_trigger, sign_in, sign_up

ORIGIN = "https://cruddur.example"
# ministack does not support these.
UNSUPPORTED = {
    "AWS::Budgets::Budget",
    "AWS::WAFv2::WebACLAssociation",
    "AWS::XRay::Group",
    "AWS::XRay::SamplingRule",
    "AWS::XRay::TransactionSearchConfig",
}
# What remains after the deletion, as in docs/deploy.md.
LEFT = {
    ("tables", "cruddur-Table"),
    ("user pools", "cruddur-UserPool"),
    ("parameters", "/cruddur/honeycomb-key"),
    ("stacks", "api-gateway-logs"),
    ("roles", "api-gateway-logs-LogsRole"),
    ("stacks", "aws-sam-cli-managed-default"),
    ("buckets", "aws-sam-cli-managed-default-samclisourcebucket"),
}
# The functions read this key. They send it to Honeycomb's addresses only.
HONEYCOMB_KEY = "not-a-real-key"
METHODS = ["DELETE", "GET", "OPTIONS", "POST", "PUT"]
FUNCTIONS = ["ApiFunction", "SignupFunction", "StreamFunction"]
HOME = "GET /api/activities/home"
MESSAGE = "Hello from the cloud, @worf!"


@pytest.fixture(scope="module")
def template(built):
    return yaml_parse(Path(built, "template.yaml").read_text())


@pytest.fixture(scope="module")
def deployment(engine, built, template, tmp_path_factory, show_if_failed):
    """The stack of the tutorial, the traces, the resources before it, and `stop`, which ends the functions."""
    bridge = bridge_address()
    with receiver(bridge) as traces, contextlib.ExitStack() as running:
        aws, log = running.enter_context(cloud(bridge, free_port()))
        running.callback(show_if_failed, log)
        before = inventory(aws)
        stack = Stack(aws, adapted(template, built, aws.endpoint, traces.endpoint), tmp_path_factory.mktemp("deploy"))
        follow_tutorial(stack)
        yield SimpleNamespace(stack=stack, traces=traces, before=before, stop=running.close)


@pytest.fixture(scope="module")
def stack(deployment):
    return deployment.stack


@pytest.fixture(scope="module")
def andrew(stack):
    return sign_in(stack, stack.outputs["UserPoolClientId"], ANDREW)


@pytest.fixture(scope="module")
def worf(stack):
    return sign_up(stack, "Worf", "worf")


@pytest.fixture(scope="module")
def post(stack, andrew):
    """The id of a post that mentions worf. A later test deletes it."""
    status, _, created = stack.request(
        "POST /api/activities",
        token=andrew["AccessToken"],
        body={"message": MESSAGE, "ttl": "7-days"},
        effects={"activity-written", "activity-gone"},
    )
    assert (status, created["message"], created["handle"]) == (200, MESSAGE, "andrewbrown")
    return created["uuid"]


@pytest.fixture(scope="module")
def reply(stack, worf, post):
    """The id of worf's reply."""
    status, _, created = stack.request(
        "POST /api/activities/{activity_uuid}/reply",
        token=worf["AccessToken"],
        path=f"/api/activities/{post}/reply",
        body={"message": "It has no honor!"},
        effects={"activity-written", "activity-gone"},
    )
    assert (status, created["reply_to_activity_uuid"]) == (200, post)
    return created["uuid"]


@pytest.fixture(scope="module")
def conversation(stack, andrew, worf):
    """The id of a conversation with one message from andrewbrown to worf."""
    status, _, sent = stack.request(
        "POST /api/messages",
        token=andrew["AccessToken"],
        body={"message": "Qapla'!", "handle": "worf"},
        effects={"conversation-opened", "message-sent"},
    )
    assert (status, masked(sent)) == (200, {"message_group_uuid": "<uuid v7>"})
    return sent["message_group_uuid"]


def test_tutorial_deploys_all_kinds_of_resources(deployment):
    kinds = {kind for kind, _ in inventory(deployment.stack.aws) - deployment.before}
    assert {"functions", "tables", "user pools", "APIs", "alarms"} <= kinds


def test_invalid_tokens_are_rejected(stack, andrew, worf):
    client = stack.aws.client("cognito-idp").create_user_pool_client(
        UserPoolId=stack.outputs["UserPoolId"], ClientName="other", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    )
    of_other_client = sign_in(stack, client["UserPoolClient"]["ClientId"], "worf@example.com")["AccessToken"]
    signed, _, _ = andrew["AccessToken"].rpartition(".")
    _, _, wrong_signature = worf["AccessToken"].rpartition(".")

    def post(token):
        return stack.request("POST /api/activities", token=token, body={"message": "No", "ttl": "1-day"})

    for token in [None, andrew["IdToken"], f"{signed}.{wrong_signature}"]:
        status, headers, _ = post(token)
        assert (status, headers["x-amzn-errortype"]) == (401, "UnauthorizedException")
    # The authorizer accepts tokens of all clients of the user pool. The function checks the client.
    status, headers, problem = post(of_other_client)
    assert (status, problem["code"], problem["trace_id"]) == (401, "bad_token", headers["x-trace-id"])


def test_home_and_post_show_the_reply(stack, post, reply):
    status, _, home = stack.request(HOME)
    assert (status, [(one["message"], one["replies_count"]) for one in home]) == (200, [(MESSAGE, 1), ("Hello", 0)])
    _, _, shown = stack.request("GET /api/activities/{activity_uuid}", path=f"/api/activities/{post}")
    assert (shown["activity"]["uuid"], [one["uuid"] for one in shown["replies"]]) == (post, [reply])


def test_message_reaches_its_receiver(stack, worf, conversation):
    _, _, messages = stack.request(
        "GET /api/messages/{message_group_uuid}", token=worf["AccessToken"], path=f"/api/messages/{conversation}"
    )
    assert [(one["handle"], one["message"]) for one in messages] == [("andrewbrown", "Qapla'!")]
    _, _, groups = stack.request("GET /api/message_groups", token=worf["AccessToken"])
    assert [(one["uuid"], one["handle"]) for one in groups] == [(conversation, "andrewbrown")]


def test_stream_consumer_writes_notifications(stack, andrew, worf, reply, conversation):
    def notifications(user):
        found = stack.request("GET /api/activities/notifications", token=user["AccessToken"])[2]
        return sorted((one["kind"], one["handle"]) for one in found)

    wait_for(lambda: notifications(andrew) and len(notifications(worf)) == 2)
    assert notifications(andrew) == [("reply", "worf")]
    assert notifications(worf) == [("conversation", "andrewbrown"), ("mention", "andrewbrown")]


def test_stream_consumer_writes_the_search_index(stack, post):
    def found():
        results = stack.request("GET /api/activities/search", path="/api/activities/search?term=cloud")[2]
        return [one["uuid"] for one in results]

    wait_for(found)
    assert found() == [post]


def test_origin_is_allowed_after_redeploying(stack, post):
    status, headers, posts = stack.request(HOME, Origin=ORIGIN)
    assert (status, headers.get("access-control-allow-origin")) == (200, None)
    assert stack.deploy(AllowedOrigins=ORIGIN) == "UPDATE_COMPLETE"
    status, headers, posts_after = stack.request(HOME, Origin=ORIGIN)
    assert (status, headers.get("access-control-allow-origin")) == (200, ORIGIN)
    assert posts_after == posts


def test_author_deletes_the_post(stack, andrew, post):
    status, _, _ = stack.request(
        "DELETE /api/activities/{activity_uuid}", token=andrew["AccessToken"], path=f"/api/activities/{post}"
    )
    assert status == 200
    assert [one["message"] for one in stack.request(HOME)[2]] == ["Hello"]


def test_no_stream_record_is_given_up(deployment):
    stack, traces = deployment.stack, deployment.traces
    # The side effects of the deletion take two batches. A function may keep their spans, so this is no assertion.
    wait_for(
        lambda: all(effects <= spans_linked_to(traces, trace_id) for trace_id, _, effects in stack.answered), seconds=10
    )
    queues = stack.aws.client("sqs")
    (queue,) = queues.list_queues()["QueueUrls"]
    assert "Messages" not in queues.receive_message(QueueUrl=queue)


def test_deletion_leaves_the_documented_resources(deployment):
    deployment.stack.delete()
    left = inventory(deployment.stack.aws) - deployment.before
    assert {(kind, re.sub("-[0-9a-fA-F]{12,}$", "", name)) for kind, name in left} == LEFT


def test_every_request_has_one_complete_trace(deployment):
    # A function may keep spans for its next invocation. It exports them when it ends.
    deployment.stop()
    stack, traces = deployment.stack, deployment.traces
    for trace_id, route, effects in stack.answered:
        assert traces.roots(trace_id) == [("cruddur-api", route)]
        if effects:
            consumer = f"process {stack.outputs['TableName']}"
            assert spans_linked_to(traces, trace_id) == effects | {consumer}, route
    roots = [span.name for span in traces.spans() if span.service == "cruddur-signup" and not span.parent]
    assert roots == ["PostConfirmation_ConfirmSignUp"] * 2
    assert traces.orphans() == []
    assert traces.faults == []


def adapted(template, built, endpoint, otlp):
    """Returns the template in a form that ministack supports, with the addresses of this test as defaults."""
    template = copy.deepcopy(template)
    template["Parameters"]["Architecture"]["Default"] = built.name
    template["Parameters"]["OtlpEndpoint"]["Default"] = otlp
    resources = {name: resource for name, resource in template["Resources"].items() if is_supported(resource)}
    for function in FUNCTIONS:
        properties = resources[function]["Properties"]
        properties["CodeUri"] = str(Path(built, function).absolute())
        properties["Events"] = dict(without_any(properties["Events"]))
    # ministack publishes the keys of its user pools at its own address. The issuer in the tokens is Cognito's.
    resources["ApiFunction"]["Properties"]["Environment"]["Variables"]["JWKS_URL"] = {
        "Fn::Sub": endpoint + "/${UserPool}/.well-known/jwks.json"
    }
    return {**template, "Resources": resources}


def is_supported(resource):
    kind = resource["Type"]
    # ministack supports alarms of a single metric only.
    return kind not in UNSUPPORTED and not (kind == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"])


def without_any(events):
    """Yields the events with one event for each method in place of ANY, which ministack does not support."""
    named = {(event["Properties"].get("Path"), event["Properties"].get("Method")) for event in events.values()}
    for name, event in events.items():
        if event["Properties"].get("Method") != "ANY":
            yield name, event
            continue
        for method in METHODS:
            if (event["Properties"]["Path"], method) not in named:
                yield name + method.title(), {**event, "Properties": {**event["Properties"], "Method": method}}


def follow_tutorial(stack):
    """Runs the commands of docs/deploy.md, from the deployment to the first post."""
    shell = Shell(stack.folder, stack.aws)
    answers = iter([HONEYCOMB_KEY, PASSWORD])
    for block in shell_blocks("docs/deploy.md", "Deploy and sign in"):
        # test_honeycomb.py and test_verify.py cover these commands.
        if "make honeycomb" in block or "operate/verify.sh" in block:
            continue
        output = shell.run(block, answers)
        if "sam deploy" in block:
            assert stack.refresh() == "CREATE_COMPLETE"
        if "confirm-sign-up" in block:
            invoke_trigger(stack, ANDREW)
        if "curl -i" in block:
            route = "POST /api/activities" if "TOKEN" in block else "GET /api/health-check"
            assert re.findall(r"^HTTP/\S+ (\d+)", output, re.MULTILINE)[-1] == "200", output
            trace_id = re.search("^x-trace-id: (.*)$", output, re.MULTILINE)[1].strip()
            stack.note(trace_id, route, {"activity-written"} if "TOKEN" in block else ())
        if "lines ApiFunctionLogGroup" in block:
            # ministack ignores the filter pattern and returns all lines.
            assert "START RequestId" in output
            assert '"level":"ERROR"' not in output
    shell.end()


def spans_linked_to(traces, trace_id):
    """Returns the names of the stream consumer's spans with a link to the trace."""
    return {span.name for span in traces.spans() if trace_id in span.links and span.service == "cruddur-stream"}

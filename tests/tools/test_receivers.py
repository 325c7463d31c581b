"""Sends the spans of a function to X-Ray in both OTLP forms, and decodes them with code of others.

`opentelemetry-proto` decodes the datagrams and requests. `botocore` computes the signature again.
"""

import base64
import contextlib
import gzip
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from local_server import PROGRAM
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from processes import http_server

HEADER = b'{"format":"json","version":1}\n'
EVENT = Path("crates/lambda-spans/tests/data/apigw_http.json").read_text().replace("/items/42", "/spans/3/10")
TRACE_ID, PARENT = "6925a400000000000000000000000001", "53995c3f42cd8ad8"
ENDPOINT = "https://xray.eu-west-1.amazonaws.com"
CREDENTIALS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", "a+session/token==")


class Runtime:
    """The Runtime API for one invocation. `frozen` is set when the function polls again, after its export."""

    def __init__(self, event):
        self.frozen, self.ended = threading.Event(), threading.Event()
        self.answer = None
        self._event = event

    def respond(self, method, path, _, body):
        if path.endswith("/invocation/next"):
            if self._event is None:
                self.frozen.set()
                self.ended.wait(60)
            event, self._event = self._event, None
            deadline = int(time.time() * 1000) + 30_000
            headers = {
                "lambda-runtime-aws-request-id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                "lambda-runtime-deadline-ms": deadline,
                "lambda-runtime-invoked-function-arn": "arn:aws:lambda:eu-west-1:123456789012:function:f",
                "lambda-runtime-trace-id": f"Root=1-{TRACE_ID[:8]}-{TRACE_ID[8:]};Parent={PARENT};Sampled=1",
            }
            return 200, headers, (event or "").encode()
        if path.endswith("/response"):
            self.answer = body
            return 202, {}, b""
        return 404, {}, b""


def invoke(event, **variables):
    """Sends one event to the test function, and returns its response after the export."""
    runtime = Runtime(event)
    with http_server(runtime.respond) as url, contextlib.ExitStack() as stack:
        environment = {
            "AWS_LAMBDA_RUNTIME_API": url.removeprefix("http://"),
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_REGION": "eu-central-1",
            "OTEL_SERVICE_NAME": "a-service",
            "HANDLER": "http",
            "LAMBDA_SPANS_FLUSH": "end",
            "LAMBDA_SPANS_XRAY_ANNOTATIONS": "http.",
            **variables,
        }
        program = PROGRAM.parent / "examples" / "test-function"
        process = subprocess.Popen([program], env=environment, stdout=subprocess.DEVNULL)
        stack.callback(process.wait, timeout=60)
        stack.callback(process.kill)
        stack.callback(runtime.ended.set)
        assert runtime.frozen.wait(60)
    return runtime.answer


@pytest.fixture
def daemon():
    """A UDP socket in place of the X-Ray daemon."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(5)
        yield listener


def address(listener):
    host, port = listener.getsockname()
    return f"{host}:{port}"


def datagrams(listener):
    """Returns all datagrams that have arrived."""
    listener.setblocking(False)
    received = []
    with contextlib.suppress(BlockingIOError):
        while True:
            received.append(listener.recv(65_536))
    return received


def request_of(datagram):
    assert datagram.startswith(HEADER)
    text = datagram.removeprefix(HEADER)
    assert text.startswith(b"T1S")
    return ExportTraceServiceRequest.FromString(base64.b64decode(text[3:], validate=True))


def spans_of(requests):
    return [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def assert_trace(requests, children):
    """Asserts that the requests have one trace below Lambda's segment, and that they describe the service."""
    for request in requests:
        (resource,) = request.resource_spans
        attributes = {one.key: one.value.string_value for one in resource.resource.attributes}
        assert (attributes["service.name"], attributes["cloud.platform"]) == ("a-service", "aws_lambda")
        assert all(scope.scope.name for scope in resource.scope_spans)
    spans = spans_of(requests)
    assert {span.trace_id.hex() for span in spans} == {TRACE_ID}
    (root,) = [span for span in spans if span.parent_span_id.hex() == PARENT]
    assert root.name == "GET /spans/{count}/{bytes}"
    assert [span.parent_span_id for span in spans if span.name == "child"] == [root.span_id] * children
    attributes = {one.key: one.value for one in root.attributes}
    indexed = {value.string_value for value in attributes["aws.xray.annotations"].array_value.values}
    assert indexed == {key for key in attributes if key.startswith("http.")}
    assert "SampleRate" not in attributes


def test_datagram_is_otlp(daemon):
    invoke(EVENT, AWS_XRAY_DAEMON_ADDRESS=address(daemon), LAMBDA_SPANS_XRAY_FORMAT="otlp")
    (datagram,) = datagrams(daemon)
    assert_trace([request_of(datagram)], 3)


def test_large_trace_is_several_datagrams(daemon):
    event = EVENT.replace("/spans/3/10", "/spans/100/1000")
    invoke(event, AWS_XRAY_DAEMON_ADDRESS=address(daemon), LAMBDA_SPANS_XRAY_FORMAT="otlp")
    received = datagrams(daemon)
    assert len(received) > 1
    assert max(map(len, received)) <= 65_507
    requests = [request_of(datagram) for datagram in received]
    assert_trace(requests, 100)
    assert spans_of(requests)[0].parent_span_id.hex() == PARENT


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_ENDPOINT", "LAMBDA_SPANS_SECOND_OTLP_ENDPOINT"])
@pytest.mark.parametrize("container", [False, True])
def test_requests_to_xray_are_signed(daemon, variable, container):
    received = []

    def respond(method, path, headers, body):
        if path == "/credentials":
            assert headers["authorization"] == "a token"
            answer = (
                f'{{"AccessKeyId":"{CREDENTIALS.access_key}","SecretAccessKey":"{CREDENTIALS.secret_key}",'
                f'"Token":"{CREDENTIALS.token}","Expiration":"2100-01-01T00:00:00Z"}}'
            )
            return 200, {}, answer.encode()
        received.append((method, path, {name.lower(): value for name, value in headers.items()}, body))
        return 200, {"content-type": "application/x-protobuf"}, b""

    with http_server(respond) as url:
        if container:
            credentials = {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/credentials",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a token",
            }
        else:
            credentials = {
                "AWS_ACCESS_KEY_ID": CREDENTIALS.access_key,
                "AWS_SECRET_ACCESS_KEY": CREDENTIALS.secret_key,
                "AWS_SESSION_TOKEN": CREDENTIALS.token,
            }
        invoke(
            EVENT,
            **credentials,
            **{variable: ENDPOINT if variable.startswith("OTEL") else f"{ENDPOINT}/v1/traces"},
            AWS_ENDPOINT_URL_XRAY=url,
            AWS_XRAY_DAEMON_ADDRESS=address(daemon),
        )
    assert datagrams(daemon) == []
    requests = []
    for method, path, headers, body in received:
        assert (method, path) == ("POST", "/v1/traces")
        assert headers["content-encoding"] == "gzip"
        assert_signed(f"{url}{path}", headers, body)
        requests.append(ExportTraceServiceRequest.FromString(gzip.decompress(body)))
    assert_trace([request for request in requests if request.resource_spans], 3)


def assert_signed(url, headers, body):
    """Asserts that botocore computes the same value of `Authorization`."""
    algorithm, fields = headers["authorization"].split(" ", 1)
    fields = dict(field.split("=", 1) for field in fields.split(", "))
    names = fields["SignedHeaders"].split(";")
    assert {"host", "x-amz-date", "x-amz-security-token", "content-encoding"} <= set(names)
    assert headers["x-amz-security-token"] == CREDENTIALS.token
    request = AWSRequest("POST", url, {name: headers[name] for name in names}, body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(CREDENTIALS, "xray", "eu-west-1")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    assert algorithm == "AWS4-HMAC-SHA256"
    assert fields["Credential"] == signer.scope(request)
    assert fields["Signature"] == signer.signature(text, request)

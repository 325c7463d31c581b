"""A receiver of traces by OTLP/HTTP with protobuf, plain or gzip, like a collector or Honeycomb."""

import base64
import contextlib
import gzip
import threading
from types import SimpleNamespace

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from processes import http_server

# Small requests are not compressed.
_DECODERS = {"gzip": gzip.decompress, None: bytes}
_IDS = {"traceId", "spanId", "parentSpanId"}


class Receiver:
    """The received spans, with the trace ids of their links, and the faults of invalid requests."""

    def __init__(self):
        self.endpoint = None
        self.faults = []
        self._requests = []
        self._spans = []
        self._lock = threading.Lock()

    def receive(self, path, headers, body):
        content_type, encoding = headers.get("content-type"), headers.get("content-encoding")
        if "x-honeycomb-team" in headers:
            raise ValueError("a request with a Honeycomb key, to a receiver that is not Honeycomb")
        if path != "/v1/traces" or content_type != "application/x-protobuf" or encoding not in _DECODERS:
            raise ValueError(f"a request to {path} with content type {content_type} and encoding {encoding}")
        request = ExportTraceServiceRequest.FromString(_DECODERS[encoding](body))
        spans = list(_spans(request))
        with self._lock:
            self._requests.append(request)
            self._spans += spans

    def requests(self):
        with self._lock:
            return list(self._requests)

    def spans(self):
        with self._lock:
            return list(self._spans)

    def roots(self, trace_id):
        """Returns the service and the name of each root span of the trace."""
        return [(span.service, span.name) for span in self.spans() if span.trace_id == trace_id and not span.parent]

    def orphans(self):
        """Returns the names of spans whose parent has not arrived."""
        spans = self.spans()
        known = {(span.trace_id, span.span_id) for span in spans} | {(span.trace_id, "") for span in spans}
        return [span.name for span in spans if (span.trace_id, span.parent) not in known]


def _spans(request):
    for resource in request.resource_spans:
        attributes = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield SimpleNamespace(
                    service=attributes.get("service.name"),
                    name=span.name,
                    kind=span.kind,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    links={link.trace_id.hex() for link in span.links},
                )


def complete_spans(requests):
    """Returns everything that the requests say of each span, by its trace id and its own id."""
    found = {}
    for request in requests:
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    key = span.trace_id.hex(), span.span_id.hex()
                    assert key not in found, f"span {key} arrived twice"
                    found[key] = {
                        "resource": sorted(values_of(resource.resource.attributes)),
                        "scope": (scope.scope.name, scope.scope.version, values_of(scope.scope.attributes)),
                        "parent": span.parent_span_id.hex(),
                        "state": span.trace_state,
                        "name": span.name,
                        "kind": span.kind,
                        "start": span.start_time_unix_nano,
                        "end": span.end_time_unix_nano,
                        "attributes": values_of(span.attributes),
                        "events": [(one.name, one.time_unix_nano, values_of(one.attributes)) for one in span.events],
                        "links": [
                            (one.trace_id.hex(), one.span_id.hex(), one.trace_state, values_of(one.attributes))
                            for one in span.links
                        ],
                        "status": (span.status.code, span.status.message),
                        "dropped": (
                            span.dropped_attributes_count,
                            span.dropped_events_count,
                            span.dropped_links_count,
                        ),
                    }
    return found


def values_of(attributes):
    """Returns the attributes in their order, each value with its type."""
    return [(one.key, _value(one.value)) for one in attributes]


def _value(value):
    kind = value.WhichOneof("value")
    of = kind and getattr(value, kind)
    match kind:
        case "array_value":
            return kind, [_value(one) for one in of.values]
        case "kvlist_value":
            return kind, values_of(of.values)
    return kind, of


def from_json(request):
    """Returns a request in OTLP's JSON as protobuf. OTLP writes ids in hexadecimal, other JSON of protobuf in Base64."""
    return json_format.ParseDict(_with_base64_ids(request), ExportTraceServiceRequest())


def _with_base64_ids(value):
    match value:
        case dict():
            return {key: _base64(of) if key in _IDS else _with_base64_ids(of) for key, of in value.items()}
        case list():
            return [_with_base64_ids(one) for one in value]
    return value


def _base64(id_text):
    return base64.b64encode(bytes.fromhex(id_text)).decode()


@contextlib.contextmanager
def receiver(address):
    """Yields a Receiver that listens on a free port of `address`."""
    received = Receiver()

    def respond(_, path, headers, body):
        try:
            received.receive(path, headers, body)
            status, answer = 200, ExportTraceServiceResponse().SerializeToString()
        except Exception as error:
            received.faults.append(str(error))
            status, answer = 400, b""
        return status, {"content-type": "application/x-protobuf"}, answer

    with http_server(respond, address) as received.endpoint:
        yield received

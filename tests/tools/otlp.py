"""A receiver of traces by OTLP/HTTP with protobuf, plain or gzip, like a collector or Honeycomb."""

import contextlib
import gzip
import threading
from types import SimpleNamespace

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from processes import http_server

# Small requests are not compressed.
_DECODERS = {"gzip": gzip.decompress, None: bytes}


class Receiver:
    """The received spans, with the trace ids of their links, and the faults of invalid requests."""

    def __init__(self):
        self.endpoint = None
        self.faults = []
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
            self._spans += spans

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

"""A Python function that OpenTelemetry's SDK instruments. It exports to the console, and to a receiver to compare with.

The first argument is the form of OTLP for the console; the second one is the URL of the other receiver.
"""

import sys

from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.json.http._log_exporter import OTLPLogExporter as JsonLog
from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter as Json
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as ProtobufLog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Protobuf
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags, TraceState

EXPORTERS = {"json": (Json, JsonLog), "protobuf": (Protobuf, ProtobufLog)}
VALUES = {
    "text": "prune juice \u2615 \U0001f468\u200d\U0001f680",
    "empty": "",
    "yes": True,
    "large": 2**63 - 1,
    "negative": -1,
    "third": 1 / 3,
    "whole": 2.0,
    "texts": ["a", ""],
    "numbers": [1, 2**53 + 1],
    "floats": [0.1, 1e300],
    "flags": [True, False],
}


def handler(tracer, logger):
    with tracer.start_as_current_span("GET /users/{id}", kind=SpanKind.SERVER, attributes=VALUES) as server:
        server.set_attribute("http.response.status_code", 500)
        logger.emit(body="no <b>user</b>", severity_number=SeverityNumber.WARN, attributes={"user": "worf"})
        logger.emit(body={"found": [1, 2.5], "next": None}, severity_number=SeverityNumber.DEBUG2)
        server.add_event("cache miss", {"shard": 3, "key": "a/b"})
        link = Link(server.get_span_context(), {"reason": "retry"})
        with tracer.start_as_current_span("publish", kind=SpanKind.PRODUCER, links=[link]):
            pass
        try:
            with tracer.start_as_current_span("DynamoDB.Query", kind=SpanKind.CLIENT):
                raise LookupError("the table is gone")
        except LookupError:
            server.set_status(trace.StatusCode.ERROR, "no user")
    caller = SpanContext(2**127, 2**63, True, TraceFlags(TraceFlags.SAMPLED), TraceState([("vendor", "x")]))
    remote = trace.set_span_in_context(trace.NonRecordingSpan(caller))
    with tracer.start_as_current_span("consume", remote, kind=SpanKind.CONSUMER) as consumer:
        consumer.set_status(trace.StatusCode.OK)


def main(form, reference):
    resource = Resource.create({"service.name": "users", "service.version": "7"})
    provider, logs = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    spans_exporter, logs_exporter = EXPORTERS[form]
    provider.add_span_processor(
        BatchSpanProcessor(Protobuf(f"{reference}/v1/traces", compression=Compression.NoCompression))
    )
    provider.add_span_processor(BatchSpanProcessor(spans_exporter()))
    logs.add_log_record_processor(BatchLogRecordProcessor(logs_exporter()))
    handler(provider.get_tracer("users.handler", "1.2"), logs.get_logger("users.log"))
    logs.shutdown()
    provider.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])

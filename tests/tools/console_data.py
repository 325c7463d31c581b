"""Traces to send to the console: OTLP JSON, and documents of X-Ray. Ids and times follow from numbers."""

import base64
import json
import socket
import time
import urllib.request

HEADER = b'{"format": "json", "version": 1}\n'
# All traces begin in the minute before the tests, so that neither the console nor X-Ray's rules find them too old.
NOW = time.time_ns() // 1_000_000_000 * 1_000_000_000 - 60_000_000_000
MS = 1_000_000
KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}


def trace_id(number):
    """Returns a trace id that X-Ray accepts: it begins with the time in seconds."""
    return f"{NOW // 1_000_000_000:08x}{number:024x}"


def xray_id(trace):
    return f"1-{trace[:8]}-{trace[8:]}"


def span_id(number):
    return f"{number + 0x1000000000000000:016x}"


def value(of):
    match of:
        case bool():
            return {"boolValue": of}
        case int():
            return {"intValue": str(of)}
        case float():
            return {"doubleValue": of}
        case bytes():
            return {"bytesValue": base64.b64encode(of).decode()}
        case list():
            return {"arrayValue": {"values": [value(one) for one in of]}}
        case dict():
            return {"kvlistValue": {"values": attributes(of)}}
        case _:
            return {"stringValue": of}


def attributes(values):
    return [{"key": key, "value": value(of)} for key, of in values.items()]


def span(number, name, start=0.0, took=1.0, *, parent=None, kind="internal", error=None, events=(), links=(), **fields):
    """Returns a span. `start` and `took` are in milliseconds; `attributes` is a dictionary."""
    begin = NOW + round(start * MS)
    return {
        "spanId": span_id(number),
        **({} if parent is None else {"parentSpanId": span_id(parent)}),
        "name": name,
        "kind": KINDS[kind],
        "startTimeUnixNano": str(begin),
        "endTimeUnixNano": str(begin + round(took * MS)),
        "attributes": attributes(fields.get("attributes", {})),
        "events": [
            {"name": event, "timeUnixNano": str(NOW + round(at * MS)), "attributes": attributes(values)}
            for event, at, values in events
        ],
        "links": [{"traceId": trace, "spanId": span_id(to)} for trace, to in links],
        "status": {} if error is None else {"code": 2, "message": error},
    }


def resource(service, **values):
    return {"attributes": attributes({"service.name": service, **values})}


def spans_request(trace, spans, service="cruddur-api", **values):
    """Returns an OTLP request with the spans of one service."""
    return {
        "resourceSpans": [
            {
                "resource": resource(service, **values),
                "scopeSpans": [
                    {
                        "scope": {"name": "lambda-spans", "version": "0.1.0"},
                        "spans": [{"traceId": trace, **one} for one in spans],
                    }
                ],
            }
        ]
    }


def logs_request(trace, logs, service="cruddur-api"):
    """Returns an OTLP request with log records. A log is a span's number or None, milliseconds, severity and text."""
    severities = {"DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17}
    records = [
        {
            "traceId": trace,
            **({} if number is None else {"spanId": span_id(number)}),
            "timeUnixNano": str(NOW + round(at * MS)),
            "severityNumber": severities[severity],
            "severityText": severity,
            "body": {"stringValue": text},
        }
        for number, at, severity, text in logs
    ]
    return {"resourceLogs": [{"resource": resource(service), "scopeLogs": [{"logRecords": records}]}]}


def query(number, start, took, parent, **fields):
    found = {
        "db.system.name": "aws.dynamodb",
        "db.operation.name": "Query",
        "db.collection.name": "cruddur",
        "aws.dynamodb.consumed_capacity_units": 0.5,
        "aws.dynamodb.count": number,
        "rpc.system.name": "aws-api",
        "rpc.method": "DynamoDB/Query",
        "cloud.region": "ca-central-1",
        "http.response.status_code": 200,
    }
    return span(number, "DynamoDB.Query", start, took, parent=parent, kind="client", attributes=found, **fields)


def home(trace, *, start=0.0, user="andrewbrown", took=12.0, queries=8, status=200, cold=False, first=1, error=None):
    """Returns the spans of a request for the home feed: Lambda, handler, a query for each shard."""
    root, handler = first, first + 1
    fields = {
        "http.request.method": "GET",
        "http.route": "/api/activities/home",
        "url.path": "/api/activities/home",
        "http.response.status_code": status,
        "faas.coldstart": cold,
        "faas.trigger": "http",
        "app.user": user,
        "enduser.id": user,
        "user_agent.original": "curl/8.9.1",
        "server.address": "k3v9x0q2rd.execute-api.ca-central-1.amazonaws.com",
    }
    one = (took - 3) / 2
    return [
        span(root, "GET /api/activities/home", start, took, kind="server", attributes=fields, error=error),
        *(
            [
                span(
                    first + 90,
                    "init",
                    start - 45,
                    38,
                    parent=root,
                    attributes={"aws.lambda.initialization_type": "on-demand"},
                )
            ]
            if cold
            else []
        ),
        span(
            handler,
            "home-activities",
            start + 1,
            took - 1.5,
            parent=root,
            attributes={"app.now": "2026-11-23T01:56:11.776Z", "app.result_length": 20},
            events=[("feed.merged", start + took - 1, {"app.shards": queries})],
        ),
        *(query(first + 2 + at, start + 1.5 + at * 0.11, one + (at * 7 % 5) * 0.4, handler) for at in range(queries)),
    ]


def plain(found):
    """Returns the value of an attribute as JSON."""
    ((kind, of),) = found.items()
    return int(of) if kind == "intValue" else of


def documents(trace, spans, **changes):
    """Returns these spans as documents of X-Ray, as the X-Ray exporter of lambda-spans writes them."""
    found = []
    for one in spans:
        values = {item["key"]: plain(item["value"]) for item in one["attributes"]}
        client = one["kind"] == KINDS["client"]
        status = values.get("http.response.status_code")
        start, end = int(one["startTimeUnixNano"]), int(one["endTimeUnixNano"])
        document = {
            "trace_id": xray_id(trace),
            "id": one["spanId"],
            "parent_id": one.get("parentSpanId", "53995c3f42cd8ad8"),
            "name": "DynamoDB" if client else one["name"],
            "type": "subsegment",
            "start_time": start / 1e9,
            "end_time": end / 1e9,
            "metadata": {"default": {key: of for key, of in values.items() if not key.startswith("app.")}},
        }
        annotations = {key.replace(".", "_"): of for key, of in values.items() if key.startswith("app.")}
        if annotations:
            document["annotations"] = annotations
        if client:
            document |= {
                "namespace": "aws",
                "aws": {"operation": "Query", "table_name": "cruddur", "region": "ca-central-1"},
            }
        if status:
            request = {
                "method": "GET",
                "url": "https://k3v9x0q2rd.execute-api.ca-central-1.amazonaws.com/api/activities/home",
            }
            document["http"] = {**({} if client else {"request": request}), "response": {"status": int(status)}}
        if one["status"]:
            exception = {"id": one["spanId"], "type": "Error", "message": one["status"]["message"]}
            document |= {"fault": True, "cause": {"exceptions": [exception]}}
        found.append(document | changes)
    return found


def post(http, body, path="/v1/traces", content_type="application/json", **headers):
    """Sends a request to the console's receiver. Returns the status."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(http + path, data, {"Content-Type": content_type, **headers})
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.status


def send_documents(address, found):
    """Sends each document as a datagram."""
    host, port = address.rsplit(":", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for document in found:
            sender.sendto(HEADER + json.dumps(document).encode(), (host, int(port)))

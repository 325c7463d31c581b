#!/usr/bin/env python3
"""Writes the tables of docs/cost.md about a million requests (`make scale`).

Reads units from docs/data-model.md and spans from docs/traces/data.json. scale.py has the other assumptions. Needs only
Python 3.
"""

import json
import os
from pathlib import Path

import scale

# Prices in US dollars: AWS, us-east-1, entered by hand on 2026-11-22; Cognito and WAF checked on 2026-11-28.
TRACE = 5.00 / 1e6
LOG_GIGABYTE = 0.50
METRIC = 0.30
ALARM_METRIC = 0.10
DASHBOARD = 3.00
SECRET = 0.40
# The price of an active user of a month beyond the free ones, by UserPoolTier, and the number of free ones.
USER_POOL = {"LITE": (0.0055, 10_000), "ESSENTIALS": (0.015, 10_000), "PLUS": (0.02, 0)}
WEB_ACL = 5.00
WEB_ACL_RULE = 1.00
WEB_ACL_REQUEST = 0.60 / 1e6

# The default of template.yaml. X-Ray's one trace a second is a fixed cost.
XRAY_RATE = 0.05
# Log lines of a request: two of Lambda (start, report) and one of API Gateway.
LOG_BYTES = 1_500
# Metrics of the three functions: nine each.
METRICS = 27
# Metrics that the alarms of template.yaml watch, with those of a canary in prod.
ALARMS = 28
# API Gateway, the user pool's trigger and the stream each begin traces: X-Ray samples one a second of each.
XRAY_ENTRIES = 3


def main():
    costs = scale.measured(Path("docs/data-model.md").read_text())
    second = scale.PRICES["a GB-second of Lambda on arm64"]
    scale.write(
        {"requests": requests(costs), "telemetry": telemetry(second), "fixed": fixed(), "protection": protection()}
    )


def requests(costs):
    write, read, _, invocation, second, request = scale.PRICES.values()
    rows, sums, weights = [], [0.0] * 5, 0.0
    for what, often, measured, count, records in scale.DAY:
        reads, writes = scale.units(costs, measured)
        gigabytes = (count * scale.REQUEST_MS + records * scale.RECORD_MS) / 1000 * scale.MEMORY_GB * 1e6
        parts = [
            count * request,
            (count + records / scale.BATCH) * invocation,
            gigabytes * second,
            reads * read + writes * write,
        ]
        row = [*parts, sum(parts)]
        rows.append(f"| {what} | {' | '.join(f'{part:.2f}' for part in row)} |")
        sums = [total + often * count * part for total, part in zip(sums, row, strict=True)]
        weights += often * count
    mean = [total / weights for total in sums]
    return [
        "| A million times | API Gateway | Lambda requests | Lambda duration | DynamoDB | All |",
        "|---|---|---|---|---|---|",
        *rows,
        f"| **the mix of all users** | {' | '.join(f'**{part:.2f}**' for part in mean)} |",
    ]


def telemetry(second):
    data = json.loads(Path("docs/traces/data.json").read_text())
    _, home, post, _, effects = data["invocations"]
    spans = [sum(1 + len(span["links"]) for span in invocation["otlp"]) for invocation in (home, post, effects)]
    waiting = 30 / 1000 * scale.MEMORY_GB * 1e6 * second
    return [
        "| A million requests | Amount | US dollars |",
        "|---|---|---|",
        f"| X-Ray | `XraySampleRate` {XRAY_RATE:g} | {1e6 * XRAY_RATE * TRACE:.2f} |",
        f"| X-Ray | `XraySampleRate` 1 | {1e6 * TRACE:.2f} |",
        f"| CloudWatch Logs | {LOG_BYTES:,} bytes each | {LOG_BYTES * 1e6 / 1e9 * LOG_GIGABYTE:.2f} |",
        f"| Lambda duration of the export | 30 ms after each response, if no request follows closely | {waiting:.2f} |",
        f"| Honeycomb, home feed | {spans[0]} events each at `SampleRate` 1 | by plan |",
        f"| Honeycomb, post | {spans[1]} events each, and {spans[2]} for its side effects | by plan |",
    ]


def fixed():
    parts = [
        (METRICS * METRIC, f"{METRICS} metrics of the functions"),
        (ALARMS * ALARM_METRIC, f"{ALARMS} metrics that alarms watch"),
        (DASHBOARD, "dashboard"),
        (SECRET, "secret"),
        (
            XRAY_ENTRIES * 30 * 86_400 * TRACE,
            f"X-Ray: one trace a second of each of {XRAY_ENTRIES} functions, if there is traffic",
        ),
    ]
    return [
        "| A month | US dollars |",
        "|---|---|",
        *(f"| {what} | {price:.2f} |" for price, what in parts),
        f"| **at most** | **{sum(price for price, _ in parts):.2f}** |",
    ]


def protection():
    users = [
        (f"a million active users with `UserPoolTier` {tier}", (1_000_000 - free) * price)
        for tier, (price, free) in USER_POOL.items()
    ]
    acl = WEB_ACL + WEB_ACL_RULE
    rows = [
        *users,
        ("web ACL with one rule", acl),
        ("a million requests that the web ACL inspects", WEB_ACL_REQUEST * 1e6),
    ]
    return ["| A month | US dollars |", "|---|---|", *(f"| {what} | {price:,.2f} |" for what, price in rows)]


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()

#!/usr/bin/env python3
"""Computes what a million requests cost, for docs/operate.md: `make scale` writes it there, `make test` compares it.

usage: bill.py [--check]

Units are the measured ones of docs/data-model.md, spans those of docs/traces/data.json; prices, the time of a request and
what the stream costs beside it are those of scale.py. What is assumed here stands in the first lines. Needs nothing but
Python 3.
"""

import json
import os
import sys
from pathlib import Path

import scale

PAGE = Path("docs/operate.md")
BEGIN, END = "<!-- written by `make scale` -->\n", "<!-- until here -->\n"

# In US dollars, as those of scale.py: AWS, us-east-1, as listed on 2026-11-22 to the author's knowledge.
TRACE = 5.00 / 1e6
LOG_GIGABYTE = 0.50
METRIC = 0.30
ALARM_METRIC = 0.10
DASHBOARD = 3.00
SECRET = 0.40

# The default of template.yaml; the one trace a second that X-Ray takes besides is in the fixed part.
XRAY_RATE = 0.05
# Log lines of a request: Lambda's two (start, report) and API Gateway's one.
LOG_BYTES = 1_500
# Metrics that the three functions write, if each of them runs: nine each, without a drop.
METRICS = 27
# Of the alarms, each with what it looks at.
ALARMS = 21


def main():
    costs = scale.measured(Path("docs/data-model.md").read_text())
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    written = before + BEGIN + "\n" + scale.wrapped(bill(costs)) + END + after
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(written)
    elif written != page:
        sys.exit(f"{PAGE}: the bill is not what is measured; run `make scale`")
    else:
        print(f"ok      the bill of {PAGE} is what is measured")


def bill(costs):
    write, read, _, invocation, second, request = scale.PRICES.values()
    rows, sums, weights = [], [0.0] * 5, 0.0
    for what, often, measured, requests, records in scale.DAY:
        reads, writes = scale.units(costs, measured)
        gigabytes = (requests * scale.REQUEST_MS + records * scale.RECORD_MS) / 1000 * scale.MEMORY_GB * 1e6
        parts = [requests * request, (requests + records / scale.BATCH) * invocation, gigabytes * second,
                 reads * read + writes * write]
        row = [*parts, sum(parts)]
        rows.append(f"| {what} | {' | '.join(f'{part:.2f}' for part in row)} |")
        sums = [total + often * requests * part for total, part in zip(sums, row)]
        weights += often * requests
    mean = [total / weights for total in sums]
    return ["US dollars for a million of each, with what the stream's consumer does of it, and for a post with its end:", "",
            "| a user | API Gateway | invocations | their time | DynamoDB | all |", "|---|---|---|---|---|---|", *rows,
            f"| **a million requests, as users mix them** | {' | '.join(f'**{part:.2f}**' for part in mean)} |", "",
            *telemetry(second), *fixed(), *basis()]


def telemetry(second):
    told = json.loads(Path("docs/traces/data.json").read_text())
    _, home, post, _, follows = told["invocations"]
    spans = [sum(1 + len(span["links"]) for span in invocation["otlp"]) for invocation in (home, post, follows)]
    return ["And what it costs to see them, for a million requests:", "",
            f"- **X-Ray**: {1e6 * XRAY_RATE * TRACE:.2f} at `XraySampleRate` {XRAY_RATE:g}; {1e6 * TRACE:.2f} at 1.",
            f"- **CloudWatch Logs**: {LOG_BYTES * 1e6 / 1e9 * LOG_GIGABYTE:.2f}, for {LOG_BYTES:,} bytes each.",
            f"- **Honeycomb**: by events; a span is one, a link is one. The home feed is {spans[0]} events, a post {spans[1]} and "
            f"{spans[2]} for what follows, at `SampleRate` 1.",
            f"- **Time to send**: with the default `adaptive` hidden in a burst. Where requests come singly, each waits for "
            f"Honeycomb's answer after the caller has got its own: {30 / 1000 * scale.MEMORY_GB * 1e6 * second:.2f} at 30 ms.", ""]


def fixed():
    parts = [(METRICS * METRIC, f"{METRICS} metrics of the functions"), (ALARMS * ALARM_METRIC, f"{ALARMS} metrics that alarms look at"),
             (DASHBOARD, "the dashboard"), (SECRET, "the secret"), (30 * 86_400 * TRACE, "X-Ray's one trace a second, if there is one")]
    told = "; ".join(f"{price:.2f} for {what}" for price, what in parts)
    return [f"Each month besides, whatever comes: up to {sum(price for price, _ in parts):.2f} ({told}). The first dashboards, alarms, "
            "traces and gigabytes of logs are free.", ""]


def basis():
    prices = "; ".join(f"{what} ${f'{price:.10f}'.rstrip('0')}" for what, price in scale.PRICES.items())
    return [f"Assumed: {scale.REQUEST_MS} ms for a request and {scale.RECORD_MS} ms for a record at {scale.MEMORY_GB * 1024:.0f} MB, "
            f"which only AWS can tell (the dashboard's *Duration*; each further millisecond is "
            f"{scale.MEMORY_GB / 1000 * 1e6 * scale.PRICES['a GB-second of Lambda on arm64']:.3f} for a million). Prices are those of us-east-1 "
            f"on 2026-11-22, to be checked by who relies on them: {prices}; a million traces ${TRACE * 1e6:g}; a GB of logs "
            f"${LOG_GIGABYTE:g}. They stand in [`scale.py`](../tests/tools/scale.py) and [`bill.py`](../tests/tools/bill.py)."]


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()

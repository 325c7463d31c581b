#!/usr/bin/env python3
"""Draws docs/traces/*.svg from docs/traces/data.json (`make pictures`), which contains spans that the functions sent.

Full lines are these spans. Dashed lines are segments that API Gateway and Lambda add in AWS. Needs only Python 3.
"""

import html
import json
import os
from pathlib import Path

FOLDER = Path("docs/traces")
WIDTH = 960
ROW = 24

STYLE = """
    svg { --back: #ffffff; --text: #1f2328; --dim: #656d76; --line: #d8dee4; --stripe: #f6f8fa;
          --api: #4f6bdb; --stream: #b4690e; --aws: #2a8658; --other: #8250df; --link: #bc4c00;
          font: 13px system-ui, 'Segoe UI', Helvetica, Arial, sans-serif }
    @media (prefers-color-scheme: dark) {
      svg { --back: #0d1117; --text: #e6edf3; --dim: #9198a1; --line: #30363d; --stripe: #161b22;
            --api: #8ea2ff; --stream: #e3a04f; --aws: #56c98d; --other: #c297ff; --link: #f0883e } }
    .back { fill: var(--back) } .stripe { fill: var(--stripe) } .line { stroke: var(--line); fill: none }
    text { fill: var(--text) } text.dim, tspan.dim { fill: var(--dim) } .end { text-anchor: end } .middle { text-anchor: middle }
    .head { font-weight: 600 } .small { font-size: 11.5px } .code { font-family: ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; font-size: 11.5px }
    .api { fill: var(--api) } .stream { fill: var(--stream) } .aws { fill: var(--aws) } .other { fill: var(--other) }
    text.link, tspan.link { fill: var(--link) } path.link { stroke: var(--link); fill: none; stroke-width: 1.5 }
    .node { stroke-width: 3; fill: var(--back) }
    .node.api { stroke: var(--api); fill: var(--back) } .node.stream { stroke: var(--stream); fill: var(--back) }
    .node.aws { stroke: var(--aws); fill: var(--back) }
    .added { stroke: var(--dim); stroke-width: 1.5; stroke-dasharray: 5 4; fill: none }
    .edge { stroke: var(--dim); stroke-width: 1.5; fill: none; marker-end: url(#tip) } .edge.added { stroke-dasharray: 5 4 }
    #tip path { fill: var(--dim) }
"""
ARROW_HEAD = (
    '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0 L8 4 L0 8 z"/></marker>'
)


def main():
    data = json.loads((FOLDER / "data.json").read_text())
    cold, home, post, _, effects = data["invocations"]
    for name, picture in {
        "map.svg": trace_map(post, effects),
        "timeline.svg": timeline(cold),
        "waterfall.svg": waterfall(home),
        "link.svg": linked(post, effects),
    }.items():
        (FOLDER / name).write_text(picture)


# X-Ray


def trace_map(post, effects):
    """Draws the map of a request, and the map of its side effects."""
    svg = Svg(
        494,
        "X-Ray's trace map",
        "The calls between services in the trace of a post and in the trace of its side effects.",
    )
    svg.text(20, 30, "Trace map of one post", "head")
    svg.text(20, 50, xray_id(post), "code dim")
    svg.text(20, 268, "Trace map of its side effects", "head")
    svg.text(20, 288, xray_id(effects), "code dim")
    api = svg.function("cruddur-api", "api", tree(post["xray"]), 145)
    stream = svg.function("cruddur-stream", "stream", tree(effects["xray"]), 383)
    svg.added(80, 145, "Client", "", "drawn by X-Ray")
    svg.added(240, 145, "cruddur/dev", "AWS::ApiGateway::Stage")
    svg.arrow(115, 145, 205, 145, added=True)
    svg.arrow(275, 145, 365, 145, added=True)
    svg.added(240, 383, "cruddur-stream", "AWS::Lambda")
    svg.added(400, 145, "cruddur-api", "AWS::Lambda")
    svg.arrow(435, 145, api[0] - 46, 145, added=True)
    svg.arrow(275, 383, stream[0] - 46, 383, added=True)
    svg.draw(
        f'<path class="link" stroke-dasharray="2 3" d="M{api[0]} 222 C{api[0]} 262 {stream[0]} 262 {stream[0]} 332"/>'
    )
    svg.text(api[0] + 12, 262, "link: trace id of the post, in the metadata", "small link")
    return svg.done()


def xray_id(invocation):
    return invocation["xray"][0]["trace_id"]


def timeline(invocation):
    """Draws the segments of a cold start as X-Ray lists them."""
    rows = [
        ("cruddur/dev", "AWS::ApiGateway::Stage", 0),
        ("cruddur-api", "AWS::Lambda", 1),
        ("cruddur-api", "AWS::Lambda::Function", 2),
    ]
    documents = list(tree(invocation["xray"]))
    svg = Svg(
        104 + ROW * (len(rows) + len(documents)) + 34,
        "X-Ray's segments timeline",
        "One cold request for the home feed, segment by segment.",
    )
    svg.text(20, 30, "Segments timeline: GET /api/activities/home, a cold start", "head")
    svg.text(20, 50, xray_id(invocation), "code dim")
    begin = min(document["start_time"] for _, document in documents)
    axis = Axis(440, WIDTH - 30, max(document["end_time"] for _, document in documents) - begin)
    svg.head(80, [(20, "Name", ""), (325, "Response", "end"), (400, "Duration", "end")])
    y = svg.grid(axis, 92, len(rows) + len(documents))
    request = documents[0][1]
    for name, kind, depth in rows:
        svg.named(20 + 14 * depth, y + 16, name, kind, "dim")
        # Their times are unknown here. They enclose the spans of the function.
        x, end = (
            axis.at(request["start_time"] - begin) - 9 + 3 * depth,
            axis.at(request["end_time"] - begin) + 9 - 3 * depth,
        )
        svg.draw(f'<rect class="added" x="{x:.1f}" y="{y + 6}" width="{end - x:.1f}" height="12" rx="2"/>')
        y += ROW
    for depth, document in documents:
        color = {"aws": "aws", "remote": "other"}.get(document.get("namespace"), "api")
        name, operation = document["name"], document.get("aws", {}).get("operation", "")
        svg.named(20 + 14 * (depth + 3), y + 16, name, operation)
        svg.text(325, y + 16, document.get("http", {}).get("response", {}).get("status", "\N{EN DASH}"), "end dim")
        took = document["end_time"] - document["start_time"]
        svg.text(400, y + 16, milliseconds(took), "end")
        svg.bar(axis, document["start_time"] - begin, took, y + 6, color)
        y += ROW
    svg.text(20, y + 24, "Dashed: added by API Gateway and Lambda in AWS. Full: sent by the function.", "small dim")
    return svg.done()


# Honeycomb


def waterfall(invocation):
    """Draws a trace as Honeycomb lists it, with attributes of three of its spans."""
    spans = list(tree(invocation["otlp"]))
    chosen = [spans[0][1], spans[1][1], spans[2][1]]
    kept = [
        [
            "http.request.method",
            "http.route",
            "http.response.status_code",
            "http.response.body.size",
            "faas.coldstart",
            "faas.trigger",
        ],
        ["app.now", "app.result_length"],
        [
            "db.operation.name",
            "db.collection.name",
            "aws.dynamodb.count",
            "aws.dynamodb.limit",
            "aws.dynamodb.scan_forward",
            "aws.dynamodb.consumed_capacity_units",
            "aws.sdk.attempts",
        ],
    ]
    tall = max(map(len, kept))
    top = 104 + ROW * len(spans) + 30
    svg = Svg(top + 34 + 20 * tall + 14, "Honeycomb's waterfall", "One warm request for the home feed, span by span.")
    svg.text(20, 30, "Trace: GET /api/activities/home, warm", "head")
    svg.text(20, 50, spans[0][1]["trace_id"], "code dim")
    svg.spans(spans, 80)
    for span, names, x, wide in zip(chosen, kept, (20, 330, 600), (300, 260, 340), strict=True):
        svg.draw(f'<rect class="stripe" x="{x}" y="{top}" width="{wide}" height="{34 + 20 * tall}" rx="6"/>')
        svg.text(x + 12, top + 22, span["name"], "head")
        for line, name in enumerate(names):
            y = top + 44 + 20 * line
            svg.text(x + 12, y, name, "code dim")
            svg.text(x + wide - 12, y, shown(span["attributes"][name]), "code end")
    return svg.done()


def linked(post, effects):
    """Draws the trace of a post, and the trace of its side effects with the link to the post."""
    first, second = list(tree(post["otlp"])), list(tree(effects["otlp"]))
    below = 104 + ROW * len(first) + 44
    svg = Svg(
        below + 60 + ROW * len(second) + 44,
        "A link between two traces",
        "The trace of a post, and the trace of the stream consumer with its link to the post.",
    )
    svg.text(20, 30, "Trace: POST /api/activities", "head")
    svg.text(20, 50, first[0][1]["trace_id"], "code dim")
    svg.spans(first, 80)
    svg.text(20, below, "Trace: the side effects in the stream consumer", "head")
    svg.text(20, below + 20, second[0][1]["trace_id"], "code dim")
    bottom = svg.spans(second, below + 50)
    (link,) = next(span["links"] for _, span in second if span["name"] == "activity-written")
    target = next(span for _, span in first if span["span_id"] == link["span_id"])
    svg.text(
        20, bottom + 24, f"↗ link to {target['name']}: trace {link['trace_id']}, span {link['span_id']}", "code link"
    )
    return svg.done()


def shown(value):
    return json.dumps(value) if isinstance(value, bool) else value


# Both


def tree(spans):
    """Returns the spans with their depth, each before its children. Children are ordered by start time."""
    identity = "span_id" if "span_id" in spans[0] else "id"
    parent = "parent_span_id" if "span_id" in spans[0] else "parent_id"
    begin = "start_ns" if "span_id" in spans[0] else "start_time"
    known = {span[identity] for span in spans}

    def below(above, depth):
        children = [span for span in spans if (span[parent] if span[parent] in known else None) == above]
        for span in sorted(children, key=lambda span: span[begin]):
            yield depth, span
            yield from below(span[identity], depth + 1)

    return below(None, 0)


def milliseconds(seconds):
    return f"{seconds * 1000:.1f} ms"


class Axis:
    """The horizontal position of a time, in seconds from the start."""

    def __init__(self, left, right, seconds):
        self.left, self.scale = left, (right - left) / seconds
        self.step = next(
            step for step in (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1) if seconds / step <= 8
        )
        self.ticks = [number * self.step for number in range(int(seconds / self.step) + 1)]

    def at(self, seconds):
        return self.left + seconds * self.scale


class Svg:
    def __init__(self, height, title, description):
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"  <title>{title}</title>",
            f"  <desc>{description}</desc>",
            f"  <style>{STYLE}  </style>",
            f"  <defs>{ARROW_HEAD}</defs>",
            f'  <rect class="back" width="{WIDTH}" height="{height}" rx="8"/>',
        ]

    def draw(self, element):
        self.parts.append(f"  {element}")

    def text(self, x, y, text, kind=""):
        if text != "":
            kind = f' class="{kind}"' if kind else ""
            self.draw(f'<text x="{x:g}" y="{y:g}"{kind}>{html.escape(str(text))}</text>')

    def named(self, x, y, name, note, kind="", note_kind="small dim"):
        """Draws a name with a note to its right."""
        note = f'<tspan class="{note_kind}" dx="8">{html.escape(note)}</tspan>' if note else ""
        self.draw(f'<text x="{x:g}" y="{y:g}" class="{kind}">{html.escape(name)}{note}</text>')

    def done(self):
        return "\n".join([*self.parts, "</svg>"]) + "\n"

    def head(self, y, columns):
        for x, text, kind in columns:
            self.text(x, y, text, f"small dim {kind}".strip())

    def grid(self, axis, y, rows):
        """Draws stripes and the axis. Returns the top of the first row."""
        for row in range(0, rows, 2):
            self.draw(f'<rect class="stripe" x="10" y="{y + ROW * row}" width="{WIDTH - 20}" height="{ROW}"/>')
        for tick in axis.ticks:
            self.draw(f'<path class="line" d="M{axis.at(tick):.1f} {y - 6} V{y + ROW * rows}"/>')
            self.text(round(axis.at(tick), 1), y - 12, f"{tick * 1000:g} ms", "small dim middle")
        return y

    def bar(self, axis, begin, took, y, color):
        x, width = axis.at(begin), max(took * axis.scale, 2)
        self.draw(f'<rect class="{color}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="12" rx="2"/>')

    def spans(self, spans, y):
        """Draws a waterfall with its head at `y`. Returns its bottom."""
        begin = min(span["start_ns"] for _, span in spans)
        axis = Axis(505, WIDTH - 30, (max(span["end_ns"] for _, span in spans) - begin) / 1e9)
        self.head(y, [(20, "name", ""), (290, "service.name", ""), (466, "duration_ms", "end")])
        y = self.grid(axis, y + 12, len(spans))
        for depth, span in spans:
            x = 20 + 16 * depth
            if depth:
                self.draw(f'<path class="line" d="M{x - 9} {y} v{ROW // 2} h6"/>')
            self.named(x, y + 16, span["name"], "↗ link" if span["links"] else "", note_kind="small link")
            self.text(290, y + 16, span["service"], "dim")
            took = (span["end_ns"] - span["start_ns"]) / 1e9
            self.text(466, y + 16, f"{took * 1000:.3f}", "end")
            color = "aws" if span["kind"] == "client" else "stream" if span["service"].endswith("stream") else "api"
            self.bar(axis, (span["start_ns"] - begin) / 1e9, took, y + 6, color)
            y += ROW
        return y

    def node(self, x, y, color, name, kind, *notes):
        self.draw(f'<circle class="node {color}" cx="{x}" cy="{y}" r="30"/>')
        self.label(x, y, name, kind, *notes)

    def added(self, x, y, name, kind, note="added by AWS"):
        self.draw(f'<circle class="added" cx="{x}" cy="{y}" r="33"/>')
        self.label(x, y, name, kind, note)

    def label(self, x, y, name, kind, *notes):
        self.text(x, y + 56, name, "middle")
        self.text(x, y + 73, kind, "small dim middle")
        for line, note in enumerate(notes):
            self.text(x, y + 89 + 15 * line, note, "small dim middle")

    def arrow(self, x, y, to, at, *, added=False):
        self.draw(f'<path class="edge{" added" if added else ""}" d="M{x} {y} L{to} {at}"/>')

    def function(self, name, color, documents, y):
        """Draws the node of a function and its calls to the table. Returns the position of the node."""
        documents = [document for _, document in documents]
        request, calls = documents[0], [document for document in documents if document.get("namespace") == "aws"]
        x = 590
        self.draw(f'<circle class="added" cx="{x}" cy="{y}" r="42"/>')
        took = milliseconds(request["end_time"] - request["start_time"])
        self.node(x, y, color, name, "AWS::Lambda::Function")
        self.text(x, y + 5, took, "small middle")
        self.text(x + 52, y - 24, request["name"], "small")
        (table,) = {call["aws"]["table_name"] for call in calls}
        spent = sum(call["end_time"] - call["start_time"] for call in calls) / len(calls)
        self.arrow(x + 46, y, 815, y)
        self.text(730, y + 20, f"{len(calls)} calls", "small dim middle")
        self.node(850, y, "aws", table, "AWS::DynamoDB::Table")
        self.text(850, y + 5, milliseconds(spent), "small middle")
        self.text(850, y + 89, "on average", "small dim middle")
        return x, y


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()

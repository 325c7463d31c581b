// View 3: the documents that X-Ray got, drawn as the AWS console draws them, and raw.

import { update } from "./address.js";
import { copyButton, fill, h, icon, s } from "./dom.js";
import { FetchedTab } from "./fetched.js";
import { clock, duration, number, plural, size, tick, timestamp } from "./format.js";
import { jsonBox, jsonTree } from "./json.js";
import { Scale } from "./scale.js";
import { statusChip } from "./traces.js";

/** @import { Document, MapEdge, MapNode, Segment, XrayData } from "./types.js" */
/** @import { Trace } from "./model.js" */
/** @import { State } from "./trace.js" */

const COLUMN = 210;
const ROW = 136;
const RADIUS = 34;

const REFUSALS = /** @type {Record<string, string>} */ ({
  too_large: "The document is larger than 64 KB.",
  bad_trace_id: "The trace id is not in X-Ray's form.",
  too_old: "The trace is older than 30 days.",
  in_the_future: "The trace id lies in the future.",
  name_missing: "The name is missing.",
  name_too_long: "The name is longer than 200 characters.",
  bad_name: "The name contains characters that AWS does not allow.",
  bad_id: "The id is not 16 hexadecimal digits.",
  bad_time: "A time is invalid.",
  end_missing: "The end time is missing, and the segment is not in progress.",
  end_in_progress: "The segment is in progress, but has an end time.",
  bad_type: "A member has another type than AWS expects.",
  text_too_long: "A text is longer than AWS allows.",
  metadata_not_map_of_maps: "Metadata must be a map of maps.",
  bad_annotation_key: "A key of an annotation has characters other than letters, digits and underscores.",
  bad_annotation_value: "An annotation is not text, a number or a Boolean.",
  too_many_annotations: "The document has more than 50 annotations.",
});

/** @extends {FetchedTab<XrayData>} */
export class Xray extends FetchedTab {
  /** @param {Trace} trace */
  constructor(trace) {
    super(trace, "xray", h("div", { class: "scroller xray", role: "group", "aria-label": "X-Ray", tabindex: "0" }, h("p", { class: "loading", role: "status" }, "Loading the documents …")));
  }

  /** @override @param {State} before @param {State} state */
  differs(before, state) {
    return before.span !== state.span;
  }

  /** @override @param {XrayData} data */
  draw(data) {
    if (!data.documents.length) {
      fill(this.element, h("div", { class: "message" }, h("h2", {}, "X-Ray got nothing of this trace"),
        h("p", {}, "No segment document arrived over UDP. In AWS, X-Ray gets a trace only if it is sampled."),
        h("p", {}, h("code", {}, "AWS_XRAY_DAEMON_ADDRESS=127.0.0.1:2000"), " sends documents here.")));
      return;
    }
    const refused = data.documents.filter((document) => document.refused.length);
    const position = this.element.scrollTop;
    fill(this.element,
      refused.length > 0 && h("p", { class: "message-line error", role: "note" }, icon("alert"), h("span", {}, `AWS would refuse ${plural(refused.length, "document")} of ${data.documents.length}. They are marked below.`)),
      h("section", { class: "block" }, h("div", { class: "block-head" }, h("h2", {}, "Trace map"), legend()), h("div", { class: "map-frame", tabindex: "0", role: "group", "aria-label": "Trace map" }, map(data.map))),
      h("section", { class: "block" }, h("div", { class: "block-head" }, h("h2", {}, "Segments timeline"), h("p", { class: "muted" }, plural(data.timeline.length, "segment"))), this.#timeline(data.timeline)),
      h("section", { class: "block" }, h("div", { class: "block-head" }, h("h2", {}, "Documents as they arrived"), h("p", { class: "muted" }, plural(data.documents.length, "document"))),
        h("ul", { class: "plain documents" }, ...data.documents.map((one) => documentRow(one)))));
    this.element.scrollTop = position;
  }

  /** @param {Segment[]} timeline */
  #timeline(timeline) {
    const starts = timeline.map((segment) => BigInt(segment.start));
    const base = starts.length ? starts.reduce((a, b) => (b < a ? b : a)) : 0n;
    const ends = timeline.map((segment, index) => Number(starts[index] - base) + Number(segment.duration));
    const scale = new Scale(Math.max(1, ...ends), [], null);
    // As in the AWS console, the segments of a node follow each other.
    /** @type {Map<string | null, number[]>} */
    const groups = new Map();
    timeline.forEach((segment, index) => groups.set(segment.node, [...(groups.get(segment.node) ?? []), index]));
    const rows = [...groups].flatMap(([id, members]) => {
      const node = this.data?.map.nodes.find((one) => one.id === id);
      const depth = Math.min(...members.map((index) => timeline[index].depth));
      return [
        node && h("tr", { role: "row", class: "node-row" }, h("th", { role: "rowheader", colspan: 5, scope: "rowgroup" },
          node.name, h("span", { class: "muted" }, ` ${node.type}`), node.only_aws && h("span", { class: "chip dashed" }, "added by AWS"))),
        ...members.flatMap((index) => this.#segment(timeline[index], timeline[index].depth - depth, Number(starts[index] - base), scale)),
      ];
    });
    const ticks = scale.ticks(5).filter((time) => scale.at(time) < 0.95).map((time) => {
      const label = h("span", { class: "tick" }, tick(time));
      label.style.insetInlineStart = `${scale.at(time) * 100}%`;
      return label;
    });
    return h("div", { class: "timeline-frame", role: "group", "aria-label": "Timeline", tabindex: "0" }, h("table", { class: "list segments", role: "table", "aria-label": "Segments timeline" },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" },
        h("th", { role: "columnheader", scope: "col" }, "Name"), h("th", { role: "columnheader", scope: "col" }, "Status"), h("th", { role: "columnheader", scope: "col", class: "num" }, "Response"),
        h("th", { role: "columnheader", scope: "col", class: "num" }, "Duration"), h("th", { role: "columnheader", scope: "col", class: "ruler-cell", "aria-label": "Timeline" }, h("div", { class: "ruler" }, ...ticks)))),
      h("tbody", { role: "rowgroup" }, ...rows)));
  }

  /** @param {Segment} segment @param {number} depth @param {number} start @param {Scale} scale */
  #segment(segment, depth, start, scale) {
    const open = Boolean(segment.id) && this.state?.span === segment.id && !segment.only_aws;
    const indent = h("span", { class: "indent" });
    indent.style.inlineSize = `calc(var(--indent) * ${Math.min(depth, 20)})`;
    const bar = h("i", { class: `bar ${segment.status}${segment.only_aws ? " dashed" : ""}${segment.in_progress ? " running" : ""}` });
    bar.style.insetInlineStart = `${scale.at(start) * 100}%`;
    bar.style.inlineSize = `${Math.max(0, scale.at(start + Number(segment.duration)) - scale.at(start)) * 100}%`;
    const operation = typeof segment.aws?.operation === "string" ? segment.aws.operation : null;
    const table = typeof segment.aws?.table_name === "string" ? segment.aws.table_name : null;
    const name = h("span", { class: "label" }, segment.name);
    const under = h("span", { class: "telling" }, [operation, table].filter(Boolean).join(" "));
    const row = h("tr", { role: "row", class: `${segment.only_aws ? "only-aws" : ""}${open ? " selected" : ""}` },
      h("td", { role: "cell" }, h("div", { class: "segment-name" }, indent,
        segment.only_aws || !segment.id ? h("span", { class: "plain-name", title: "Only AWS adds this row" }, name)
          : h("button", { type: "button", class: "as-link", "aria-expanded": String(open), on: { click: () => update({ span: open ? null : segment.id }, { replace: true }) } }, name),
        under, segment.in_progress && h("span", { class: "chip state-chip" }, "in progress"))),
      h("td", { role: "cell" }, statusChip(segment.status)),
      h("td", { role: "cell", class: "num" }, segment.http_status ?? h("span", { class: "muted" }, "–")),
      h("td", { role: "cell", class: "num" }, segment.only_aws && segment.duration === "0" ? "–" : duration(segment.duration)),
      h("td", { role: "cell", class: "time" }, h("div", { class: "time-inner" }, bar)));
    if (!open) return [row];
    return [row, h("tr", { role: "row", class: "opened" }, h("td", { role: "cell", colspan: 5 }, segmentDetails(segment, this.#documentOf(segment))))];
  }

  /** @param {Segment} segment */
  #documentOf(segment) {
    return this.data?.documents.find((document) => document.id === segment.id) ?? null;
  }
}

/** What the AWS console shows in the tabs of a segment. @param {Segment} segment @param {Document | null} document */
function segmentDetails(segment, document) {
  /** @param {string} title @param {unknown} value @param {string} note */
  const part = (title, value, note) => {
    const empty = value === null || value === undefined || (typeof value === "object" && !Object.keys(value).length);
    return h("div", { class: "part" }, h("h3", {}, title), h("p", { class: "muted" }, note), empty ? h("p", { class: "muted" }, "none") : h("div", { class: "json" }, jsonTree(value)));
  };
  return h("div", { class: "segment-details" },
    document !== null && document.refused.length > 0 && refusals(document),
    h("div", { class: "parts" },
      h("div", { class: "part" }, h("h3", {}, "Overview"), h("dl", { class: "facts" },
        ...[["Id", segment.id ?? "–"], ["Parent", segment.parent_id ?? "none"], ["Type", segment.type], ["Origin", segment.origin || "–"], ["Namespace", segment.namespace || "–"], ["Started", timestamp(segment.start)]]
          .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))))),
      part("Annotations", segment.annotations, "Indexed: filter expressions find them."),
      part("Metadata", segment.metadata, "Stored, not searchable."),
      part("Resources", segment.aws, "The AWS resource, and the caller's region and account."),
      segment.http && part("HTTP", segment.http, "Request and response."),
      segment.sql && part("SQL", segment.sql, "The database query."),
      segment.cause && typeof segment.cause === "object" && Object.keys(segment.cause).length > 0 && part("Exceptions", segment.cause, "The cause of the fault."),
      typeof segment.cause === "string" && part("Exceptions", { id: segment.cause }, "The exception is described in another segment."),
      segment.links && segment.links.length > 0 && part("Links", segment.links, "Traces that this one is linked to.")));
}

/** @param {Document} document */
function refusals(document) {
  return h("ul", { class: "plain refusals" }, ...document.refused.map((one) =>
    h("li", { "data-code": one.code }, icon("alert"), h("span", {}, `AWS would refuse this document: ${REFUSALS[one.code] ?? one.code.replaceAll("_", " ")} `), h("code", {}, one.path))));
}

/** @param {Document} document */
function documentRow(document) {
  const content = h("div", {});
  const draw = () => {
    if (content.childElementCount) return;
    let value = null;
    try {
      value = JSON.parse(document.raw);
    } catch {
      // Shown as it arrived.
    }
    content.append(value === null ? h("div", { class: "code" }, h("pre", { tabindex: "0" }, document.raw), copyButton(document.raw, "Copy the document"))
      : jsonBox(value, { raw: document.raw, label: "the document" }));
  };
  return h("li", {}, h("details", { class: "section document", on: { toggle: draw } },
    h("summary", {}, h("h3", {}, document.name), h("span", { class: "muted" }, ` ${document.type} · ${size(document.bytes)} · ${clock(document.received_at)}`),
      document.refused.length > 0 && h("span", { class: "chip mark-chip" }, icon("alert"), "AWS refuses")),
    document.refused.length > 0 && refusals(document), content));
}

function legend() {
  return h("ul", { class: "plain legend" }, ...[["ok", "OK"], ["error", "Error 4xx"], ["fault", "Fault 5xx"], ["throttle", "Throttle 429"]].map(([kind, text]) =>
    h("li", {}, h("i", { class: `swatch ${kind}` }), text)), h("li", {}, h("i", { class: "swatch dashed" }), "added by AWS"));
}

/** Columns from left to right by the longest way from a node without callers. @param {MapNode[]} nodes @param {MapEdge[]} edges */
function columns(nodes, edges) {
  const column = new Map(nodes.map((node) => [node.id, 0]));
  // Circles end after as many rounds as nodes.
  for (let round = 0; round < nodes.length; round++) {
    let moved = false;
    for (const { from, to } of edges) {
      const wanted = (column.get(from) ?? 0) + 1;
      if (from !== to && column.has(to) && (column.get(to) ?? 0) < wanted && wanted < nodes.length) {
        column.set(to, wanted);
        moved = true;
      }
    }
    if (!moved) break;
  }
  return column;
}

/** @param {XrayData["map"]} data */
function map({ nodes, edges }) {
  const column = columns(nodes, edges);
  /** @type {MapNode[][]} */
  const grid = [];
  for (const node of nodes) (grid[column.get(node.id) ?? 0] ??= []).push(node);
  const filled = grid.filter(Boolean);
  const tall = Math.max(1, ...filled.map((one) => one.length));
  /** @type {Map<string, { x: number, y: number }>} */
  const places = new Map();
  filled.forEach((members, x) => {
    // A node is near the average height of its callers.
    const height = (/** @type {MapNode} */ node) => {
      const callers = edges.filter((edge) => edge.to === node.id).map((edge) => places.get(edge.from)?.y ?? 0);
      return callers.length ? callers.reduce((a, b) => a + b, 0) / callers.length : 0;
    };
    members.toSorted((a, b) => height(a) - height(b)).forEach((node, y) => {
      places.set(node.id, { x: 105 + x * COLUMN, y: 62 + (y + (tall - members.length) / 2) * ROW });
    });
  });
  const width = 210 + (filled.length - 1) * COLUMN;
  const height = tall * ROW + 8;
  const svg = s("svg", { class: "map", viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": "Nodes and calls" },
    s("defs", {}, s("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, s("path", { d: "M0 0 8 4 0 8z", class: "tip" }))));
  for (const edge of edges) {
    const [from, to] = [places.get(edge.from), places.get(edge.to)];
    if (!from || !to || edge.from === edge.to) continue;
    const turn = to.x > from.x ? 1 : -1;
    const [x1, x2] = [from.x + turn * (RADIUS + 4), to.x - turn * (RADIUS + 6)];
    const middle = (x1 + x2) / 2;
    const straight = to.x === from.x;
    const d = straight ? `M${from.x} ${from.y + RADIUS}V${to.y - RADIUS}` : `M${x1} ${from.y}C${middle} ${from.y} ${middle} ${to.y} ${x2} ${to.y}`;
    svg.append(s("path", { d, class: `edge${edge.only_aws ? " dashed" : ""}`, "marker-end": "url(#tip)" }));
    if (nodes.find((node) => node.id === edge.from)?.type !== "client" && edge.requests) {
      svg.append(s("text", { x: middle, y: (from.y + to.y) / 2 - 7, class: "edge-label" }, edge.requests > 1 ? `${number(edge.requests)} × ${duration(edge.average)}` : duration(edge.average)));
    }
  }
  for (const node of nodes) {
    const place = places.get(node.id);
    if (place) svg.append(mapNode(node, place));
  }
  return svg;
}

/** @param {MapNode} node @param {{ x: number, y: number }} place */
function mapNode(node, { x, y }) {
  const parts = /** @type {[string, number][]} */ ([["ok", node.ok], ["error", node.errors], ["fault", node.faults], ["throttle", node.throttles]]);
  const total = parts.reduce((sum, [, count]) => sum + count, 0);
  const rates = parts.filter(([kind, count]) => kind !== "ok" && count).map(([kind, count]) => `${Math.round((100 * count) / total)} % ${kind}s`);
  const client = node.type === "client";
  const measured = !client && node.requests > 0;
  const group = s("g", { class: `map-node${node.only_aws ? " only-aws" : ""}`, role: "img", "aria-label": [
    node.name, node.type, measured && `${plural(node.requests, "request")}, average ${duration(node.average)}`, ...(measured ? rates : []), node.only_aws && "added by AWS",
  ].filter(Boolean).join(", ") });
  const around = 2 * Math.PI * RADIUS;
  let turned = 0;
  for (const [kind, count] of measured ? parts : []) {
    if (!count) continue;
    const length = (around * count) / total;
    group.append(s("circle", { cx: x, cy: y, r: RADIUS, class: `ring ${kind}`, "stroke-dasharray": `${length} ${around - length}`, "stroke-dashoffset": -turned, transform: `rotate(-90 ${x} ${y})` }));
    turned += length;
  }
  if (!turned) group.append(s("circle", { cx: x, cy: y, r: RADIUS, class: "ring dashed" }));
  else if (node.only_aws) group.append(s("circle", { cx: x, cy: y, r: RADIUS + 6, class: "around" }));
  group.append(
    s("text", { x, y: measured ? y - 1 : y + 4, class: "map-average" }, client ? "◉" : measured ? duration(node.average) : "AWS"),
    measured ? s("text", { x, y: y + 13, class: "map-count" }, node.requests === 1 ? "1 request" : `${number(node.requests)} requests`) : s("text", {}),
    s("text", { x, y: y + RADIUS + 22, class: "map-name" }, short(node.name, 24)),
    s("text", { x, y: y + RADIUS + 37, class: "map-type" }, client ? "drawn by X-Ray" : [short(node.type, 28), ...rates].join(" · ")),
    s("title", {}, `${node.name}\n${node.type}`),
  );
  return group;
}

/** @param {string} text @param {number} most */
function short(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}


// The panel beside a trace: all of one span, or of a group of equal spans.

import { address, go, href } from "./address.js";
import { color, party } from "./colors.js";
import { button, copy, copyButton, fill, h, icon } from "./dom.js";
import { clock, duration, isError, number, plural, timestamp } from "./format.js";
import { jsonBox, longText, parsed } from "./json.js";
import { plain, valueText } from "./model.js";
import { spanAsMarkdown, spanAsOtlp } from "./share.js";
import { statusChip } from "./traces.js";
import { markName } from "./waterfall.js";

/** @import { Attribute, Link, Log, Span, SpanEvent } from "./types.js" */
/** @import { Trace } from "./model.js" */

/** @type {[string, RegExp][]} */
const GROUPS = [
  ["Application", /^app\./],
  ["Error", /^(error|exception)[.]/],
  ["HTTP", /^(http|url|user_agent|network|server|client|net)[.]/],
  ["Database", /^(db|aws\.dynamodb)[.]/],
  ["Messaging", /^messaging[.]/],
  ["Function", /^(faas|aws\.lambda)[.]/],
  ["AWS", /^(aws|cloud|rpc)[.]/],
];

const EXPLANATIONS = /** @type {Record<string, string>} */ ({
  cycle: "The parents of these spans form a circle. It is cut here.",
  self_parent: "The span names itself as its parent.",
  duplicate: "The span was received more than once. It is shown once.",
  reversed_time: "The span ends before it starts.",
  future_time: "The span starts later than it was received.",
  parent_missing: "The parent of these spans was not received. This row takes its place.",
  clock_skew: "The clocks of the two hosts differ. Times are shown as sent.",
  in_progress: "X-Ray received the start of this segment, and not its end yet.",
  zero_time: "The sender gave no time.",
  several_roots: "The trace has several roots.",
  bad_trace_id: "The trace id is invalid.",
});

/** @param {Trace} trace @param {string} key of a row @param {() => void} close @returns {HTMLElement} */
export function details(trace, key, close) {
  const panel = h("aside", { class: "details", "aria-label": "Selected span", tabindex: "-1" });
  const index = trace.byId.get(key.startsWith("g") ? key.slice(1) : key);
  if (index === undefined) {
    fill(panel, head("Span not received", [], close), h("p", { class: "pad muted" }, "This trace has no span with this id."));
    return panel;
  }
  const group = trace.group(key);
  if (group) {
    fill(panel, ...groupDetails(trace, group, close));
    return panel;
  }
  fill(panel, ...spanDetails(trace, trace.spans[index], close));
  return panel;
}

/** @param {string} title @param {(Node | string | false | null)[]} under @param {() => void} close @param {Node[]} [actions] */
function head(title, under, close, actions = []) {
  return h("header", { class: "details-head" },
    h("div", { class: "details-title" }, h("h2", {}, title), ...actions, button("close", "Close (Esc)", close)),
    h("div", { class: "details-under" }, ...under));
}

/** @param {Trace} trace @param {number[]} members @param {() => void} close */
function groupDetails(trace, members, close) {
  const totals = trace.totals(members);
  const first = trace.spans[members[0]];
  const slowest = members.toSorted((a, b) => trace.end[b] - trace.start[b] - (trace.end[a] - trace.start[a])).slice(0, 20);
  return [
    head(`${number(totals.count)} × ${first.name}`, [partyChip(first)], close),
    facts([
      ["Wall time", duration(totals.wall)],
      ["Sum", duration(totals.sum)],
      ["Shortest", duration(totals.least)],
      ["Longest", duration(totals.most)],
      ["Errors", number(totals.errors)],
    ]),
    section(`Slowest ${slowest.length}`, h("ul", { class: "plain" }, ...slowest.map((member) => {
      const span = trace.spans[member];
      return h("li", {}, spanLink(trace, span, span.telling ?? span.name), h("span", { class: "muted" }, `+${duration(trace.start[member])}`), h("span", { class: "num" }, duration(span.duration)), isError(span.status) && statusChip(span.status));
    }))),
  ];
}

/** @param {Trace} trace @param {Span} span @param {() => void} close */
function spanDetails(trace, span, close) {
  const parent = span.parent === null ? null : trace.spans[span.parent];
  const resource = trace.resourceOf(span);
  const scope = trace.scopeOf(span);
  const logs = trace.logs.get(span.index) ?? [];
  const exceptions = span.events.filter((event) => event.name === "exception");
  const events = span.events.filter((event) => event.name !== "exception");
  const share = Number(span.critical) / trace.duration;
  return [
    head(span.placeholder ? "Span not received" : span.name, [
      partyChip(span), h("span", { class: "chip" }, span.kind), statusChip(span.status),
      span.telling !== null && h("span", { class: "telling" }, span.telling),
    ], close, [
      h("div", { class: "group" },
        button(null, "JSON", () => copy(spanAsOtlp(trace, span), "Copied as OTLP JSON"), { text: true, class: "button small", title: "Copy as OTLP JSON" }),
        button(null, "Markdown", () => copy(spanAsMarkdown(trace, span), "Copied as Markdown"), { text: true, class: "button small", title: "Copy as Markdown" })),
    ]),
    span.status_message && h("p", { class: `message-line ${span.status}` }, icon("alert"), longText(span.status_message)),
    ...span.marks.map((mark) => h("p", { class: "message-line note" }, h("b", {}, `${capital(markName(mark))}. `), EXPLANATIONS[mark] ?? "")),
    facts([
      ["Duration", duration(span.duration)],
      ["Self time", duration(span.self)],
      ["Critical path", Number(span.critical) ? `${duration(span.critical)} · ${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %` : "not on it"],
      ["Starts after", duration(BigInt(span.start) - trace.base)],
      ["Started", timestamp(span.start)],
      ["Span", h("span", { class: "copied" }, h("code", {}, span.id), copyButton(span.id, "Copy the span id"))],
      ["Parent", parent ? spanLink(trace, parent, parent.placeholder ? "not received" : parent.name) : "none: a root"],
      ["Received by", span.in.length ? span.in.map((one) => (one === "xray" ? "X-Ray" : "OTLP")).join(" and ") : null],
      ["Clock skew", span.skew === null ? null : `${duration(span.skew)} suggested`],
      ["Trace state", span.trace_state || null],
    ]),
    ...exceptions.map(exception),
    ...grouped(span.attributes).map(([title, attributes]) => section(title, properties(attributes), attributes.length)),
    span.dropped_attributes > 0 && h("p", { class: "pad muted" }, `The sender dropped ${plural(span.dropped_attributes, "attribute")}.`),
    (events.length > 0 || logs.length > 0) && section("Events and log", timeline(trace, events, logs), events.length + logs.length),
    span.dropped_events > 0 && h("p", { class: "pad muted" }, `The sender dropped ${plural(span.dropped_events, "event")}.`),
    span.links.length > 0 && section("Links", h("ul", { class: "plain links" }, ...span.links.map(link)), span.links.length),
    span.dropped_links > 0 && h("p", { class: "pad muted" }, `The sender dropped ${plural(span.dropped_links, "link")}.`),
    resource && section("Resource", properties(resource.attributes), resource.attributes.length, false),
    scope?.name && section("Instrumentation", properties([
      { key: "name", type: "string", value: scope.name }, ...(scope.version ? [{ key: "version", type: /** @type {const} */ ("string"), value: scope.version }] : []),
    ]), null, false),
    h("div", { class: "pad" }, h("a", { class: "button", href: here({ tab: "sides" }) }, icon("target"), h("span", {}, "X-Ray and Honeycomb side by side"))),
  ];
}

/** @param {Span} span */
function partyChip(span) {
  const name = party(span);
  return h("span", { class: `party ${color(name)}` }, h("i", {}), name === span.service ? span.service : `${span.service} → ${name}`);
}

/** @param {Record<string, string>} changes */
function here(changes) {
  const { path, params } = address();
  for (const [name, value] of Object.entries(changes)) params.set(name, value);
  return href(path, params);
}

/** @param {Trace} trace @param {Span} span @param {string} text */
export function spanLink(trace, span, text) {
  return h("a", { href: here({ span: span.id }), title: `${trace.spans[span.index].service}: ${span.name}` }, text);
}

/** @param {[string, Node | string | null][]} rows */
function facts(rows) {
  return h("dl", { class: "facts" }, ...rows.filter(([, value]) => value !== null).map(([name, value]) => h("div", { class: name === "Started" ? "broad" : null }, h("dt", {}, name), h("dd", {}, value))));
}

/** @param {string} title @param {Node} content @param {number | null} [count] @param {boolean} [open] */
export function section(title, content, count = null, open = true) {
  return h("details", { class: "section", open }, h("summary", {}, h("h3", {}, title), count !== null && h("span", { class: "count" }, number(count))), content);
}

/** @param {Attribute[]} attributes @returns {[string, Attribute[]][]} */
function grouped(attributes) {
  /** @type {Map<string, Attribute[]>} */
  const groups = new Map(GROUPS.map(([title]) => [title, []]));
  groups.set("Attributes", []);
  for (const attribute of attributes) {
    // DynamoDB's capacity belongs to the database, and not to AWS.
    const title = ["Database", ...groups.keys()].find((name) => GROUPS.find(([other]) => other === name)?.[1].test(attribute.key)) ?? "Attributes";
    groups.get(title)?.push(attribute);
  }
  return [...groups].filter(([, found]) => found.length);
}

/** @param {Attribute[]} attributes */
export function properties(attributes) {
  const rows = attributes.toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(property);
  return h("dl", { class: "properties" }, ...rows);
}

/** @param {Attribute} attribute */
function property(attribute) {
  const text = valueText(attribute);
  const tools = h("span", { class: "tools" },
    copyButton(text, `Copy the value of ${attribute.key}`),
    button("filter", `Traces with this ${attribute.key}`, () => toTraces(`${attribute.key}=${text}`), { class: "button only-icon small" }),
    button("ban", `Traces without this ${attribute.key}`, () => toTraces(`${attribute.key}!=${text}`), { class: "button only-icon small" }));
  return h("div", { class: "property" }, h("dt", {}, ...breakable(attribute.key)), h("dd", {}, shownValue(attribute, text), tools));
}

/** A key that wraps after its dots and underscores. @param {string} key */
function breakable(key) {
  return key.split(/(?<=[._])/).flatMap((part, index) => [index > 0 && h("wbr"), part]);
}

/** @param {Attribute} attribute @param {string} text */
function shownValue(attribute, text) {
  if (attribute.type === "array" || attribute.type === "map") return jsonBox(plain(attribute), { label: attribute.key });
  if (attribute.type === "string") {
    const json = parsed(text);
    if (json) return jsonBox(json, { raw: text, label: attribute.key });
    return text === "" ? h("span", { class: "muted" }, "empty") : longText(text, "value");
  }
  if (attribute.type === "bytes") return h("span", { class: "value" }, text, h("span", { class: "muted" }, " base64"));
  return h("span", { class: `value json-${attribute.type === "bool" ? "boolean" : "number"}` }, text);
}

/** @param {string} filter */
function toTraces(filter) {
  go(href([], { filter: [filter], tz: address().params.get("tz") }));
}

/** @param {SpanEvent} event */
function exception(event) {
  const get = (/** @type {string} */ key) => {
    const found = event.attributes.find((attribute) => attribute.key === key);
    return found ? valueText(found) : null;
  };
  const stack = get("exception.stacktrace");
  const others = event.attributes.filter((attribute) => !/^exception\.(type|message|stacktrace)$/.test(attribute.key));
  return section("Exception", h("div", { class: "exception" },
    h("p", {}, h("b", {}, get("exception.type") ?? "Exception"), h("span", { class: "muted" }, ` at ${clock(event.time)}`)),
    get("exception.message") !== null && h("p", {}, longText(get("exception.message") ?? "")),
    stack && h("div", { class: "code" }, h("pre", { tabindex: "0", "aria-label": "Stack trace" }, stack), copyButton(stack, "Copy the stack trace")),
    others.length > 0 && properties(others)));
}

/** @param {Trace} trace @param {SpanEvent[]} events @param {Log[]} logs */
function timeline(trace, events, logs) {
  const rows = [
    ...events.map((event) => ({ time: event.time, node: eventRow(trace, event.time, h("span", { class: "chip" }, "event"), event.name, event.attributes) })),
    ...logs.map((log) => ({ time: log.time, node: eventRow(trace, log.time, severity(log), log.body, log.attributes) })),
  ].sort((a, b) => (BigInt(a.time) < BigInt(b.time) ? -1 : 1));
  return h("ul", { class: "plain moments" }, ...rows.map((row) => row.node));
}

/** @param {Log} log */
export function severity(log) {
  const level = log.severity_number >= 17 ? "fault" : log.severity_number >= 13 ? "error" : "ok";
  return h("span", { class: `chip severity ${level}` }, log.severity || "LOG");
}

/** @param {Trace} trace @param {string} time @param {Node} chip @param {string} text @param {Attribute[]} attributes */
function eventRow(trace, time, chip, text, attributes) {
  return h("li", {}, h("time", { class: "num", title: timestamp(time) }, `+${duration(BigInt(time) - trace.base)}`), chip, h("span", { class: "what" }, bodyOf(text)),
    attributes.length > 0 && h("details", { class: "more-attributes" }, h("summary", {}, plural(attributes.length, "attribute")), properties(attributes)));
}

/** @param {string} text */
export function bodyOf(text) {
  const json = parsed(text);
  return json ? jsonBox(json, { raw: text, label: "the log line" }) : longText(text);
}

/** @param {Link} link */
function link(link) {
  const id = h("code", {}, link.trace.slice(0, 8), "…");
  return h("li", {},
    h("span", { class: "chip" }, icon(link.direction === "in" ? "back" : "expand"), link.direction === "in" ? "caused" : "caused by"),
    link.known
      ? h("a", { href: href(["trace", link.trace], { span: link.span, tz: address().params.get("tz") }), class: "trace-link" }, "Trace ", id)
      : h("span", { class: "muted" }, "Trace ", id, ", not kept here"),
    copyButton(link.trace, "Copy the trace id"),
    link.attributes.length > 0 && properties(link.attributes));
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}


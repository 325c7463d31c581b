// A span as OTLP JSON and as Markdown.

import { duration, statusName, timestamp } from "./format.js";
import { valueText } from "./model.js";

/** @import { Attribute, Span, Value } from "./types.js" */
/** @import { Trace } from "./model.js" */

const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"];

/** @param {Value} value @returns {object} */
function otlpValue({ type, value }) {
  switch (type) {
    case "string": return { stringValue: value };
    case "int": return { intValue: String(value) };
    case "double": return { doubleValue: value };
    case "bool": return { boolValue: value };
    case "bytes": return { bytesValue: value };
    case "array": return { arrayValue: { values: /** @type {Value[]} */ (value).map(otlpValue) } };
    case "map": return { kvlistValue: { values: otlpAttributes(/** @type {Attribute[]} */ (value)) } };
    default: return {};
  }
}

/** @param {Attribute[]} attributes */
function otlpAttributes(attributes) {
  return attributes.map((attribute) => ({ key: attribute.key, value: otlpValue(attribute) }));
}

/** @param {Trace} trace @param {Span} span */
export function spanAsOtlp(trace, span) {
  const parent = span.parent === null ? "" : trace.spans[span.parent].id;
  const scope = trace.scopeOf(span) ?? { name: "", version: "" };
  return JSON.stringify({
    resourceSpans: [{
      resource: { attributes: otlpAttributes(trace.resourceOf(span)?.attributes ?? []) },
      scopeSpans: [{
        scope,
        spans: [{
          traceId: trace.data.summary.id,
          spanId: span.id,
          ...(parent && { parentSpanId: parent }),
          ...(span.trace_state && { traceState: span.trace_state }),
          name: span.name,
          kind: Math.max(0, KINDS.indexOf(span.kind)),
          startTimeUnixNano: span.start,
          endTimeUnixNano: span.end,
          attributes: otlpAttributes(span.attributes),
          events: span.events.map((event) => ({ timeUnixNano: event.time, name: event.name, attributes: otlpAttributes(event.attributes) })),
          links: span.links.filter((link) => link.direction === "out")
            .map((link) => ({ traceId: link.trace, spanId: link.span, attributes: otlpAttributes(link.attributes) })),
          status: { code: span.status === "fault" ? 2 : span.status === "ok" ? 1 : 0, ...(span.status_message && { message: span.status_message }) },
        }],
      }],
    }],
  }, null, 2);
}

/** @param {Trace} trace @param {Span} span */
export function spanAsMarkdown(trace, span) {
  const rows = span.attributes.map((attribute) => `| ${cell(attribute.key)} | ${cell(valueText(attribute))} |`);
  const events = span.events.map((event) => `- ${timestamp(event.time)} ${cell(event.name)}`);
  const logs = (trace.logs.get(span.index) ?? []).map((log) => `- ${timestamp(log.time)} ${log.severity} ${cell(log.body)}`);
  return [
    `### ${cell(span.name)} (${cell(span.service)}, ${span.kind})`,
    "",
    `${statusName(span.status)}${span.status_message ? `: ${cell(span.status_message)}` : ""}, ${duration(span.duration)}, started ${timestamp(span.start)}`,
    "",
    `Trace \`${trace.data.summary.id}\`, span \`${span.id}\``,
    ...(rows.length ? ["", "| Attribute | Value |", "|---|---|", ...rows] : []),
    ...(events.length ? ["", "Events:", "", ...events] : []),
    ...(logs.length ? ["", "Log:", "", ...logs] : []),
    "",
  ].join("\n");
}

/** @param {string} text */
function cell(text) {
  return text.replaceAll(/([\\`*_[\]<>|])/g, "\\$1").replaceAll(/\r?\n/g, " ");
}

// View 4: the events as Honeycomb stores them, as a table and raw.

import { update } from "./address.js";
import { copyButton, fill, h, icon } from "./dom.js";
import { FetchedTab } from "./fetched.js";
import { clock, number, plural } from "./format.js";
import { jsonTree, longText } from "./json.js";

/** @import { HoneycombData } from "./types.js" */
/** @import { Trace } from "./model.js" */
/** @import { State } from "./trace.js" */

// These come first, the others follow in alphabetical order.
const FIRST = ["name", "duration_ms", "service.name", "error", "http.route", "http.response.status_code", "trace.parent_id", "trace.span_id", "trace.trace_id", "meta.signal_type", "meta.annotation_type", "SampleRate"];
const MOST = 500;

/** @extends {FetchedTab<HoneycombData>} */
export class Honeycomb extends FetchedTab {
  /** @param {Trace} trace */
  constructor(trace) {
    super(trace, "honeycomb", h("div", { class: "honeycomb" }, h("p", { class: "loading", role: "status" }, "Loading the events …")));
  }

  /** @override @param {State} before @param {State} state */
  differs(before, state) {
    return before.raw !== state.raw || before.event !== state.event;
  }

  /** @override @param {HoneycombData} data */
  draw(data) {
    if (!data.events.length) {
      const left = data.left_out;
      fill(this.element, h("div", { class: "message", "data-left-out": left?.reason ?? "" }, h("h2", {}, "Honeycomb got nothing of this trace"),
        left && left.reason !== "not_received"
          ? h("p", {}, `The sender left it out of OTLP: ${left.reason.replaceAll("_", " ")}.${left.rate === null ? "" : ` It keeps 1 of ${number(left.rate)} such traces.`} X-Ray got this one.`)
          : h("p", {}, "No span arrived over OTLP, and nothing in the X-Ray documents says why.")));
      return;
    }
    const raw = this.state?.raw ?? false;
    const text = JSON.stringify(data.events.map((event) => ({ time: event.time, samplerate: data.sample_rate, data: event.fields })), null, 2);
    const scroller = h("div", { class: "scroller", tabindex: "0", role: "group", "aria-label": "Events" });
    fill(this.element,
      h("div", { class: "bar-tools" },
        h("p", { class: "muted" }, `${plural(data.events.length, "event")} with ${plural(this.#columns(data).length, "field")}. Each counts for ${plural(data.sample_rate, "event")} (SampleRate).`),
        h("div", { class: "space" }),
        h("div", { class: "group" }, mode("Table", !raw, () => update({ raw: null })), mode("Raw", raw, () => update({ raw: true }))),
        copyButton(text, "Copy all events as JSON")),
      scroller);
    if (raw) scroller.append(h("pre", { class: "raw" }, text));
    else scroller.append(this.#table(data));
  }

  /** @param {HoneycombData} data */
  #columns(data) {
    const names = new Set(data.events.flatMap((event) => Object.keys(event.fields)));
    return [...FIRST.filter((name) => names.has(name)), ...[...names].filter((name) => !FIRST.includes(name)).sort()];
  }

  /** @param {HoneycombData} data */
  #table(data) {
    const columns = this.#columns(data);
    const rows = data.events.slice(0, MOST).map((event, index) => {
      const key = String(index);
      const open = this.state?.event === key;
      return h("tr", { role: "row", class: open ? "selected" : null },
        h("th", { role: "rowheader", scope: "row", class: "num" }, h("button", { type: "button", class: "as-link", "aria-expanded": String(open), on: { click: () => update({ event: open ? null : key }, { replace: true }) } }, clock(event.time))),
        ...columns.map((column) => {
          const value = event.fields[column];
          const number_ = typeof value === "number";
          return h("td", { role: "cell", class: number_ ? "num" : null }, value === undefined ? h("span", { class: "muted", "aria-label": "not set" }, "·") : typeof value === "string" ? longText(value) : String(value));
        }));
    });
    const opened = this.state?.event !== null ? data.events[Number(this.state?.event)] : undefined;
    return h("div", {},
      opened && h("section", { class: "block", "aria-label": "Selected event" }, h("div", { class: "block-head" }, h("h2", {}, String(opened.fields.name ?? "Event")), copyButton(JSON.stringify(opened.fields, null, 2), "Copy the event as JSON")),
        h("div", { class: "json" }, jsonTree(opened.fields))),
      h("table", { class: "list wide-table", role: "table", "aria-label": "Honeycomb events" },
        h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, h("th", { role: "columnheader", scope: "col" }, "Timestamp"), ...columns.map((column) => h("th", { role: "columnheader", scope: "col" }, column)))),
        h("tbody", { role: "rowgroup" }, ...rows)),
      data.events.length > MOST && h("p", { class: "foot" }, icon("alert"), `The table shows the first ${MOST} events. The raw text has all.`));
  }
}

/** @param {string} label @param {boolean} pressed @param {() => void} act */
function mode(label, pressed, act) {
  return h("button", { type: "button", class: "button small", "aria-pressed": String(pressed), on: { click: act } }, label);
}

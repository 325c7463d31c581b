// All events and log lines of a trace in their order.

import { address, href } from "./address.js";
import { color, party } from "./colors.js";
import { bodyOf, properties, severity } from "./details.js";
import { h, icon } from "./dom.js";
import { duration, plural, timestamp } from "./format.js";

/** @import { Trace } from "./model.js" */
/** @import { Key } from "./keys.js" */
/** @import { State } from "./trace.js" */

const MOST = 2000;

export class Moments {
  element = h("div", { class: "scroller", role: "group", "aria-label": "Events and log", tabindex: "0" });
  /** @type {Key[]} */
  keys = [];

  /** @param {Trace} trace */
  constructor(trace) {
    const events = trace.spans.flatMap((span) => span.events.map((event) => ({
      time: event.time, span: /** @type {number | null} */ (span.index), stray: null,
      chip: h("span", { class: `chip${event.name === "exception" ? " severity fault" : ""}` }, event.name === "exception" && icon("alert"), "event"), text: event.name, attributes: event.attributes,
    })));
    const logs = trace.data.logs.map((log) => ({
      time: log.time, span: log.span === null ? null : trace.byId.get(log.span) ?? null, stray: log.span, chip: severity(log), text: log.body, attributes: log.attributes,
    }));
    const all = [...events, ...logs].sort((a, b) => (BigInt(a.time) < BigInt(b.time) ? -1 : 1));
    if (!all.length) {
      this.element.append(h("div", { class: "message" }, h("h2", {}, "No events and no log"), h("p", {}, "Span events and log records with this trace id appear here.")));
      return;
    }
    this.element.append(h("ol", { class: "plain moments wide" }, ...all.slice(0, MOST).map(({ time, span, stray, chip, text, attributes }) => {
      const { path, params } = address();
      params.delete("tab");
      if (span !== null) params.set("span", trace.spans[span].id);
      return h("li", {},
        h("time", { class: "num", title: timestamp(time) }, `+${duration(BigInt(time) - trace.base)}`), chip, h("span", { class: "what" }, bodyOf(text)),
        span === null ? h("span", { class: "muted where" }, stray === null ? "no span" : "span not received")
          : h("a", { class: `where party ${color(party(trace.spans[span]))}`, href: href(path, params) }, h("i", {}), trace.spans[span].name),
        attributes.length > 0 && h("details", { class: "more-attributes" }, h("summary", {}, plural(attributes.length, "attribute")), properties(attributes)));
    })));
    if (all.length > MOST) this.element.append(h("p", { class: "foot" }, `Showing the first ${MOST} of ${plural(all.length, "entry", "entries")}.`));
  }

  /** @param {State} _state */
  update(_state) {}
  dispose() {}
}

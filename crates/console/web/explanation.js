// What is different about the selected region: fields by how much their shares differ, and example traces.

import { address, href } from "./address.js";
import { share } from "./charts.js";
import { button, fill, h, icon } from "./dom.js";
import { failure } from "./fetched.js";
import { fieldFilter } from "./filters.js";
import { clock, duration, number, plural, timestamp } from "./format.js";

/** @import { Example, ExplanationData, Operator, RankedField, RankedValue } from "./types.js" */

// More values of a field are shown on request.
const SHOWN = 2;

/**
 * `light` highlights the cells of a value; `filter` adds a filter.
 * @typedef {{ light: (key: string, operator: Operator, value: string | null) => void, dark: () => void, filter: (text: string) => void, zoom: () => void, clear: () => void, slowest: (() => void) | null }} Acts
 */

export class Explanation {
  element = h("section", { class: "explanation", "aria-label": "What is different in the selection", tabindex: "-1" });
  /** Fields whose values are all shown. @type {Set<string>} */
  #open = new Set();

  /** @param {Acts} acts */
  constructor(acts) {
    this.acts = acts;
  }

  /** Nothing is selected. @param {boolean} possible whether something can be */
  hint(possible) {
    const slowest = this.acts.slowest;
    fill(this.element, h("div", { class: "explain-hint" },
      h("h2", {}, "Why are some slow?"),
      h("p", {}, "Select a region of the heat map. The fields in which it differs from everything else appear here, the most different first."),
      possible && slowest && button("slow", "Select the slowest 5 %", slowest, { text: true, class: "button primary" }),
      h("p", { class: "muted" }, "With the keyboard: focus the heat map, move with the arrow keys, extend with Shift, select with Enter.")));
  }

  loading() {
    if (!this.element.querySelector(".explain-list")) fill(this.element, h("p", { class: "loading", role: "status" }, "Comparing …"));
    this.element.setAttribute("aria-busy", "true");
  }

  /** @param {unknown} error @param {() => void} retry */
  failed(error, retry) {
    this.element.removeAttribute("aria-busy");
    fill(this.element, failure(error, retry));
  }

  /** @param {ExplanationData} data @param {string} unit */
  update(data, unit) {
    this.element.removeAttribute("aria-busy");
    const counts = h("p", { class: "explain-counts" },
      h("span", { class: "key-selected" }, h("i", {}), `${plural(data.selected, `selected ${unit}`)}`), " against ",
      h("span", { class: "key-rest" }, h("i", {}), `${plural(data.rest, "other")}`));
    fill(this.element,
      h("div", { class: "explain-head" },
        h("h2", {}, "What is different in the selection"),
        h("div", { class: "group" },
          button("target", "Zoom", this.acts.zoom, { text: true, class: "button small", title: "Show only these times and durations" }),
          button("close", "Clear the selection (Esc)", this.acts.clear, { class: "button only-icon small" })),
        counts),
      data.fields.length
        ? h("ol", { class: "plain explain-list" }, ...data.fields.map((field) => this.#field(field, data, unit)))
        : h("p", { class: "muted explain-none" }, data.selected === 0 ? "Nothing is in this region any more. Newer traces took its place, or a filter leaves it out."
          : data.rest === 0 ? "Everything is selected, so there is nothing to compare with."
            : "No field differs by more than chance. Select a larger region."),
      data.examples.length > 0 && h("div", { class: "explain-examples" }, h("h3", {}, data.examples.length < data.selected ? `Slowest ${data.examples.length} of the selection` : "The selection"),
        h("ul", { class: "plain", "aria-label": "Example traces" }, ...data.examples.map((example) => this.#example(example, data.typical)))));
  }

  /** @param {RankedField} field @param {ExplanationData} data @param {string} unit */
  #field(field, data, unit) {
    const all = this.#open.has(field.key);
    const shown = all ? field.values : field.values.slice(0, SHOWN);
    const item = h("li", { class: "explain-field", "data-key": field.key },
      h("div", { class: "explain-key" }, h("h3", {}, ...breakable(field.key)),
        h("span", { class: "explain-score", title: "By how much the shares differ, at least, at 95 % confidence: from 0 to 1" }, h("span", { class: "offscreen" }, "score "), field.score.toFixed(2))),
      ...shown.map((value) => this.#value(field, value, unit)),
      field.also.length > 0 && h("p", { class: "explain-also" }, "Selects the same: ",
        ...field.also.slice(0, 4).flatMap((also, index) => [index > 0 && ", ", h("code", {}, `${also.key} ${valueText(also.operator, also.value)}`)]), field.also.length > 4 && ` and ${field.also.length - 4} more`),
      field.values.length > SHOWN && button(all ? "up" : "down", all ? "Fewer values" : `${field.values.length - SHOWN} more`, () => {
        if (!this.#open.delete(field.key)) this.#open.add(field.key);
        const next = this.#field(field, data, unit);
        item.replaceWith(next);
        /** @type {HTMLElement | null} */ (next.querySelector(".explain-more"))?.focus();
      }, { text: true, class: "button ghost small explain-more", "aria-expanded": String(all) }));
    return item;
  }

  /** @param {RankedField} field @param {RankedValue} value @param {string} unit */
  #value(field, value, unit) {
    const { key } = field;
    const text = valueText(value.operator, value.value);
    const filter = fieldFilter(key, value.operator, value.value);
    const without = value.operator === "=" ? fieldFilter(key, "!=", value.value) : value.operator === "absent" && filter ? key : null;
    const bar = (/** @type {string} */ name, /** @type {number} */ part) => {
      const inner = h("i", {});
      inner.style.inlineSize = `${part * 100}%`;
      return h("span", { class: `share-bar ${name}` }, inner);
    };
    const light = () => this.acts.light(key, value.operator, value.value);
    return h("div", {
      class: `explain-value ${value.typical_of}`,
      on: { pointerenter: light, pointerleave: this.acts.dark, focusin: light, focusout: this.acts.dark },
    },
    h("button", {
      type: "button", class: "value-name", title: `${text}\n${number(value.selected_events)} selected and ${number(value.rest_events)} other ${unit}s have it`, "aria-disabled": filter ? null : "true",
      "aria-label": `${key} ${text}: ${share(value.selected)} of the selection, ${share(value.rest)} of the rest${filter ? ". Filter by it" : ""}`,
      on: { click: () => filter && this.acts.filter(filter) },
    }, h("span", { class: value.operator === "absent" ? "absent" : null }, text)),
    h("span", { class: "shares", "aria-hidden": "true" }, bar("selected", value.selected), h("span", { class: "num" }, share(value.selected)), bar("rest", value.rest), h("span", { class: "num" }, share(value.rest))),
    without && button("ban", `Without ${key} ${text}`, () => this.acts.filter(without), { class: "button only-icon small" }));
  }

  /** @param {Example} example @param {Example | null} typical */
  #example(example, typical) {
    const tz = address().params.get("tz");
    return h("li", {},
      h("a", { href: href(["trace", example.trace], { span: example.span, tz }), class: "example-link" }, example.name || "unnamed"),
      example.failed && h("span", { class: "status fault" }, icon("alert"), h("span", { class: "offscreen" }, "failed")),
      example.user !== null && h("span", { class: "muted clipped" }, example.user),
      h("time", { class: "muted", title: timestamp(example.start) }, clock(example.start)),
      h("strong", { class: "num" }, duration(example.duration)),
      typical && typical.trace !== example.trace && h("a", {
        class: "button small", href: href(["compare"], { a: typical.trace, b: example.trace, tz }),
        title: "Compare with a trace of median duration among the others", "aria-label": `Compare ${example.name}, ${duration(example.duration)}, with a typical one`,
      }, "Compare"));
  }
}

/** @param {Operator} operator @param {string | null} value */
export function valueText(operator, value) {
  if (operator === "absent" || value === null) return "absent";
  if (operator === "=") return value === "" ? "(empty)" : value;
  return `${operator} ${value}`;
}

/** A key that wraps after its dots and underscores. @param {string} key */
function breakable(key) {
  return key.split(/(?<=[._])/).flatMap((part, index) => [index > 0 && h("wbr"), part]);
}

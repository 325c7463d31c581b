// View 5: what X-Ray got of one span, what Honeycomb got, and what each lost.

import { update } from "./address.js";
import { request } from "./api.js";
import { button, fill, h, icon } from "./dom.js";
import { failure } from "./fetched.js";
import { number } from "./format.js";
import { jsonBox, longText } from "./json.js";

/** @import { SideRow, SidesData } from "./types.js" */
/** @import { Trace } from "./model.js" */
/** @import { Key } from "./keys.js" */
/** @import { State } from "./trace.js" */

const STATES = /** @type {const} */ ({
  both: ["check", "Both"], differs: ["alert", "Differs"], otlp_only: ["expand", "Only Honeycomb"], xray_only: ["back", "Only X-Ray"],
});

export class Sides {
  element = h("div", { class: "sides" });
  /** @type {Key[]} */
  keys = [
    { keys: ["ArrowDown", "j"], label: "Next span", act: () => this.#step(1) },
    { keys: ["ArrowUp", "k"], label: "Previous span", act: () => this.#step(-1) },
  ];
  #span = -1;
  #only = false;
  /** @type {SidesData | null} */
  #data = null;
  #abort = new AbortController();
  #picker;
  #content = h("div", { class: "scroller", tabindex: "0", role: "group", "aria-label": "Comparison" });

  /** @param {Trace} trace */
  constructor(trace) {
    this.trace = trace;
    const select = h("select", { class: "input", id: "side-span", on: { change: () => update({ span: select.value }, { replace: true }) } },
      ...trace.spans.slice(0, 2000).filter((span) => !span.placeholder).map((span) =>
        h("option", { value: span.id }, `${"\u2003".repeat(Math.min(span.depth, 6))}${span.name}${span.telling ? ` ${span.telling}` : ""}`)));
    this.#picker = select;
    this.element.append(
      h("div", { class: "bar-tools" },
        h("label", { class: "labeled" }, h("span", {}, "Span"), select),
        h("div", { class: "group" }, button("up", "Previous span", () => this.#step(-1)), button("down", "Next span", () => this.#step(1))),
        h("div", { class: "space" }),
        h("label", { class: "check" }, h("input", { type: "checkbox", on: { change: (/** @type {Event} */ event) => {
          this.#only = /** @type {HTMLInputElement} */ (event.target).checked;
          this.#draw();
        } } }), "Only differences")),
      this.#content);
  }

  dispose() {
    this.#abort.abort();
  }

  /** @param {State} state */
  update(state) {
    const key = state.span?.startsWith("g") ? state.span.slice(1) : state.span;
    const first = this.trace.spans.find((span) => !span.placeholder)?.index ?? 0;
    const index = key === null || key === undefined ? first : this.trace.byId.get(key) ?? first;
    if (index === this.#span) return;
    this.#span = index;
    if (this.trace.spans[index]) {
      this.#picker.value = this.trace.spans[index].id;
      this.#load();
    }
  }

  /** @param {number} step */
  #step(step) {
    for (let index = this.#span + step; this.trace.spans[index]; index += step) {
      if (this.trace.spans[index].placeholder) continue;
      update({ span: this.trace.spans[index].id }, { replace: true });
      return;
    }
  }

  async #load() {
    this.#abort.abort();
    const abort = (this.#abort = new AbortController());
    if (!this.#data) fill(this.#content, h("p", { class: "loading", role: "status" }, "Loading both forms …"));
    try {
      this.#data = await request(`api/traces/${this.trace.data.summary.id}/spans/${this.trace.spans[this.#span].id}`, { signal: abort.signal });
      this.#draw();
    } catch (error) {
      if (!abort.signal.aborted) fill(this.#content, failure(error, () => this.#load()));
    }
  }

  #draw() {
    const data = this.#data;
    if (!data) return;
    const count = (/** @type {SideRow["state"]} */ state) => data.rows.filter((row) => row.state === state).length;
    const rows = this.#only ? data.rows.filter((row) => row.state !== "both") : data.rows;
    const missing = !data.xray ? "X-Ray did not get this span." : !data.otlp ? "Honeycomb did not get this span." : null;
    fill(this.#content,
      missing && h("p", { class: "message-line note" }, missing),
      h("ul", { class: "plain legend counts" },
        ...(/** @type {SideRow["state"][]} */ (["both", "differs", "otlp_only", "xray_only"])).map((state) => h("li", {}, stateChip(state), h("b", {}, number(count(state)))))),
      h("table", { class: "list sides-table", role: "table", "aria-label": "X-Ray and Honeycomb side by side" },
        h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...["Field", "Honeycomb", "X-Ray", "Place in X-Ray", "Kept by"].map((name) => h("th", { role: "columnheader", scope: "col" }, name)))),
        h("tbody", { role: "rowgroup" }, ...rows.map((row) => h("tr", { role: "row", class: row.state },
          h("th", { role: "rowheader", scope: "row" }, row.name),
          side(row.otlp, "Honeycomb"), side(row.xray, "X-Ray"),
          h("td", { role: "cell", "data-label": "Place in X-Ray" }, row.xray_place ? h("code", {}, row.xray_place) : h("span", { class: "muted" }, "–")),
          h("td", { role: "cell", "data-label": "Kept by" }, stateChip(row.state)))))),
      h("div", { class: "pair" },
        h("section", { class: "block" }, h("h2", {}, "What Honeycomb got"), data.otlp ? jsonBox(data.otlp, { label: "the span" }) : h("p", { class: "muted" }, "nothing")),
        h("section", { class: "block" }, h("h2", {}, "What X-Ray got"), data.xray ? jsonBox(data.xray, { label: "the document" }) : h("p", { class: "muted" }, "nothing"))));
  }
}

/** @param {SideRow["state"]} state */
function stateChip(state) {
  const [name, text] = STATES[state];
  return h("span", { class: `chip side-state ${state}` }, icon(name), text);
}

/** @param {string | null} value @param {string} label */
function side(value, label) {
  return h("td", { role: "cell", class: value === null ? "lost-value" : null, "data-label": label }, value === null ? h("span", { class: "muted" }, "lost") : longText(value));
}

// A table of span names: count, total, self time, share of the critical path.

import { update } from "./address.js";
import { color } from "./colors.js";
import { fill, h, icon } from "./dom.js";
import { duration, number } from "./format.js";

/** @import { NameRow } from "./types.js" */
/** @import { Trace } from "./model.js" */
/** @import { Key } from "./keys.js" */
/** @import { State } from "./trace.js" */

/** @type {{ id: keyof NameRow, label: string }[]} */
const COLUMNS = [
  { id: "name", label: "Span" }, { id: "count", label: "Count" }, { id: "errors", label: "Errors" }, { id: "total", label: "Total" }, { id: "self", label: "Self" },
  { id: "critical", label: "Critical path" }, { id: "p95", label: "P95" }, { id: "max", label: "Longest" },
];

export class Names {
  #head = h("tr", { role: "row" });
  #body = h("tbody", { role: "rowgroup" });
  element = h("div", { class: "scroller", role: "group", "aria-label": "Names", tabindex: "0" }, h("table", { class: "list names", role: "table", "aria-label": "Span names" }, h("thead", { role: "rowgroup" }, this.#head), this.#body));
  /** @type {Key[]} */
  keys = [];
  #sort = "";

  /** @param {Trace} trace */
  constructor(trace) {
    this.trace = trace;
  }

  dispose() {}

  /** @param {State} state */
  update({ sort }) {
    if (sort === this.#sort) return;
    this.#sort = sort;
    const [column, order] = sort.split(" ");
    const id = COLUMNS.find((one) => one.id === column)?.id ?? "critical";
    const direction = order === "asc" ? 1 : -1;
    fill(this.#head, ...COLUMNS.map((one) => h("th", {
      role: "columnheader", scope: "col", class: one.id === "name" ? null : "num", "aria-sort": one.id === id ? (direction > 0 ? "ascending" : "descending") : null,
    }, h("button", { type: "button", on: { click: () => {
      update({ sort: `${one.id} ${one.id === id ? (direction > 0 ? "desc" : "asc") : one.id === "name" ? "asc" : "desc"}` }, { replace: true });
      [...this.#head.querySelectorAll("button")][COLUMNS.indexOf(one)]?.focus();
    } } }, one.label, one.id === id && icon(direction > 0 ? "up" : "down")))));
    const rows = this.trace.data.names.toSorted((a, b) => direction * compare(a[id], b[id], id === "name"));
    const whole = this.trace.duration;
    const longest = Math.max(1, ...rows.map((row) => Number(row.total)));
    fill(this.#body, ...rows.map((row) => {
      const share = Number(row.critical) / whole;
      return h("tr", { role: "row" },
        h("td", { role: "cell" }, h("button", { type: "button", class: "as-link", title: "Find these spans", on: { click: () => update({ tab: null, find: row.name, sort: null }) } },
          h("span", { class: `party ${color(row.service)}` }, h("i", {})), row.name),
        h("span", { class: "under" }, `${row.service} · ${row.kind}`)),
        h("td", { role: "cell", class: "num" }, number(row.count)),
        h("td", { role: "cell", class: "num" }, row.errors ? h("span", { class: "count-errors" }, number(row.errors)) : h("span", { class: "muted" }, "–")),
        gauge(row.total, Number(row.total) / longest), h("td", { role: "cell", class: "num" }, duration(row.self)),
        gauge(row.critical, share, `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`),
        h("td", { role: "cell", class: "num" }, duration(row.p95)), h("td", { role: "cell", class: "num" }, duration(row.max)));
    }));
  }
}

/** @param {string} time @param {number} part @param {string} [note] */
function gauge(time, part, note) {
  const bar = h("i", { class: "gauge" });
  bar.style.inlineSize = `${Math.min(100, part * 100)}%`;
  return h("td", { role: "cell", class: "num" }, h("span", {}, duration(time), note && h("span", { class: "muted" }, ` ${note}`)), bar);
}

/** @param {string | number} a @param {string | number} b @param {boolean} text */
function compare(a, b, text) {
  return text ? (String(a) < String(b) ? -1 : 1) : Number(a) - Number(b);
}

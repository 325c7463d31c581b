// View 8, for all traces: what a request of each route costs.

import { address, href, update } from "./address.js";
import { onStream, request } from "./api.js";
import { color } from "./colors.js";
import { notes, numeric, share } from "./cost.js";
import { button, fill, h, icon } from "./dom.js";
import { number, plural } from "./format.js";

/** @import { RouteCost, RouteCosts } from "./types.js" */
/** @import { Key } from "./keys.js" */

/** @type {{ id: string, label: string, value: (row: RouteCost) => number | string }[]} */
const COLUMNS = [
  { id: "route", label: "Route", value: nameOf },
  { id: "traces", label: "Traces", value: (row) => row.traces },
  { id: "read", label: "Read units", value: (row) => row.mean?.read_units ?? -1 },
  { id: "write", label: "Write units", value: (row) => row.mean?.write_units ?? -1 },
  { id: "lambda", label: "Lambda ms", value: (row) => row.mean?.lambda_ms ?? -1 },
  { id: "memory", label: "GB-seconds", value: (row) => row.mean?.gb_seconds ?? -1 },
  { id: "requests", label: "Requests", value: (row) => row.mean?.invocations ?? -1 },
  { id: "cost", label: "$ per million", value: (row) => row.mean?.dollars_per_million ?? -1 },
  { id: "max", label: "Highest", value: (row) => row.max_dollars_per_million ?? -1 },
];

export class CostsView {
  element = h("section", { class: "view costs scroller", tabindex: "0", "aria-label": "Cost by route" });
  /** @type {Key[]} */
  keys = [{ keys: ["."], label: "Count the new traces", act: () => void this.#load() }];
  /** @type {RouteCosts | null} */
  #data = null;
  #query = "";
  /** Traces that arrived since. @type {Set<string>} */
  #newer = new Set();
  /** Whether more has changed, while the stream was interrupted. */
  #stale = false;
  #news = button("up", "", () => void this.#load(), { text: true, class: "button primary news", hidden: true });
  #stop;

  constructor() {
    fill(this.element, h("p", { class: "loading", role: "status" }, "Loading …"));
    // No row moves under the pointer or the focus: more traces are counted on request.
    this.#stop = onStream(({ type, data }) => {
      if (type === "cleared" || type === "lagged") this.#load();
      if (type !== "trace" || !this.#data) return;
      this.#newer.add(data.id);
      this.#drawNews();
    });
  }

  update() {
    const { path, params } = address();
    if (path[0] !== "costs") return false;
    document.title = "Cost · lambda-console";
    const query = new URLSearchParams(params.getAll("filter").map((filter) => ["filter", filter])).toString();
    if (query !== this.#query || !this.#data) {
      this.#query = query;
      this.#load();
    } else {
      this.#draw(this.#data);
    }
    return true;
  }

  /** Looks whether the costs have changed. What the reader sees stays. */
  async retry() {
    const shown = this.#data;
    if (!shown) {
      this.#load();
      return;
    }
    try {
      /** @type {RouteCosts} */
      const data = await request(`api/costs?${this.#query}`);
      if (this.#data !== shown) return;
      this.#stale = data.traces !== shown.traces || data.priced !== shown.priced;
      this.#drawNews();
    } catch {
      // The banner says that the console does not answer.
    }
  }

  dispose() {
    this.#stop();
  }

  async #load() {
    const query = this.#query;
    try {
      const data = await request(`api/costs?${query}`);
      if (query !== this.#query) return;
      this.#data = data;
      this.#newer.clear();
      this.#stale = false;
      this.#draw(data);
    } catch (error) {
      fill(this.element, h("div", { class: "message", role: "alert" }, icon("alert"), h("h1", {}, "The cost cannot be shown"), h("p", {}, error instanceof Error ? error.message : String(error)),
        button(null, "Try again", () => void this.#load(), { text: true })));
    }
  }

  #drawNews() {
    this.#news.hidden = this.#newer.size === 0 && !this.#stale;
    fill(this.#news, icon("up"), h("span", {}, this.#newer.size ? plural(this.#newer.size, "changed trace") : "Updated"));
  }

  /** @param {RouteCosts} data */
  #draw(data) {
    this.#drawNews();
    const filters = address().params.getAll("filter");
    const focused = this.element.contains(document.activeElement) ? document.activeElement?.textContent : null;
    fill(this.element,
      h("div", { class: "cost-head" }, h("h1", {}, "Cost by route"), h("div", { role: "status" }, this.#news)),
      h("p", { class: "muted lead" }, `The mean of a request in ${plural(data.priced, "trace")} that say what they consumed, of ${plural(data.traces, "trace")} in all.`,
        ...filters.flatMap((filter) => [" ", h("span", { class: "chip filter" }, h("code", {}, filter),
          button("close", `Remove the filter ${filter}`, () => update({ filter: filters.filter((one) => one !== filter) }), { class: "button only-icon small" }))])),
      data.routes.length
        ? h("div", { class: "block" }, this.#table(data))
        : h("div", { class: "message" }, h("h2", {}, filters.length ? "No trace matches" : "Waiting for the first trace"),
          h("p", {}, "A route appears here when its first trace arrives.")),
      notes(data.prices, data.not_counted));
    if (focused) [...this.element.querySelectorAll("button")].find((one) => one.textContent === focused)?.focus();
  }

  /** @param {RouteCosts} data */
  #table(data) {
    const [chosen, order] = (address().params.get("sort") ?? "cost desc").split(" ");
    const sort = COLUMNS.find((column) => column.id === chosen) ?? COLUMNS[7];
    const direction = order === "asc" ? 1 : -1;
    const rows = data.routes.toSorted((a, b) => direction * compare(sort.value(a), sort.value(b)));
    const most = Math.max(0, ...rows.map((row) => row.mean?.dollars_per_million ?? 0));
    /** @param {(typeof COLUMNS)[number]} column */
    const head = (column) => h("th", {
      role: "columnheader", scope: "col", class: column.id === "route" ? null : "num", "aria-sort": column === sort ? (direction > 0 ? "ascending" : "descending") : null,
    }, h("button", { type: "button", on: { click: () => update({ sort: `${column.id} ${column === sort ? (direction > 0 ? "desc" : "asc") : column.id === "route" ? "asc" : "desc"}` }, { replace: true }) } },
      column.label, column === sort && icon(direction > 0 ? "up" : "down")));
    return h("div", { class: "table-frame", role: "group", "aria-label": "Routes", tabindex: "0" }, h("table", { class: "list", role: "table", "aria-label": "Cost by route" },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...COLUMNS.map(head))),
      h("tbody", { role: "rowgroup" }, ...rows.map((row) => h("tr", { role: "row" },
        h("td", { role: "cell" }, h("a", { href: this.#traces(row) }, row.method && row.route && h("span", { class: "method" }, `${row.method} `), row.route ?? row.name ?? "Unknown request"),
          h("span", { class: "under" }, h("span", { class: `party ${color(row.service ?? "")}` }, h("i", {}), row.service ?? ""))),
        cell(numeric(row.priced === row.traces ? number(row.traces) : `${number(row.priced)} of ${number(row.traces)}`)),
        ...[row.mean?.read_units, row.mean?.write_units, row.mean?.lambda_ms, row.mean?.gb_seconds, row.mean?.invocations].map((value) => cell(amount(value))),
        cell(row.mean ? share(row.mean.dollars_per_million, most) : amount(undefined)),
        cell(row.max_dollars_per_million === null ? amount(undefined) : share(row.max_dollars_per_million, 0)))))));
  }

  /** The address of the traces of a route. @param {RouteCost} row */
  #traces(row) {
    const filter = [row.route ? `http.route=${row.route}` : `name=${row.name ?? ""}`];
    if (row.method) filter.push(`http.request.method=${row.method}`);
    return href([], { filter: [...address().params.getAll("filter"), ...filter], sort: "cost", tz: address().params.get("tz") });
  }
}

/** @param {Node} content */
function cell(content) {
  return h("td", { role: "cell", class: "num" }, content);
}

/** @param {number | undefined} value */
function amount(value) {
  return value === undefined ? h("span", { class: "muted", "aria-label": "unknown" }, "–") : numeric(number(value));
}

/** @param {RouteCost} row */
function nameOf(row) {
  return `${row.route ?? row.name ?? ""} ${row.method ?? ""}`;
}

/** @param {number | string} a @param {number | string} b */
function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

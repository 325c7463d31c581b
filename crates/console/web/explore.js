// View 6: counts, error rates and durations of many traces, and what is different about some of them.

import { address, href, update } from "./address.js";
import { onStream, request } from "./api.js";
import { charts, MOST_LINES, share } from "./charts.js";
import { color } from "./colors.js";
import { announce, button, copy, fill, h, icon } from "./dom.js";
import { setUp } from "./empty.js";
import { Explanation } from "./explanation.js";
import { failure } from "./fetched.js";
import { fieldFilter, filterQuery, FILTER_SYNTAX, FILTERS, parseFilter } from "./filters.js";
import { clock, duration, number, parseDuration, plural, timestamp } from "./format.js";
import { HeatMap, short } from "./heatmap.js";
import { settings } from "./settings.js";
import { statusChip } from "./traces.js";

/** @import { ExplanationData, Group, GroupsData, HeatMapData, Operator, Summary, Traces } from "./types.js" */
/** @import { Changes } from "./address.js" */
/** @import { Key } from "./keys.js" */
/** @import { Region } from "./heatmap.js" */

/** What the bootcamp saved as queries, and what else is often asked. @type {{ label: string, set: Changes }[]} */
const PRESETS = [
  { label: "Latency by user", set: { by: "user", sort: "p95", of: null, list: null } },
  { label: "Latency by route", set: { by: "http.route", sort: "p95", of: null, list: null } },
  { label: "Errors by route", set: { by: "http.route", sort: "error_rate", of: null, list: null } },
  { label: "Cold starts", set: { by: "faas.coldstart", sort: "p95", of: null, list: null } },
  { label: "Spans by name", set: { by: "name", sort: "p95", of: "spans", list: null } },
  { label: "Recent traces", set: { by: null, sort: null, of: null, list: null } },
];

/** @type {{ id: string, label: string, value: (group: Group) => string }[]} */
const MEASURES = [
  { id: "count", label: "Count", value: (group) => number(group.count) },
  { id: "error_rate", label: "Error rate", value: (group) => share(group.count ? group.errors / group.count : 0) },
  { id: "p50", label: "P50", value: (group) => duration(group.p50) },
  { id: "p95", label: "P95", value: (group) => duration(group.p95) },
  { id: "p99", label: "P99", value: (group) => duration(group.p99) },
  { id: "max", label: "Longest", value: (group) => duration(group.max) },
];
const BUILT_IN = ["name", "service", "user", "error", "kind"];
const GROUPS = 20;

export class ExploreView {
  #search = h("input", {
    type: "search", class: "input", id: "search", placeholder: "Search, or filter: app.user=andrew, db.rows>5", autocomplete: "off", spellcheck: "false",
    "aria-label": "Search text, or a filter such as key=value, key>5, key!=value, key=*",
    on: { keydown: (/** @type {KeyboardEvent} */ event) => this.#searchKey(event), change: () => this.#searched() },
  });
  #errors = button("alert", "Errors", () => update({ error: !address().params.has("error") }), { text: true, class: "button" });
  #health = button("ban", "Hide health checks", () => update({ hide: address().params.has("hide") ? null : "health" }), { text: true, class: "button" });
  #unit = h("select", {
    class: "input", id: "unit", "aria-label": "Count", on: { change: () => update({ of: this.#unit.value === "spans" ? "spans" : null, sel: null }) },
  }, h("option", { value: "requests" }, "Requests"), h("option", { value: "spans" }, "All spans"));
  #keys = h("datalist", { id: "explore-keys" });
  #by = h("input", {
    class: "input by", id: "by", list: "explore-keys", placeholder: "any field", autocomplete: "off", spellcheck: "false", "aria-label": "Group by",
    on: {
      change: () => this.#grouped(),
      keydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Enter") this.#grouped();
        if (event.key === "Escape") this.#by.blur();
      },
      focus: () => this.#loadKeys(),
    },
  });
  #presets = h("div", { class: "presets", role: "group", "aria-label": "Presets" });
  #chips = h("div", { class: "chips" });
  #news = button("up", "", () => this.#load(), { text: true, class: "button primary news", hidden: true });
  #map = new HeatMap((region) => this.#select(region));
  #explanation = new Explanation({
    light: (key, operator, value) => this.#light(key, operator, value),
    dark: () => this.#dark(),
    filter: (text) => this.#addFilter(text),
    zoom: () => this.#zoom(),
    clear: () => this.#select(null),
    slowest: () => this.#selectSlowest(),
  });
  #charts = h("div", { class: "chart-slot" });
  #groups = h("div", { class: "groups-slot" });
  #traces = h("div", { class: "traces-slot" });
  #content = h("div", { class: "explore-content" },
    h("div", { class: "explore-top" }, this.#map.element, this.#explanation.element), this.#charts, this.#groups, this.#traces);
  #state = h("div", { class: "state" });
  #scroller = h("div", { class: "scroller", tabindex: "-1" }, this.#presets, this.#content, this.#state);
  element = h("section", { class: "view explore", "aria-label": "Explore" },
    h("h1", { class: "offscreen" }, "Explore"),
    h("div", { class: "bar-tools", role: "search" },
      h("label", { class: "search" }, icon("search"), this.#search), this.#errors, this.#health,
      h("div", { class: "space" }),
      h("label", { class: "labeled" }, h("span", {}, "Count"), this.#unit),
      h("label", { class: "labeled" }, h("span", {}, "by"), this.#by), this.#keys),
    this.#chips, h("div", { class: "news-bar", role: "status" }, this.#news), this.#scroller);

  /** @type {string | null} */
  #query = null;
  #sel = "";
  #zone = settings.zone;
  /** @type {AbortController | null} */
  #loading = null;
  /** Whether to load again after the answer that is on its way. */
  #stale = false;
  /** @type {AbortController | null} */
  #explaining = null;
  /** @type {GroupsData | null} */
  #data = null;
  /** @type {HeatMapData | null} */
  #heat = null;
  /** @type {Traces | null} */
  #list = null;
  /** @type {ExplanationData | null} */
  #explained = null;
  /** Traces that arrived after the charts were drawn. @type {Set<string>} */
  #arrived = new Set();
  /** @type {Map<string, Promise<HeatMapData>>} */
  #lit = new Map();
  /** At which value the reader points. @type {[string, Operator, string | null] | null} */
  #pointed = null;
  #timer = 0;
  #stop;

  constructor() {
    this.#stop = onStream(({ type, data }) => {
      if (type === "trace") this.#received(data);
      if (type === "cleared" || type === "lagged") this.#load();
    });
    fill(this.#state, h("p", { class: "loading", role: "status" }, "Loading …"));
    this.#content.hidden = true;
  }

  /** @type {Key[]} */
  keys = [
    { keys: ["/"], label: "Search", act: () => this.#search.focus() },
    { keys: ["h"], label: "Go to the heat map", act: () => this.#map.focus() },
    { keys: ["s"], label: "Select the slowest 5 %", act: () => this.#selectSlowest() },
    { keys: ["b"], label: "Group by a field", act: () => this.#by.focus() },
    { keys: ["z"], label: "Zoom to the selection", act: () => this.#zoom() },
    { keys: ["."], label: "Show new traces", act: () => this.#load() },
    { keys: ["Escape"], label: "Clear the selection", act: () => (this.#sel ? this.#select(null) : false) },
    { keys: ["y"], label: "Copy the link to this view", act: () => void copy(location.href, "Copied the link") },
  ];

  syntax = FILTER_SYNTAX;

  update() {
    const { path, params } = address();
    if (path[0] !== "explore") return false;
    document.title = "Explore · lambda-console";
    const query = [...params].filter(([name]) => !["tz", "sel"].includes(name)).map((pair) => pair.join("=")).join("&");
    const sel = params.get("sel") ?? "";
    const zoneChanged = this.#zone !== settings.zone;
    this.#zone = settings.zone;
    if (zoneChanged && this.#data) this.#draw();
    if (query !== this.#query) {
      this.#query = query;
      this.#sel = sel;
      this.#drawTools();
      this.#load();
    } else if (sel !== this.#sel) {
      this.#sel = sel;
      this.#map.mark(this.#region());
      this.#explain();
    } else if (zoneChanged) this.#drawTools();
    return true;
  }

  retry() {
    // An answer that is on its way may be older than the stream.
    if (this.#loading) this.#stale = true;
    else this.#load();
  }

  dispose() {
    this.#stop();
    this.#loading?.abort();
    this.#explaining?.abort();
    clearTimeout(this.#timer);
  }

  get #of() {
    return address().params.get("of") === "spans" ? "span" : "request";
  }

  get #field() {
    return address().params.get("by");
  }

  // Tools

  #drawTools() {
    const { params } = address();
    if (document.activeElement !== this.#search) this.#search.value = params.get("q") ?? "";
    this.#errors.setAttribute("aria-pressed", String(params.has("error")));
    this.#health.setAttribute("aria-pressed", String(params.has("hide")));
    this.#unit.value = params.get("of") === "spans" ? "spans" : "requests";
    if (document.activeElement !== this.#by) this.#by.value = params.get("by") ?? "";
    const chip = (/** @type {string} */ text, /** @type {string} */ label, /** @type {() => void} */ remove) =>
      h("span", { class: "chip filter" }, h("code", {}, text), button("close", label, () => {
        remove();
        this.#search.focus();
      }, { class: "button only-icon small" }));
    const chips = params.getAll("filter").map((filter, index) => chip(filter, `Remove the filter ${filter}`, () =>
      update({ filter: address().params.getAll("filter").filter((_, other) => other !== index) })));
    if (params.has("min")) chips.push(chip(`duration ≥ ${edge(params.get("min") ?? "")}`, "Remove the minimum duration", () => update({ min: null })));
    if (params.has("max")) chips.push(chip(`duration ≤ ${edge(params.get("max") ?? "")}`, "Remove the maximum duration", () => update({ max: null })));
    const [from, to] = [nanos(params.get("from") ?? ""), nanos(params.get("to") ?? "")];
    if (from !== null || to !== null) {
      chips.push(chip(`${from === null ? "" : short(from)}–${to === null ? "" : short(to)}`, "Show all times", () => update({ from: null, to: null })));
    }
    fill(this.#chips, ...chips, chips.length > 1 && button(null, "Remove all", () => update({ filter: null, min: null, max: null, from: null, to: null }), { text: true, class: "button ghost small" }));
    fill(this.#presets, ...PRESETS.map(({ label, set }) => {
      const current = Object.entries(set).every(([name, value]) => params.get(name) === value);
      return button(null, label, () => update({ ...set, sel: address().params.get("of") === (set.of ?? null) ? address().params.get("sel") : null }), { text: true, class: "button small preset", "aria-pressed": String(current) });
    }));
  }

  #searched() {
    const text = this.#search.value.trim();
    if (!parseFilter(text)) update({ q: text });
  }

  /** @param {KeyboardEvent} event */
  #searchKey(event) {
    if (event.key === "Escape") this.#search.blur();
    if (event.key !== "Enter") return;
    const text = this.#search.value.trim();
    const filter = parseFilter(text);
    if (filter) {
      this.#search.value = "";
      this.#addFilter(filter);
    } else update({ q: text });
  }

  /** @param {string} filter */
  #addFilter(filter) {
    const filters = address().params.getAll("filter");
    if (!filters.includes(filter)) update({ filter: [...filters, filter], q: parseFilter(address().params.get("q") ?? "") ? null : address().params.get("q") });
  }

  #grouped() {
    const by = this.#by.value.trim();
    if (by !== (this.#field ?? "")) update({ by, sort: address().params.get("sort") });
  }

  async #loadKeys() {
    try {
      const { keys } = await request(`api/explore/keys?${this.#base()}`);
      const names = [...BUILT_IN, ...keys.map((/** @type {{ key: string }} */ one) => one.key).filter((/** @type {string} */ key) => !BUILT_IN.includes(key))];
      fill(this.#keys, ...names.map((name) => h("option", { value: name })));
    } catch {
      // A field can be typed.
    }
  }

  // Data

  /** What all charts share. */
  #base() {
    const { params } = address();
    const query = filterQuery(params);
    query.set("of", params.get("of") === "spans" ? "spans" : "requests");
    for (const name of ["from", "to"]) if (nanos(params.get(name) ?? "") !== null) query.set(name, params.get(name) ?? "");
    return query;
  }

  #sort() {
    const sort = address().params.get("sort") ?? "";
    return MEASURES.some((measure) => measure.id === sort) ? sort : "count";
  }

  async #load() {
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    this.#arrived.clear();
    this.#drawNews();
    this.#content.setAttribute("aria-busy", "true");
    const groups = this.#base();
    groups.set("sort", this.#sort());
    groups.set("limit", String(GROUPS));
    if (this.#field) groups.set("by", this.#field);
    const traces = filterQuery(address().params);
    traces.set("limit", "10");
    if (address().params.get("list") === "slowest") traces.set("sort", "duration");
    try {
      const options = { signal: loading.signal };
      const [data, heat, list] = await Promise.all([
        request(`api/explore/groups?${groups}`, options), request(`api/explore/heat-map?${this.#base()}`, options), request(`api/traces?${traces}`, options),
      ]);
      if (loading.signal.aborted) return;
      this.#loading = null;
      [this.#data, this.#heat, this.#list] = [data, heat, list];
      this.#lit.clear();
      this.#content.removeAttribute("aria-busy");
      this.#draw();
      this.#explain();
      if (this.#pointed) this.#light(...this.#pointed);
    } catch (error) {
      if (loading.signal.aborted) return;
      this.#loading = null;
      this.#content.hidden = true;
      this.#content.removeAttribute("aria-busy");
      fill(this.#state, failure(error, () => this.#load()));
    }
    if (this.#stale) {
      this.#stale = false;
      this.#load();
    }
  }

  #draw() {
    const [data, heat, list] = [this.#data, this.#heat, this.#list];
    if (!data || !heat || !list) return;
    const filtered = [...FILTERS, "from", "to"].some((name) => address().params.has(name));
    this.#content.hidden = data.events === 0;
    if (data.events === 0) {
      fill(this.#state, filtered || list.total > 0
        ? h("div", { class: "message" }, h("h2", {}, `No ${this.#of} matches`), h("p", {}, "A request matches if any of its spans matches every filter."),
            button(null, "Remove all filters", () => update({ ...Object.fromEntries(FILTERS.map((name) => [name, null])), from: null, to: null, sel: null }), { text: true }))
        : setUp());
      return;
    }
    fill(this.#state);
    this.#map.update(heat, this.#of);
    this.#map.mark(this.#region());
    fill(this.#charts, charts(data, this.#field, this.#of));
    this.#drawGroups(data);
    this.#drawTraces(list);
  }

  /** @param {Summary} summary */
  #received(summary) {
    this.#arrived.add(summary.id);
    if (this.#data?.events === 0 && this.#list?.total === 0) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#load(), 300);
    }
    this.#drawNews();
  }

  #drawNews() {
    const count = this.#data?.events ? this.#arrived.size : 0;
    this.#news.hidden = count === 0;
    fill(this.#news, icon("up"), h("span", {}, `${number(count)} new`));
  }

  // The selection

  /** @returns {Region | null} */
  #region() {
    const parts = this.#sel.split("-");
    if (parts.length !== 4) return null;
    const [from, to, low, high] = parts.map(nanos);
    return { from, to, low, high };
  }

  /** @param {Region | null} region */
  #select(region) {
    this.#pointed = null;
    update({ sel: region && [region.from, region.to, region.low, region.high].map((edge) => edge ?? "").join("-") });
  }

  #selectSlowest() {
    const total = this.#data?.total;
    if (!total || !this.#data?.events) return;
    // With equal durations, the slowest are those above the 95th percentile.
    const low = BigInt(total.p95) + (total.p95 === total.max ? 0n : 1n);
    this.#select({ from: null, to: null, low, high: null });
    announce(`Selected durations from ${duration(low)}.`);
  }

  #zoom() {
    const region = this.#region();
    if (!region) return;
    const text = (/** @type {bigint} */ edge) => `${edge} ns`;
    update({
      ...(region.from !== null && { from: String(region.from) }), ...(region.to !== null && { to: String(region.to) }),
      ...(region.low && { min: text(region.low) }), ...(region.high !== null && { max: text(region.high - 1n) }), sel: null,
    });
  }

  async #explain() {
    this.#explaining?.abort();
    const region = this.#region();
    if (!region || !this.#data?.events) {
      this.#explained = null;
      this.#explanation.hint((this.#data?.events ?? 0) > 1);
      return;
    }
    const explaining = (this.#explaining = new AbortController());
    const query = this.#base();
    for (const [name, edge] of Object.entries(region)) if (edge !== null) query.set(`selected_${name}`, String(edge));
    this.#explanation.loading();
    try {
      this.#explained = await request(`api/explore/explanation?${query}`, { signal: explaining.signal });
      if (!explaining.signal.aborted && this.#explained) this.#explanation.update(this.#explained, this.#of);
    } catch (error) {
      if (!explaining.signal.aborted) this.#explanation.failed(error, () => this.#explain());
    }
  }

  /** Shows in which cells a value is. @param {string} key @param {Operator} operator @param {string | null} value */
  async #light(key, operator, value) {
    const query = this.#base();
    query.set("lit", key);
    if (operator === "absent" || value === null) query.set("lit_absent", "true");
    else query.set({ "=": "lit_value", ">": "lit_above", "<": "lit_below" }[operator], value);
    const text = String(query);
    const pointed = (this.#pointed = /** @type {[string, Operator, string | null]} */ ([key, operator, value]));
    let answer = this.#lit.get(text);
    if (!answer) this.#lit.set(text, (answer = request(`api/explore/heat-map?${text}`)));
    try {
      const heat = await answer;
      if (this.#pointed === pointed) this.#map.light(heat);
    } catch {
      this.#lit.delete(text);
    }
  }

  #dark() {
    this.#pointed = null;
    this.#map.light(null);
  }

  // Tables

  /** @param {GroupsData} data */
  #drawGroups(data) {
    const by = this.#field;
    if (by === null) {
      fill(this.#groups);
      return;
    }
    const sort = this.#sort();
    const most = Math.max(...data.groups.map((group) => group.count), 1);
    const slowest = Math.max(...data.groups.map((group) => Number(group.p95)), 1);
    const focused = /** @type {HTMLElement | null} */ (this.#groups.contains(document.activeElement) ? document.activeElement : null)?.dataset.sort;
    fill(this.#groups, h("section", { class: "block" },
      h("div", { class: "block-head" }, h("h2", {}, "By ", h("code", {}, by)),
        h("p", { class: "muted" }, data.groups_total > data.groups.length ? `The first ${data.groups.length} of ${plural(data.groups_total, "value")}` : plural(data.groups_total, "value"))),
      h("div", { class: "table-frame", role: "group", "aria-label": `By ${by}`, tabindex: "0" }, h("table", { class: "list groups", role: "table", "aria-label": "Groups" },
        h("thead", { role: "rowgroup" }, h("tr", { role: "row" },
          h("th", { role: "columnheader", scope: "col" }, by),
          ...MEASURES.map(({ id, label }) => h("th", { role: "columnheader", scope: "col", class: "num", "aria-sort": id === sort ? "descending" : null },
            h("button", { type: "button", "data-sort": id, on: { click: () => update({ sort: id === "count" ? null : id }) } }, label, id === sort && icon("down")))))),
        h("tbody", { role: "rowgroup" }, ...data.groups.map((group, index) => this.#groupRow(by, group, index, most, slowest)))))));
    if (focused) /** @type {HTMLElement | null} */ (this.#groups.querySelector(`[data-sort="${focused}"]`))?.focus();
  }

  /** @param {string} by @param {Group} group @param {number} index @param {number} most @param {number} slowest */
  #groupRow(by, group, index, most, slowest) {
    const filter = by === "error" ? null : fieldFilter(by, group.value === null ? "absent" : "=", group.value);
    const act = by === "error" ? () => update({ error: group.value === "true" }) : filter ? () => this.#addFilter(filter) : null;
    const name = h("span", { class: group.value === null ? "absent" : null }, group.value ?? "absent");
    const light = () => this.#light(by, group.value === null ? "absent" : "=", group.value);
    const gauge = (/** @type {number} */ part) => {
      const bar = h("i", { class: "gauge" });
      bar.style.inlineSize = `${part * 100}%`;
      return bar;
    };
    return h("tr", { role: "row", on: { pointerenter: light, pointerleave: () => this.#dark(), focusin: light, focusout: () => this.#dark() } },
      h("td", { role: "cell", "data-label": by, class: "group-name" },
        h("span", { class: `party ${index < MOST_LINES ? `c${index}` : "unlined"}` }, h("i", {})),
        act ? h("button", { type: "button", class: "as-link", title: "Filter by this value", on: { click: act } }, name) : name),
      ...MEASURES.map(({ id, label, value }) => h("td", { role: "cell", class: "num", "data-label": label },
        h("span", { class: id === "error_rate" && group.errors ? "count-errors" : null }, value(group)),
        id === "count" && gauge(group.count / most), id === "p95" && gauge(Number(group.p95) / slowest))));
  }

  /** @param {Traces} list */
  #drawTraces(list) {
    const { params } = address();
    const slowest = params.get("list") === "slowest";
    const tz = params.get("tz");
    const all = new URLSearchParams([...params].filter(([name]) => FILTERS.includes(name) || name === "tz"));
    if (slowest) all.set("sort", "duration");
    const toggle = (/** @type {string} */ label, /** @type {string | null} */ value) =>
      button(null, label, () => update({ list: value }), { text: true, class: "button small", "aria-pressed": String((value === "slowest") === slowest) });
    fill(this.#traces, h("section", { class: "block" },
      h("div", { class: "block-head" }, h("h2", {}, "Traces"), h("div", { class: "group" }, toggle("Recent", null), toggle("Slowest", "slowest")),
        h("a", { href: href([], all) }, `All ${plural(list.total, "matching trace")}`)),
      list.traces.length > 0 && h("div", { class: "table-frame", role: "group", "aria-label": "Traces", tabindex: "0" }, h("table", { class: "list explore-traces", role: "table", "aria-label": "Traces" },
        h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...["Request", "Status", "Duration", "User", "Received"].map((label, index) => h("th", { role: "columnheader", scope: "col", class: index === 2 ? "num" : null }, label)))),
        h("tbody", { role: "rowgroup" }, ...list.traces.map((summary) => h("tr", { role: "row", "data-id": summary.id },
          h("td", { role: "cell", "data-label": "Request" }, h("span", { class: `party ${color(summary.root?.service ?? "")}` }, h("i", {})), " ",
            h("a", { href: href(["trace", summary.id], { tz }) }, requestName(summary)),
            summary.state !== "complete" && h("span", { class: "chip state-chip" }, { in_progress: "in progress", root_missing: "root not received yet", parents_missing: "parents missing" }[summary.state])),
          h("td", { role: "cell", "data-label": "Status" }, statusChip(summary.status, summary.status_code)),
          h("td", { role: "cell", class: "num", "data-label": "Duration" }, duration(summary.duration)),
          h("td", { role: "cell", "data-label": "User" }, summary.user ?? h("span", { class: "muted" }, "–")),
          h("td", { role: "cell", "data-label": "Received" }, h("time", { title: timestamp(summary.received_at) }, clock(summary.received_at)))))))),
      list.evicted > 0 && h("p", { class: "foot" }, `${plural(list.evicted, "older trace")} evicted to stay within the memory limit. They are in no chart.`)));
  }
}

/** @param {Summary} summary */
export function requestName(summary) {
  const name = summary.route ?? summary.path ?? summary.root?.name ?? "Unknown request";
  return summary.method && !name.startsWith(`${summary.method} `) ? `${summary.method} ${name}` : name;
}

/** @param {string} text @returns {bigint | null} */
function nanos(text) {
  return /^\d{1,20}$/.test(text) ? BigInt(text) : null;
}

/** The text of a duration in the address; exact ones are long. @param {string} text */
function edge(text) {
  const parsed = text.endsWith(" ns") ? parseDuration(text) : null;
  return parsed === null ? text : duration(parsed);
}

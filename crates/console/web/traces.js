// View 1: the list of traces, live.

import { address, go, href, update } from "./address.js";
import { onStream, Refused, request } from "./api.js";
import { color } from "./colors.js";
import { announce, button, fill, h, icon } from "./dom.js";
import { setUp } from "./empty.js";
import { filterQuery, FILTER_SYNTAX, FILTERS, parseFilter } from "./filters.js";
import { clock, day, dollars, duration, isError, number, parseDuration, plural, statusName, timestamp, traceId } from "./format.js";
import { openDialog } from "./keys.js";
import { settings } from "./settings.js";

/** @import { Summary, Traces } from "./types.js" */
/** @import { Key } from "./keys.js" */

const PAGE = 100;
// The list is loaded again when it has grown this far.
const MOST_ROWS = 400;

/** @type {{ sort: string, label: string, class?: string }[]} */
const COLUMNS = [
  { sort: "received", label: "Time" },
  { sort: "name", label: "Request" },
  { sort: "status", label: "Status" },
  { sort: "errors", label: "Errors", class: "num" },
  { sort: "duration", label: "Duration", class: "num" },
  { sort: "user", label: "User" },
  { sort: "cold_start", label: "Cold" },
  { sort: "spans", label: "Spans", class: "num" },
  { sort: "cost", label: "$ per million", class: "num" },
];
// These are more useful from small to large, the others from large to small.
const ASCENDING = ["name", "user"];

export class TracesView {
  element = h("section", { class: "view traces", "aria-label": "Traces" });
  /** @type {(files: File[]) => void} */
  onImport = () => {};

  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** New traces that the list does not show yet. @type {Map<string, Summary>} */
  #pending = new Map();
  /** Traces that arrived while the list was loading; its answer may be older. @type {Map<string, Summary>} */
  #during = new Map();
  #paused = false;
  /** Whether the reader waits for the list that is being read. */
  #asked = false;
  /** @type {string | null} */
  #query = null;
  #zone = settings.zone;
  /** @type {string | null} */
  #next = null;
  #total = 0;
  #evicted = 0;
  /** @type {AbortController | null} */
  #loading = null;
  #timer = 0;
  #typing = 0;

  #search = h("input", {
    type: "search", class: "input", id: "search", placeholder: "Search, or filter: app.user=andrew, db.rows>5", autocomplete: "off", spellcheck: "false",
    "aria-label": "Search text, trace id, or a filter such as key=value, key>5, key!=value, key=*",
    on: { input: () => this.#typed(), keydown: (/** @type {KeyboardEvent} */ event) => this.#searchKey(event) },
  });
  #minimum = h("input", {
    class: "input minimum", id: "minimum", placeholder: "100 ms", autocomplete: "off", "aria-label": "Minimum duration",
    on: { change: () => this.#changedMinimum() },
  });
  #errors = toggle("alert", "Errors", () => update({ error: !address().params.has("error") }));
  #health = toggle("ban", "Hide health checks", () => update({ hide: address().params.has("hide") ? null : "health" }));
  #pause = button("pause", "Pause", () => this.#togglePause(), { text: true, class: "button", "aria-pressed": "false" });
  #news = button(null, "", () => this.#showNews(), { text: true, class: "button primary news", hidden: true });
  #chips = h("div", { class: "chips" });
  #picked = h("div", { class: "picked-bar", role: "status" });
  #head = h("tr", { role: "row" });
  #body = h("tbody", { role: "rowgroup" });
  #table = h("table", { role: "table", class: "list", "aria-label": "Traces" },
    h("thead", { role: "rowgroup" }, this.#head), this.#body);
  #state = h("div", { class: "state" });
  #foot = h("p", { class: "foot" });
  #more = button(null, "Show older traces", () => this.#load({ more: true }), { text: true, class: "button more", hidden: true });
  #scroller = h("div", { class: "scroller" }, this.#table, this.#state, h("div", { class: "after" }, this.#more, this.#foot));

  constructor() {
    const file = h("input", {
      type: "file", class: "offscreen", multiple: true, tabindex: "-1", "aria-hidden": "true",
      on: { change: () => this.onImport([...(file.files ?? [])]) },
    });
    this.element.append(
      h("h1", { class: "offscreen" }, "Traces"),
      h("div", { class: "bar-tools", role: "search" },
        h("label", { class: "search" }, icon("search"), this.#search),
        h("label", { class: "labeled" }, h("span", {}, "At least"), this.#minimum),
        this.#errors, this.#health,
        h("div", { class: "space" }),
        this.#pause,
        button("upload", "Import", () => file.click(), { text: true, title: "Import OTLP JSON or X-Ray documents, or drop a file on the page" }),
        button("trash", "Clear", () => this.#clear(), { text: true }),
        file),
      this.#chips, this.#picked,
      h("div", { class: "news-bar", role: "status" }, this.#news),
      this.#scroller,
    );
    onStream(({ type, data }) => {
      if (type === "trace") this.#receive(data);
      if (type === "cleared") this.#load();
      if (type === "lagged") this.#load({ automatic: true });
      if (type === "deleted") this.#remove(data.id);
      if (type === "evicted") {
        this.#evicted = data.evicted;
        this.#drawFoot();
      }
    });
    this.#body.addEventListener("keydown", (event) => this.#moveFocus(event));
  }

  /** @type {Key[]} */
  keys = [
    { keys: ["/"], label: "Search", act: () => this.#search.focus() },
    { keys: ["ArrowDown", "j"], label: "Next trace", act: () => this.#focusRow(1) },
    { keys: ["ArrowUp", "k"], label: "Previous trace", act: () => this.#focusRow(-1) },
    { keys: ["Enter"], label: "Open the trace", act: () => false },
    { keys: ["p"], label: "Pause or resume", act: () => this.#togglePause() },
    { keys: ["."], label: "Show new traces", act: () => this.#showNews() },
    { keys: ["e"], label: "Only traces with errors", act: () => update({ error: !address().params.has("error") }) },
  ];

  /** @type {[string, string][]} */
  syntax = [
    ...FILTER_SYNTAX,
    ["trace id", "opens the trace, in W3C or X-Ray form"],
  ];

  update() {
    const { path, params } = address();
    if (path.length) return false;
    document.title = "Traces · lambda-console";
    const query = [...params].filter(([name]) => name !== "tz" && name !== "compare").join("&");
    if (this.#zone !== settings.zone) {
      this.#zone = settings.zone;
      this.#rows.forEach((row) => row.draw());
    }
    if (query !== this.#query) {
      this.#query = query;
      this.#drawTools();
      this.#load();
    }
    this.#rows.forEach((row) => row.relink());
    this.#drawPicked(params.get("compare"));
    return true;
  }

  /** Says which trace waits for a second one. @param {string | null} id */
  #drawPicked(id) {
    if ((this.#picked.dataset.id ?? "") === (id ?? "")) return;
    this.#picked.dataset.id = id ?? "";
    const summary = id === null ? undefined : this.#rows.get(id)?.summary;
    fill(this.#picked, id !== null && h("span", {}, icon("compare"), " Compare ", h("code", {}, `${id.slice(0, 8)}…${id.slice(-4)}`), summary ? ` (${duration(summary.duration)})` : "", " with: choose a second trace, or "),
      id !== null && h("a", { href: href(["compare"], { a: id, tz: address().params.get("tz") }) }, "one of the same route"),
      id !== null && button("close", "Do not compare", () => update({ compare: null }, { replace: true }), { class: "button only-icon small" }));
  }

  /** @param {boolean} restarted */
  retry(restarted) {
    // All traces of a console that was restarted are gone.
    this.#load({ automatic: !restarted });
  }

  /** Where the reader left the list. @type {{ top: number, id: string | null }} */
  #left = { top: 0, id: null };

  dispose() {
    this.#left = { top: this.#scroller.scrollTop, id: this.#focusedId() ?? null };
  }

  /** Shows the list again, with what arrived meanwhile. */
  async resume() {
    if (this.#query === null) return;
    this.#scroller.scrollTop = this.#left.top;
    if (document.activeElement === document.body && this.#left.id) this.#rows.get(this.#left.id)?.link.focus({ preventScroll: true });
    await this.#load({ automatic: this.#paused });
  }

  // Tools

  #drawTools() {
    const { params } = address();
    if (document.activeElement !== this.#search) this.#search.value = params.get("q") ?? "";
    this.#minimum.value = params.get("min") ?? "";
    this.#minimum.removeAttribute("aria-invalid");
    this.#errors.setAttribute("aria-pressed", String(params.has("error")));
    this.#health.setAttribute("aria-pressed", String(params.has("hide")));
    const chips = params.getAll("filter").map((filter, index) => {
      const remove = button("close", `Remove the filter ${filter}`, () => {
        update({ filter: address().params.getAll("filter").filter((_, other) => other !== index) });
        this.#search.focus();
      }, { class: "button only-icon small" });
      return h("span", { class: "chip filter" }, h("code", {}, filter), remove);
    });
    if (params.has("max")) {
      chips.push(h("span", { class: "chip filter" }, h("code", {}, `duration ≤ ${params.get("max")}`),
        button("close", "Remove the maximum duration", () => update({ max: null }), { class: "button only-icon small" })));
    }
    fill(this.#chips, ...chips, chips.length > 1 && button(null, "Remove all", () => update({ filter: null, max: null }), { text: true, class: "button ghost small" }));
    const { sort, order } = this.#sorting();
    fill(this.#head, ...COLUMNS.map((column) => {
      const sorted = column.sort === sort;
      return h("th", {
        role: "columnheader", scope: "col", class: column.class, "aria-sort": sorted ? (order === "asc" ? "ascending" : "descending") : null,
      }, h("button", { type: "button", on: { click: () => this.#sortBy(column.sort) } }, column.label,
        sorted && icon(order === "asc" ? "up" : "down")));
    }));
  }

  #sorting() {
    const { params } = address();
    const sort = params.get("sort") ?? "received";
    return { sort, order: params.get("order") ?? (ASCENDING.includes(sort) ? "asc" : "desc") };
  }

  /** @param {string} column */
  #sortBy(column) {
    const { sort, order } = this.#sorting();
    const usual = ASCENDING.includes(column) ? "asc" : "desc";
    const next = sort !== column ? usual : order === "asc" ? "desc" : "asc";
    update({ sort: column === "received" ? null : column, order: next === usual ? null : next });
    [...this.#head.querySelectorAll("button")].find((_, index) => COLUMNS[index].sort === column)?.focus();
  }

  #typed() {
    clearTimeout(this.#typing);
    const text = this.#search.value.trim();
    // Text that becomes a filter is not searched for while it is typed.
    if (parseFilter(text) || traceId(text)) return;
    this.#typing = setTimeout(() => update({ q: text }, { replace: true }), 200);
  }

  /** @param {KeyboardEvent} event */
  #searchKey(event) {
    if (event.key === "Escape") this.#search.blur();
    if (event.key === "ArrowDown") {
      event.preventDefault();
      this.#focusRow(1);
    }
    if (event.key !== "Enter") return;
    clearTimeout(this.#typing);
    const text = this.#search.value.trim();
    const id = traceId(text);
    const filter = parseFilter(text);
    if (id) {
      this.#search.value = "";
      go(href(["trace", id], { tz: address().params.get("tz") }));
    } else if (filter) {
      this.#search.value = "";
      update({ filter: [...address().params.getAll("filter"), filter], q: null });
    } else {
      update({ q: text });
    }
  }

  #changedMinimum() {
    const text = this.#minimum.value.trim();
    if (text && parseDuration(text) === null) {
      this.#minimum.setAttribute("aria-invalid", "true");
      announce("A duration is a number and a unit, such as 250 ms or 1.5 s.");
      return;
    }
    update({ min: text });
  }

  #togglePause() {
    this.#paused = !this.#paused;
    this.#pause.setAttribute("aria-pressed", String(this.#paused));
    fill(this.#pause, icon(this.#paused ? "play" : "pause"), h("span", {}, this.#paused ? "Resume" : "Pause"));
    if (this.#paused) this.#drawNews();
    else this.#load();
  }

  #clear() {
    const count = this.#total;
    openDialog("Delete all traces?", h("p", {}, `The console forgets ${plural(count, "trace")}, pinned ones included.`), {
      confirm: "Delete all",
      act: async () => {
        try {
          await request("api/traces", { method: "DELETE" });
          await this.#load();
        } catch (error) {
          announce(String(error instanceof Error ? error.message : error));
        }
      },
    });
  }

  // Rows

  /** @param {string | null} [cursor] */
  #path(cursor) {
    const { params } = address();
    const { sort, order } = this.#sorting();
    const query = filterQuery(params);
    for (const [name, value] of [["limit", String(PAGE)], ["sort", sort], ["order", order]]) query.set(name, value);
    if (cursor) query.set("before", cursor);
    return `api/traces?${query}`;
  }

  #isFiltered() {
    const { params } = address();
    return FILTERS.some((name) => params.has(name));
  }

  /** Reads the list. After an `automatic` read, no row moves where none may be inserted; new traces are counted. */
  async #load({ more = false, automatic = false } = {}) {
    // An automatic read replaces the one that the reader waits for, if any.
    const asked = (this.#asked ||= !automatic);
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    this.#during.clear();
    if (!this.#rows.size && asked) this.#drawState("loading");
    /** @type {Traces} */
    let answer;
    try {
      answer = await request(this.#path(more ? this.#next : null), { signal: loading.signal });
    } catch (error) {
      if (loading.signal.aborted) return;
      this.#loading = null;
      this.#asked = false;
      if (error instanceof Refused || !this.#rows.size) {
        this.#rows.clear();
        fill(this.#body);
        this.#drawState("error", error instanceof Error ? error.message : String(error));
      }
      return;
    }
    if (loading.signal.aborted) return;
    this.#loading = null;
    this.#asked = false;
    if (!asked && (this.#rows.size ? !this.#mayInsert() : this.#paused)) {
      answer.traces.forEach((summary) => this.#hold(summary));
      this.#during.forEach((summary) => this.#receive(summary));
      this.#drawNews();
      if (!this.#rows.size) this.#drawEmpty();
      return;
    }
    if (!more) this.#pending.clear();
    const shown = more ? [...this.#rows.values()].map((row) => row.summary) : [];
    const focused = this.#focusedId();
    /** @type {Map<string, Row>} */
    const rows = new Map();
    for (const summary of [...shown, ...answer.traces]) {
      const row = this.#rows.get(summary.id) ?? new Row(summary);
      if (row.summary !== summary) {
        row.summary = summary;
        row.draw();
      }
      rows.set(summary.id, row);
    }
    this.#rows = rows;
    this.#next = answer.next;
    this.#total = answer.total;
    this.#evicted = answer.evicted;
    this.#body.replaceChildren(...[...rows.values()].map((row) => row.element));
    if (focused) rows.get(focused)?.link.focus();
    this.#scaleBars();
    this.#drawNews();
    this.#drawFoot();
    if (rows.size) this.#drawState(null);
    else this.#drawEmpty();
    this.#during.forEach((summary) => this.#receive(summary));
  }

  /** @param {Summary} summary */
  #receive(summary) {
    if (!this.element.isConnected && this.#query === null) return;
    if (this.#loading) {
      this.#during.set(summary.id, summary);
      return;
    }
    if (this.#rows.has(summary.id)) {
      this.#hold(summary);
      return;
    }
    if (this.#isFiltered() && !this.#paused) {
      // Only the server knows whether it matches.
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#findNews(), 250);
      return;
    }
    this.#pending.set(summary.id, summary);
    const insert = this.#mayInsert();
    if (insert && this.#rows.size < MOST_ROWS) this.#insert();
    else if (insert) this.#load();
    this.#drawNews();
  }

  /** @param {string} id */
  #remove(id) {
    this.#pending.delete(id);
    this.#during.delete(id);
    const row = this.#rows.get(id);
    if (!row) return;
    row.element.remove();
    this.#rows.delete(id);
    this.#total--;
    this.#drawFoot();
    if (!this.#rows.size) this.#load();
  }

  async #findNews() {
    try {
      /** @type {Traces} */
      const answer = await request(this.#path());
      answer.traces.forEach((summary) => this.#hold(summary));
      if (this.#mayInsert()) this.#insert();
      this.#drawNews();
    } catch {
      // The banner says that the console does not answer.
    }
  }

  /** Updates the trace's row without moving it, or counts the trace as new. @param {Summary} summary */
  #hold(summary) {
    const row = this.#rows.get(summary.id);
    if (!row) {
      this.#pending.set(summary.id, summary);
    } else if (!this.#paused) {
      row.summary = summary;
      row.draw();
      this.#scaleBars();
    }
  }

  /** Rows are only inserted where none moves under the pointer or the focus. */
  #mayInsert() {
    const { sort, order } = this.#sorting();
    return !this.#paused && sort === "received" && order === "desc" && this.#scroller.scrollTop < 4 &&
      !this.#body.matches(":hover") && !this.#body.contains(document.activeElement) && this.#news.hidden;
  }

  #insert() {
    const fresh = [...this.#pending.values()].sort((a, b) => (BigInt(a.received_at) < BigInt(b.received_at) ? 1 : -1));
    this.#pending.clear();
    const rows = fresh.map((summary) => new Row(summary));
    rows.forEach((row) => row.element.classList.add("arrived"));
    this.#rows = new Map([...rows.map((row) => /** @type {const} */ ([row.summary.id, row])), ...this.#rows]);
    this.#body.prepend(...rows.map((row) => row.element));
    this.#total += rows.length;
    this.#scaleBars();
    this.#drawFoot();
    this.#drawState(null);
  }

  async #showNews() {
    if (this.#paused) this.#togglePause();
    else await this.#load();
    this.#scroller.scrollTop = 0;
  }

  #drawNews() {
    const count = this.#pending.size;
    this.#news.hidden = count === 0;
    const text = this.#paused ? `${number(count)} arrived while paused` : `${number(count)} new`;
    fill(this.#news, icon("up"), h("span", {}, text));
  }

  #scaleBars() {
    let longest = 1;
    this.#rows.forEach((row) => (longest = Math.max(longest, Number(row.summary.duration))));
    this.#rows.forEach((row) => row.scale(longest));
  }

  #drawFoot() {
    const evicted = this.#evicted ? `, ${plural(this.#evicted, "older trace")} evicted to stay within the memory limit` : "";
    const shown = this.#rows.size < this.#total ? `the first ${number(this.#rows.size)} of ${plural(this.#total, "trace")}` : plural(this.#total, "trace");
    this.#foot.textContent = this.#rows.size ? `Showing ${shown}${evicted}.` : "";
    this.#more.hidden = !this.#next;
  }

  #drawEmpty() {
    this.#drawState(this.#isFiltered() ? "none" : "empty");
  }

  /** @param {"loading" | "empty" | "none" | "error" | null} state @param {string} [detail] */
  #drawState(state, detail) {
    this.#table.hidden = state !== null;
    this.#state.dataset.state = state ?? "";
    if (state === null) fill(this.#state);
    else if (state === "loading") fill(this.#state, h("p", { class: "loading", role: "status" }, "Loading traces …"));
    else if (state === "empty") fill(this.#state, setUp());
    else if (state === "none") {
      fill(this.#state, h("div", { class: "message" }, h("h2", {}, "No trace matches"), h("p", {}, "A trace matches if any of its spans matches every filter."),
        button(null, "Remove all filters", () => go(href([])), { text: true })));
    } else {
      fill(this.#state, h("div", { class: "message", role: "alert" }, icon("alert"), h("h2", {}, "The traces cannot be shown"), h("p", {}, detail),
        button(null, "Try again", () => this.#load(), { text: true })));
    }
    if (state) fill(this.#foot);
  }

  // Keyboard

  #focusedId() {
    const row = document.activeElement?.closest("tr");
    return row && this.#body.contains(row) ? row.dataset.id : null;
  }

  /** @param {number} step */
  #focusRow(step) {
    const links = [...this.#rows.values()].map((row) => row.link);
    const index = links.findIndex((link) => link === document.activeElement);
    const next = links[index < 0 ? 0 : Math.max(0, Math.min(links.length - 1, index + step))];
    next?.focus();
  }

  /** @param {KeyboardEvent} event */
  #moveFocus(event) {
    const links = [...this.#rows.values()].map((row) => row.link);
    const target = event.key === "Home" ? links[0] : event.key === "End" ? links.at(-1) : null;
    if (!target) return;
    event.preventDefault();
    target.focus();
  }
}

/** @param {import("./dom.js").Icon} name @param {string} label @param {() => void} act */
function toggle(name, label, act) {
  return button(name, label, act, { text: true, class: "button", "aria-pressed": "false" });
}

const STATES = { complete: "", in_progress: "in progress", root_missing: "root not received yet", parents_missing: "parents missing" };

class Row {
  link = h("a", { class: "request" });
  #cells = COLUMNS.map((column) => h("td", { role: "cell", class: `col-${column.sort} ${column.class ?? ""}` }));
  #bar = h("i", { class: "gauge" });
  #compare = button("compare", "Compare", () => pick(this.summary.id), { class: "button only-icon small compare-pick" });
  element = h("tr", { role: "row" }, ...this.#cells);

  /** @param {Summary} summary */
  constructor(summary) {
    this.summary = summary;
    this.element.dataset.id = summary.id;
    this.draw();
  }

  draw() {
    const trace = this.summary;
    const [time, request, status, errors, took, user, cold, spans, cost] = this.#cells;
    fill(time, h("time", { title: `Received ${timestamp(trace.received_at)}\nStarted ${timestamp(trace.start)}` }, clock(trace.received_at)),
      day(trace.received_at) !== day(String(BigInt(Date.now()) * 1_000_000n)) && h("small", {}, ` ${day(trace.received_at)}`));
    const name = trace.route ?? trace.path ?? trace.root?.name ?? "Unknown request";
    const method = trace.method;
    fill(this.link, method && h("span", { class: "method" }, `${method} `),
      h("span", { class: "route" }, method && name.startsWith(`${method} `) ? name.slice(method.length + 1) : name));
    this.relink();
    const service = trace.root?.service ?? trace.services[0] ?? "";
    const state = STATES[trace.state];
    fill(request, this.link,
      h("span", { class: "under" },
        h("span", { class: `party ${color(service)}` }, h("i", {}), service),
        trace.services.length > 1 && h("span", { class: "muted" }, ` +${trace.services.length - 1}`),
        state && h("span", { class: "chip state-chip" }, state),
        trace.pinned && h("span", { class: "chip" }, icon("pin"), "pinned"),
        this.#compare));
    fill(status, statusChip(trace.status, trace.status_code));
    fill(errors, trace.error_spans ? h("span", { class: "count-errors", title: plural(trace.error_spans, "span with an error", "spans with an error") }, number(trace.error_spans)) : h("span", { class: "muted", "aria-label": "0" }, "–"));
    fill(took, h("span", {}, duration(trace.duration)), this.#bar);
    fill(user, trace.user ?? "");
    fill(cold, trace.cold_start ? h("span", { class: "chip cold" }, icon("cold"), "cold") : "");
    fill(spans, number(trace.spans));
    fill(cost, trace.cost ? h("span", { title: costText(trace.cost) }, dollars(trace.cost.dollars_per_million)) : "");
  }

  /** @param {number} longest */
  scale(longest) {
    // The root keeps short ones visible beside a long one.
    this.#bar.style.inlineSize = `${100 * Math.sqrt(Math.max(0, Number(this.summary.duration)) / longest)}%`;
  }

  relink() {
    const { params } = address();
    this.link.href = href(["trace", this.summary.id], { tz: params.get("tz") });
    const first = params.get("compare");
    const label = first === this.summary.id ? "Do not compare this trace" : first ? "Compare with this trace" : "Compare this trace with another one";
    this.#compare.title = label;
    this.#compare.setAttribute("aria-label", label);
    this.#compare.setAttribute("aria-pressed", String(first === this.summary.id));
  }
}

/** Chooses a trace to compare: the first one waits in the address for the second one. @param {string} id */
function pick(id) {
  const { params } = address();
  const first = params.get("compare");
  if (!first || first === id) update({ compare: first ? null : id }, { replace: true });
  else go(href(["compare"], { a: first, b: id, tz: params.get("tz") }));
}

/** @param {import("./types.js").Cost} cost */
export function costText(cost) {
  return `${number(cost.read_units)} read units, ${number(cost.write_units)} write units, ${number(cost.gb_seconds)} GB-seconds: ${dollars(cost.dollars_per_million)} per million requests`;
}

/** A status by symbol and text. @param {string} status @param {number | null} [code] */
export function statusChip(status, code) {
  const text = code === null || code === undefined ? statusName(status) : String(code);
  return h("span", { class: `status ${status}` }, isError(status) ? icon("alert") : icon("check"), h("span", {}, text),
    isError(status) && code !== null && code !== undefined && h("span", { class: "offscreen" }, ` ${statusName(status)}`));
}

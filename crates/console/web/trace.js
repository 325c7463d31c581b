// View 2: one trace. Its tabs are the waterfall and other forms of the same spans.

import { address, go, href, update } from "./address.js";
import { onStream, Refused, request, url } from "./api.js";
import { color } from "./colors.js";
import { Cost } from "./cost.js";
import { details } from "./details.js";
import { announce, button, copy, copyButton, fill, h, icon } from "./dom.js";
import { Flame } from "./flame.js";
import { dollars, duration, number, plural, timestamp, traceId } from "./format.js";
import { Honeycomb } from "./honeycomb.js";
import { openDialog } from "./keys.js";
import { Trace } from "./model.js";
import { Moments } from "./moments.js";
import { Names } from "./names.js";
import { settings } from "./settings.js";
import { Sides } from "./sides.js";
import { costText, statusChip } from "./traces.js";
import { markName, Waterfall } from "./waterfall.js";
import { Xray } from "./xray.js";

/** @import { Key } from "./keys.js" */
/** @import { Interval } from "./scale.js" */
/** @import { Summary, TraceData } from "./types.js" */

/**
 * What the address says about the trace. `span` is the key of a row; `root` is an index.
 * @typedef {{
 *   tab: string, span: string | null, zoom: Interval | null, open: Set<string>, shut: Set<string>, find: string, only: boolean,
 *   root: number | null, idle: boolean, critical: boolean, fold: boolean, sort: string, zone: string, raw: boolean, event: string | null,
 * }} State
 */

/** @typedef {{ element: HTMLElement, keys: Key[], update: (state: State) => void, dispose: () => void }} Tab */

/** @type {{ id: string, label: string, make: (trace: Trace) => Tab }[]} */
const TABS = [
  { id: "waterfall", label: "Waterfall", make: (trace) => new Waterfall(trace) },
  { id: "flame", label: "Flame graph", make: (trace) => new Flame(trace) },
  { id: "names", label: "By name", make: (trace) => new Names(trace) },
  { id: "events", label: "Events and log", make: (trace) => new Moments(trace) },
  { id: "xray", label: "X-Ray", make: (trace) => new Xray(trace) },
  { id: "honeycomb", label: "Honeycomb", make: (trace) => new Honeycomb(trace) },
  { id: "sides", label: "Side by side", make: (trace) => new Sides(trace) },
  { id: "cost", label: "Cost", make: (trace) => new Cost(trace) },
];

/** Texts for a trace that the console does not have, by the problem's code. */
const MISSING = /** @type {Record<string, [string, string]>} */ ({
  evicted: ["This trace was evicted", "Newer traces took its place within the memory limit. Pin a trace to keep it."],
  never_received: ["This trace was never received", "No span with this trace id has arrived. A trace appears here as soon as one does."],
  before_start: ["This trace is older than the console", "Its id dates from before the console was started. Traces are only kept in memory."],
});

export class TraceView {
  element = h("section", { class: "view trace" });
  #head = h("div", { class: "trace-head" });
  #tabs = h("div", { class: "tabs", role: "tablist", "aria-label": "Views of the trace" });
  #panel = h("div", { class: "panel", role: "tabpanel", id: "panel" });
  #side = h("div", { class: "side" });
  #body = h("div", { class: "trace-body" }, this.#panel, this.#side);
  /** @type {Trace | null} */
  #trace = null;
  /** @type {Tab | null} */
  #tab = null;
  #tabId = "";
  #zone = settings.zone;
  /** @type {string | null} */
  #detailed = null;
  /** @type {AbortController | null} */
  #loading = null;
  /** A newer state of the trace than the one that is shown. @type {Summary | null} */
  #newer = null;
  /** Whether the console has forgotten the trace that is shown. */
  #gone = false;
  #stop;

  /** @param {string} text the trace id in the address */
  constructor(text) {
    this.text = text;
    this.id = traceId(text) ?? text;
    this.element.append(this.#head, h("div", { class: "message" }));
    this.#stop = onStream(({ type, data }) => {
      if (type === "trace" && data.id === this.id) this.#received(data);
      if (type === "cleared" || (type === "deleted" && data.id === this.id)) this.retry();
    });
    this.#load();
  }

  /** @type {Key[]} */
  get keys() {
    return [
      ...(this.#tab?.keys ?? []),
      { keys: ["Escape"], label: "Close the details, or go back to all traces", act: () => this.#escape() },
      { keys: ["1", "2", "3", "4", "5", "6", "7", "8"], label: "Tabs", act: (event) => this.#show(TABS[Number(event.key) - 1].id) },
      { keys: ["y"], label: "Copy the link to this view", act: () => void copy(location.href, "Copied the link") },
    ];
  }

  update() {
    const { path, params } = address();
    if (path[0] !== "trace" || path[1] !== this.text) return false;
    if (!this.#trace) return true;
    const adjusted = params.get("clocks") === "adjusted";
    if (this.#trace.adjusted !== adjusted) {
      this.#trace = new Trace(this.#trace.data, adjusted);
      this.#tabId = "";
    }
    const trace = this.#trace;
    const state = this.#state(params, trace);
    document.title = `${titleOf(trace.data.summary)} · lambda-console`;
    const zoneChanged = this.#zone !== settings.zone;
    if (zoneChanged) {
      this.#zone = settings.zone;
      this.#drawHead();
    }
    if (state.tab !== this.#tabId || zoneChanged) {
      this.#tabId = state.tab;
      this.#tab?.dispose();
      const chosen = TABS.find((tab) => tab.id === state.tab) ?? TABS[0];
      this.#tab = chosen.make(trace);
      this.#panel.dataset.tab = chosen.id;
      fill(this.#panel, this.#tab.element);
      this.#panel.setAttribute("aria-labelledby", `tab-${chosen.id}`);
      this.#drawTabs(chosen.id);
    }
    this.#tab?.update(state);
    // A tab may have changed the address again.
    if (address().params.toString() !== params.toString()) return true;
    this.#drawDetails(state, trace, zoneChanged);
    return true;
  }

  /** Looks whether the trace has changed or is gone. What the reader sees stays. */
  async retry() {
    if (!this.#trace) {
      if (!this.#loading) this.#load();
      return;
    }
    try {
      const { traces } = await request(`api/traces?limit=1&q=${this.id}`);
      const summary = traces.find((/** @type {Summary} */ one) => one.id === this.id);
      this.#gone = !summary;
      if (summary) this.#received(summary);
      this.#drawHead();
    } catch {
      // The banner says that the console does not answer.
    }
  }

  dispose() {
    this.#stop();
    this.#loading?.abort();
    this.#tab?.dispose();
  }

  /** @param {URLSearchParams} params @param {Trace} trace @returns {State} */
  #state(params, trace) {
    const list = (/** @type {string} */ name) => new Set((params.get(name) ?? "").split(",").filter(Boolean));
    const zoom = /^(\d+)-(\d+)$/.exec(params.get("zoom") ?? "");
    const root = params.get("root");
    const tab = params.get("tab") ?? "waterfall";
    return {
      tab: TABS.some((one) => one.id === tab) ? tab : "waterfall",
      span: params.get("span"),
      zoom: zoom && Number(zoom[1]) < Number(zoom[2]) ? { start: Number(zoom[1]), end: Math.min(trace.duration, Number(zoom[2])) } : null,
      open: list("open"), shut: list("shut"),
      find: params.get("find") ?? "", only: params.has("only"),
      root: root === null ? null : trace.byId.get(root) ?? null,
      idle: params.get("idle") !== "full", critical: params.get("critical") !== "off", fold: params.get("fold") !== "off",
      sort: params.get("sort") ?? "critical desc", zone: settings.zone, raw: params.has("raw"), event: params.get("event"),
    };
  }

  async #load() {
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    if (!this.#trace) this.#message("loading");
    try {
      /** @type {TraceData} */
      const data = await request(`api/traces/${encodeURIComponent(this.text)}`, { signal: loading.signal });
      if (loading.signal.aborted) return;
      this.#loading = null;
      this.#gone = false;
      this.#trace = new Trace(data, address().params.get("clocks") === "adjusted");
      this.id = data.summary.id;
      this.#newer = null;
      this.#tabId = "";
      this.#detailed = null;
      this.#drawHead();
      fill(this.element, this.#head, this.#tabs, this.#body);
      this.update();
    } catch (error) {
      if (loading.signal.aborted) return;
      this.#loading = null;
      // A trace that is shown stays, while the banner says that the console does not answer.
      if (this.#trace && !(error instanceof Refused)) return;
      this.#trace = null;
      this.#message("error", error);
    }
  }

  /** @param {"loading" | "error"} kind @param {unknown} [error] */
  #message(kind, error) {
    document.title = "Trace · lambda-console";
    const back = h("a", { class: "button", href: href([], { tz: address().params.get("tz") }) }, icon("back"), h("span", {}, "All traces"));
    if (kind === "loading") {
      fill(this.element, h("p", { class: "loading", role: "status" }, "Loading the trace …"));
      return;
    }
    const code = error instanceof Refused ? error.problem.code ?? "" : "";
    const [title, text] = MISSING[code] ?? ["The trace cannot be shown", error instanceof Error ? error.message : String(error)];
    const detail = MISSING[code] && error instanceof Error ? error.message : null;
    fill(this.element, h("div", { class: "message", role: "alert", "data-code": code }, icon("alert"), h("h1", {}, title), h("p", {}, text),
      detail !== null && detail !== text && h("p", { class: "muted" }, detail), h("p", {}, h("code", {}, this.text)),
      h("div", { class: "group" }, button(null, "Try again", () => this.#load(), { text: true }), back)));
  }

  /** @param {Summary} summary */
  #received(summary) {
    const trace = this.#trace;
    if (!trace) {
      this.#load();
      return;
    }
    if (!differs(trace.data.summary, summary)) return;
    // No row moves under the pointer or the focus: more spans are shown on request.
    this.#newer = summary;
    this.#drawHead();
  }

  #drawHead() {
    const trace = this.#trace;
    if (!trace) return;
    const { summary, marks } = trace.data;
    const more = this.#newer ? this.#newer.spans - summary.spans : 0;
    const state = { complete: null, in_progress: "In progress", root_missing: "Root not received yet", parents_missing: "Parents missing" }[summary.state];
    const links = trace.spans.flatMap((span) => span.links.filter((link) => link.known && link.direction === "in"));
    const tz = address().params.get("tz");
    fill(this.#head,
      h("div", { class: "trace-title" },
        h("a", { class: "button ghost only-icon", href: href([], { tz }), "aria-label": "All traces", title: "All traces" }, icon("back")),
        h("h1", {}, ...titleParts(summary)),
        statusChip(summary.status, summary.status_code),
        state && h("span", { class: "chip state-chip", "data-state": summary.state }, state),
        this.#gone && h("span", { class: "chip state-chip", "data-state": "gone" }, "No longer kept"),
      this.#newer && button("up", more > 0 ? `${number(more)} more spans` : "Updated", () => this.#load(), { text: true, class: "button primary news" }),
        h("div", { class: "space" }),
        h("div", { class: "group actions" },
          button("pin", summary.pinned ? "Pinned" : "Pin", () => this.#pin(), { text: true, "aria-pressed": String(summary.pinned), title: "A pinned trace is not evicted" }),
          h("a", { class: "button", href: href(["compare"], { a: summary.id, tz }), title: "Compare with another trace" }, icon("compare"), h("span", {}, "Compare")),
          button("link", "Link", () => copy(location.href, "Copied the link"), { text: true, title: "Copy the link to this view (Y)" }),
          h("a", { class: "button", href: url(`api/traces/${summary.id}/otlp`), download: `${summary.id}.json`, title: "Download as OTLP JSON" }, icon("download"), h("span", {}, "OTLP")),
          summary.xray_spans > 0 && h("a", { class: "button", href: url(`api/traces/${summary.id}/documents`), download: `${summary.xray_id}.json`, title: "Download the X-Ray documents" }, icon("download"), h("span", {}, "X-Ray")),
          button("trash", "Delete", () => this.#delete()))),
      h("dl", { class: "trace-facts" },
        fact("Duration", h("strong", {}, duration(summary.duration))),
        fact("Started", timestamp(summary.start).replace(/(\.\d{3})\d{6}/, "$1")),
        fact("Spans", `${number(summary.spans)}${summary.otlp_spans !== summary.xray_spans ? ` (${number(summary.otlp_spans)} OTLP, ${number(summary.xray_spans)} X-Ray)` : ""}`),
        summary.error_spans > 0 && fact("Errors", h("span", { class: "count-errors" }, number(summary.error_spans))),
        fact(summary.services.length > 1 ? "Services" : "Service", ...summary.services.flatMap((service, index) => [index > 0 && " ", h("span", { class: `party ${color(service)}` }, h("i", {}), service)])),
        summary.user !== null && fact("User", h("span", { class: "clipped", title: summary.user }, summary.user)),
        summary.cold_start && fact("Start", h("span", { class: "chip cold" }, icon("cold"), "cold")),
        summary.cost && fact("Cost per million", h("a", { href: href(["trace", this.text], { tz, tab: "cost" }), title: costText(summary.cost) }, dollars(summary.cost.dollars_per_million))),
        fact("Trace", h("span", { class: "copied" }, h("code", { title: summary.xray_id }, `${summary.id.slice(0, 8)}…${summary.id.slice(-4)}`),
          copyButton(summary.id, "Copy the trace id", "Copied the trace id"), copyButton(summary.xray_id, "Copy the X-Ray trace id", "Copied the X-Ray trace id"))),
        links.length > 0 && fact("Caused", h("a", { href: href(["trace", links[0].trace], { tz }) }, plural(links.length, "trace")))),
      marks.length > 0 && h("ul", { class: "plain marks", "aria-label": "Marks" }, ...marks.map((mark) => h("li", {},
        button("alert", `${markName(mark.code)}${mark.spans.length > 1 ? ` × ${mark.spans.length}` : ""}`, () => mark.spans.length && update({ tab: null, span: trace.spans[mark.spans[0]].id }), {
          text: true, class: "chip mark-chip", "data-mark": mark.code, title: "Show the first of these spans",
        })))));
  }

  /** @param {string} chosen */
  #drawTabs(chosen) {
    const focused = this.#tabs.contains(document.activeElement);
    const { path, params } = address();
    fill(this.#tabs, ...TABS.map(({ id, label }, index) => {
      const next = new URLSearchParams(params);
      if (id === "waterfall") next.delete("tab");
      else next.set("tab", id);
      return h("a", {
        role: "tab", class: "tab", id: `tab-${id}`, href: href(path, next), "aria-selected": String(id === chosen), "aria-controls": "panel", tabindex: id === chosen ? "0" : "-1",
        on: {
          click: (/** @type {MouseEvent} */ event) => {
            if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
            event.preventDefault();
            this.#show(id);
          },
          keydown: (/** @type {KeyboardEvent} */ event) => {
            const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
            if (!step) return;
            event.preventDefault();
            this.#show(TABS[(index + step + TABS.length) % TABS.length].id);
          },
        },
      }, label);
    }));
    const selected = /** @type {HTMLElement | null} */ (this.#tabs.querySelector("[aria-selected=true]"));
    if (focused) selected?.focus();
    if (selected && this.#tabs.scrollWidth > this.#tabs.clientWidth) selected.scrollIntoView({ block: "nearest", inline: "center" });
  }

  /** @param {string} id */
  #show(id) {
    update({ tab: id === "waterfall" ? null : id });
  }

  /** @param {State} state @param {Trace} trace @param {boolean} force */
  #drawDetails(state, trace, force) {
    const key = state.tab === "waterfall" ? state.span : null;
    this.element.classList.toggle("with-details", key !== null);
    if (key === this.#detailed && !force) return;
    const focused = this.#side.contains(document.activeElement);
    this.#detailed = key;
    fill(this.#side, key !== null && details(trace, key, () => this.#closeDetails()));
    if (focused) /** @type {HTMLElement | null} */ (this.#side.firstElementChild)?.focus();
  }

  #closeDetails() {
    update({ span: null });
    if (this.#tab instanceof Waterfall) this.#tab.focus();
  }

  #escape() {
    if (this.#detailed !== null) this.#closeDetails();
    else go(href([], { tz: address().params.get("tz") }));
  }

  async #pin() {
    const summary = this.#trace?.data.summary;
    if (!summary) return;
    try {
      await request(`api/traces/${summary.id}/pin`, { method: summary.pinned ? "DELETE" : "PUT" });
      summary.pinned = !summary.pinned;
      announce(summary.pinned ? "Pinned: this trace is not evicted." : "No longer pinned.");
      this.#drawHead();
    } catch (error) {
      announce(error instanceof Error ? error.message : String(error));
    }
  }

  #delete() {
    openDialog("Delete this trace?", h("p", {}, "The console forgets its spans and documents."), {
      confirm: "Delete",
      act: async () => {
        try {
          await request(`api/traces/${this.id}`, { method: "DELETE" });
          go(href([], { tz: address().params.get("tz") }));
        } catch (error) {
          announce(error instanceof Error ? error.message : String(error));
        }
      },
    });
  }
}

/** @param {Summary} a @param {Summary} b */
function differs(a, b) {
  return a.received_at !== b.received_at || a.spans !== b.spans || a.state !== b.state || a.xray_spans !== b.xray_spans || a.otlp_spans !== b.otlp_spans || a.logs !== b.logs;
}

/** @param {Summary} summary */
function titleOf(summary) {
  const name = summary.route ?? summary.path ?? summary.root?.name ?? "Unknown request";
  return summary.method && !name.startsWith(`${summary.method} `) ? `${summary.method} ${name}` : name;
}

/** @param {Summary} summary */
function titleParts(summary) {
  const title = titleOf(summary);
  if (!summary.method || !title.startsWith(`${summary.method} `)) return [title];
  return [h("span", { class: "method" }, summary.method), ` ${title.slice(summary.method.length + 1)}`];
}

/** @param {string} name @param {...(import("./dom.js").Child)} value */
function fact(name, ...value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
}


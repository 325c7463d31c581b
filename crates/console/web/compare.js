// View 7: two traces, aligned by the path of their spans. The parts sum to the difference of the durations.

import { address, go, href, update } from "./address.js";
import { onStream, Refused, request } from "./api.js";
import { color } from "./colors.js";
import { announce, button, copy, fill, h, icon } from "./dom.js";
import { requestName } from "./explore.js";
import { clock, duration, number, plural, timestamp, traceId } from "./format.js";
import { settings } from "./settings.js";
import { statusChip } from "./traces.js";

/** @import { ComparedPart, ComparedRow, ComparisonData, Summary, Traces } from "./types.js" */
/** @import { Key } from "./keys.js" */

/** @typedef {"a" | "b"} Which */

// More rows are shown on request. Their sum stands in one row.
const MOST_ROWS = 200;
const MISSING = /** @type {Record<string, string>} */ ({
  evicted: "One of these traces was evicted. Pin a trace to keep it.",
  never_received: "One of these traces was never received.",
  before_start: "One of these traces is older than the console. Traces are only kept in memory.",
});

export class CompareView {
  #pickers = h("div", { class: "pickers" });
  #result = h("div", { class: "compare-result" });
  element = h("section", { class: "view compare", "aria-label": "Compare" },
    h("div", { class: "scroller", tabindex: "-1" }, h("h1", { class: "offscreen" }, "Compare two traces"), this.#pickers, this.#result));
  /** @type {Record<Which, string>} */
  #ids = { a: "", b: "" };
  /** @type {Record<Which, Summary | null>} */
  #chosen = { a: null, b: null };
  /** @type {ComparisonData | null} */
  #data = null;
  #all = false;
  #order = "";
  #drawn = false;
  #zone = settings.zone;
  /** @type {AbortController | null} */
  #loading = null;
  #stop;

  constructor() {
    this.#stop = onStream(({ type, data }) => {
      if (type === "cleared" || (type === "deleted" && Object.values(this.#ids).includes(data.id))) this.#load();
      // A list of candidates may lack a trace that arrives later; a comparison is not changed under the reader.
      if (type === "trace" && !this.#data && Object.values(this.#ids).includes(data.id)) this.#load();
    });
  }

  /** @type {Key[]} */
  keys = [
    { keys: ["x"], label: "Swap the traces", act: () => this.#swap() },
    { keys: ["t"], label: "Order as a tree, or by difference", act: () => this.#toggleOrder() },
    { keys: ["y"], label: "Copy the link to this view", act: () => void copy(location.href, "Copied the link") },
    { keys: ["Escape"], label: "Go back to all traces", act: () => go(href([], { tz: address().params.get("tz") })) },
  ];

  update() {
    const { path, params } = address();
    if (path[0] !== "compare") return false;
    document.title = "Compare · lambda-console";
    const ids = { a: params.get("a") ?? "", b: params.get("b") ?? "" };
    const order = params.get("order") ?? "";
    const same = ids.a === this.#ids.a && ids.b === this.#ids.b;
    const zoneChanged = this.#zone !== settings.zone;
    this.#zone = settings.zone;
    if (!same || !this.#drawn) {
      this.#ids = ids;
      this.#order = order;
      this.#all = false;
      this.#load();
    } else if (order !== this.#order || zoneChanged) {
      this.#order = order;
      this.#drawPickers();
      if (this.#data) this.#draw(this.#data);
    }
    return true;
  }

  retry() {
    if (!this.#data && !this.#loading) this.#load();
  }

  dispose() {
    this.#stop();
    this.#loading?.abort();
  }

  #swap() {
    update({ a: this.#ids.b, b: this.#ids.a }, { replace: true });
  }

  #toggleOrder() {
    update({ order: this.#order === "tree" ? null : "tree" }, { replace: true });
  }

  async #load() {
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    const { a, b } = this.#ids;
    this.#drawn = true;
    this.#data = null;
    this.#chosen = { a: null, b: null };
    this.#drawPickers();
    fill(this.#result, h("p", { class: "loading", role: "status" }, "Loading …"));
    try {
      if (a && b) {
        /** @type {ComparisonData} */
        const data = await request(`api/comparison?${new URLSearchParams({ a, b })}`, { signal: loading.signal });
        if (loading.signal.aborted) return;
        this.#loading = null;
        this.#data = data;
        this.#chosen = { a: data.a.summary, b: data.b.summary };
        this.#drawPickers();
        this.#draw(data);
      } else {
        await this.#offer(loading.signal);
        if (!loading.signal.aborted) this.#loading = null;
      }
    } catch (error) {
      if (loading.signal.aborted) return;
      this.#loading = null;
      const code = error instanceof Refused ? error.problem.code ?? "" : "";
      fill(this.#result, h("div", { class: "message", role: "alert", "data-code": code }, icon("alert"), h("h2", {}, "These traces cannot be compared"),
        h("p", {}, MISSING[code] ?? (error instanceof Error ? error.message : String(error))), MISSING[code] && error instanceof Error && h("p", { class: "muted" }, error.message),
        h("div", { class: "group" }, button(null, "Try again", () => this.#load(), { text: true }), button(null, "Choose others", () => update({ a: null, b: null }), { text: true }))));
    }
  }

  /** Lists traces to choose. @param {AbortSignal} signal */
  async #offer(signal) {
    const { a, b } = this.#ids;
    const other = a || b;
    let first = null;
    if (other) {
      /** @type {{ summary: Summary }} */
      const found = await request(`api/traces/${encodeURIComponent(other)}`, { signal });
      first = found.summary;
      this.#chosen[a ? "a" : "b"] = first;
    }
    const query = new URLSearchParams({ limit: "100" });
    if (first) query.append("filter", first.route ? `http.route=${first.route}` : `name=${first.root?.name ?? ""}`);
    /** @type {Traces} */
    let list = await request(`api/traces?${query}`, { signal });
    const alike = first !== null && list.total > 1;
    if (first && !alike) list = await request("api/traces?limit=100", { signal });
    if (signal.aborted) return;
    this.#drawPickers();
    const candidates = list.traces.filter((summary) => summary.id !== first?.id);
    const which = /** @type {Which} */ (a ? "b" : "a");
    fill(this.#result, h("section", { class: "block" },
      h("div", { class: "block-head" }, h("h2", {}, first ? `Compare with which ${alike ? "trace of this route" : "trace"}?` : "Choose the first trace")),
      candidates.length
        ? h("ul", { class: "plain candidates", "aria-label": "Traces to choose" }, ...candidates.map((summary) => h("li", {},
            h("button", { type: "button", class: "candidate", "data-id": summary.id, on: { click: () => update({ [which]: summary.id }) } },
              h("span", { class: `party ${color(summary.root?.service ?? "")}` }, h("i", {})), h("span", { class: "candidate-name" }, requestName(summary)), statusChip(summary.status, summary.status_code),
              summary.cold_start && h("span", { class: "chip cold" }, icon("cold"), "cold"), summary.user !== null && h("span", { class: "muted clipped" }, summary.user),
              h("time", { class: "muted" }, clock(summary.received_at)), h("strong", { class: "num" }, duration(summary.duration))))))
        : h("div", { class: "message" }, h("h2", {}, first ? "There is no other trace" : "There is no trace yet"), h("p", {}, "Traces appear here as they arrive."),
            button(null, "Look again", () => this.#load(), { text: true }))));
  }

  #drawPickers() {
    fill(this.#pickers, this.#picker("a"),
      button("compare", "Swap the traces (X)", () => this.#swap(), { class: "button only-icon swap", disabled: !(this.#ids.a && this.#ids.b) }), this.#picker("b"));
  }

  /** @param {Which} which */
  #picker(which) {
    const summary = this.#chosen[which];
    const id = this.#ids[which];
    const name = which.toUpperCase();
    const tz = address().params.get("tz");
    if (id) {
      const title = summary ? requestName(summary) : id;
      return h("div", { class: `picker side-${which}` }, h("span", { class: "letter", "aria-hidden": "true" }, name),
        h("div", { class: "picked" },
          h("a", { href: href(["trace", id], { tz }), "aria-label": `Trace ${name}: ${title}` }, title),
          summary && h("span", { class: "under" }, statusChip(summary.status, summary.status_code), h("time", { title: timestamp(summary.start) }, clock(summary.start)), summary.user !== null && h("span", { class: "clipped", title: summary.user }, summary.user),
            summary.state !== "complete" && h("span", { class: "chip state-chip" }, "not all spans received"), h("code", {}, `${summary.id.slice(0, 8)}…${summary.id.slice(-4)}`))),
        summary && h("strong", { class: "num" }, duration(summary.duration)),
        button("close", `Choose another trace ${name}`, () => update({ [which]: null }), { class: "button only-icon small" }));
    }
    const input = h("input", {
      class: "input", id: `pick-${which}`, placeholder: "Trace id, in W3C or X-Ray form", autocomplete: "off", spellcheck: "false", "aria-label": `Id of trace ${name}`,
      on: {
        change: () => {
          const found = traceId(input.value);
          if (found) update({ [which]: found });
          else if (input.value.trim()) announce("A trace id has 32 hexadecimal digits, or X-Ray's form of them.");
        },
      },
    });
    return h("div", { class: `picker side-${which} open` }, h("span", { class: "letter", "aria-hidden": "true" }, name), input);
  }

  /** @param {ComparisonData} data */
  #draw(data) {
    const tree = this.#order === "tree";
    const difference = BigInt(data.difference);
    const changed = data.rows.filter((row) => row.critical_difference !== "0" || row.count_difference !== 0 || row.self_difference !== "0");
    const ordered = tree ? data.rows : changed.toSorted((one, other) => compare(size(other), size(one)));
    const shown = this.#all ? ordered : ordered.slice(0, MOST_ROWS);
    const rest = ordered.slice(shown.length);
    const most = Math.max(1, ...data.rows.map((row) => Math.abs(Number(row.critical_difference))));
    const span = Math.max(1, Number(data.a.duration), Number(data.b.duration));
    const same = data.rows.length - changed.length;
    const partial = (/** @type {Which} */ which) => data[which].duration !== data[which].summary.duration;
    const restSum = rest.reduce((sum, row) => sum + BigInt(row.critical_difference), 0n);
    fill(this.#result,
      h("section", { class: "compare-sum", "aria-label": "Difference" },
        h("h2", {}, difference === 0n ? "Both took the same time" : h("span", {}, "B took ", h("strong", { class: difference > 0n ? "slower" : "faster" }, duration(difference < 0n ? -difference : difference)), difference > 0n ? " longer" : " less")),
        h("p", { class: "muted" }, `${duration(data.a.duration)} against ${duration(data.b.duration)}${ratio(data)}. The rows below sum to exactly this difference.`),
        (partial("a") || partial("b")) && h("p", { class: "message-line note" }, "The root of a trace has not been received. What is compared is the first span whose parent is missing."),
        summaryBar(data)),
      h("section", { class: "block" },
        h("div", { class: "block-head" }, h("h2", {}, "Where the time went"),
          h("div", { class: "group" },
            button(null, "By difference", () => update({ order: null }, { replace: true }), { text: true, class: "button small", "aria-pressed": String(!tree) }),
            button(null, "As a tree", () => update({ order: "tree" }, { replace: true }), { text: true, class: "button small", "aria-pressed": String(tree) })),
          h("p", { class: "muted" }, "Time on the critical path; joins of concurrent work are inferred.")),
        h("div", { class: "table-frame", role: "group", "aria-label": "Differences", tabindex: "0" }, h("table", { class: `list compared${tree ? " as-tree" : ""}`, role: "table", "aria-label": "Differences" },
          h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...["Span", "Difference", "A", "B", "Count", "Self time", "When"].map((label, index) =>
            h("th", { role: "columnheader", scope: "col", class: index > 0 && index < 6 ? "num" : null }, label)))),
          h("tbody", { role: "rowgroup" }, ...shown.map((row) => this.#row(row, data, tree, most, span)),
            rest.length > 0 && h("tr", { role: "row", class: "rest-row" }, h("td", { role: "cell", "data-label": "Span" }, button(null, `Show ${plural(rest.length, "more row")}`, () => {
              this.#all = true;
              this.#draw(data);
            }, { text: true, class: "button small" })), h("td", { role: "cell", class: "num", "data-label": "Difference" }, signed(restSum)), h("td", { role: "cell", colspan: "5" }))),
          h("tfoot", { role: "rowgroup" }, h("tr", { role: "row", class: "sum-row" },
            h("td", { role: "cell", "data-label": "Span" }, h("strong", {}, "Sum"), !tree && same > 0 && h("span", { class: "muted" }, ` ${plural(same, "path")} without difference left out`)),
            h("td", { role: "cell", class: "num", "data-label": "Difference" }, h("strong", { "data-sum": sum(data).toString() }, signed(sum(data)))),
            h("td", { role: "cell", class: "num", "data-label": "A" }, duration(data.a.duration)), h("td", { role: "cell", class: "num", "data-label": "B" }, duration(data.b.duration)),
            h("td", { role: "cell", colspan: "3" })))))));
  }

  /** @param {ComparedRow} row @param {ComparisonData} data @param {boolean} tree @param {number} most @param {number} span */
  #row(row, data, tree, most, span) {
    const tz = address().params.get("tz");
    const difference = Number(row.critical_difference);
    const bar = h("i", { class: `diverging ${difference > 0 ? "slower" : "faster"}` });
    bar.style.inlineSize = `${(Math.abs(difference) / most) * 50}%`;
    bar.style.insetInlineStart = difference > 0 ? "50%" : `${50 - (Math.abs(difference) / most) * 50}%`;
    const path = [];
    for (let above = row.parent; above !== null && path.length < 12; above = data.rows[above].parent) path.unshift(data.rows[above].name);
    const only = row.a.count === 0 ? "only in B" : row.b.count === 0 ? "only in A" : null;
    const link = (/** @type {Which} */ which) => {
      const first = slowest(row[which]);
      const text = duration(row[which].critical);
      if (!row[which].count) return h("span", { class: "muted" }, "–");
      return first?.id ? h("a", { href: href(["trace", data[which].summary.id], { span: first.id, tz }), "aria-label": `${text} in ${which.toUpperCase()}: show ${row.name}` }, text) : text;
    };
    const name = h("td", { role: "cell", class: "compared-name", "data-label": "Span" },
      !tree && path.length > 0 && h("span", { class: "under crumbs" }, path.join(" › ")),
      h("span", { class: "compared-label" }, h("span", { class: `party ${color(row.service)}` }, h("i", {})), h("span", { class: "label" }, row.name), row.telling !== null && h("span", { class: "telling" }, row.telling),
        only && h("span", { class: `chip ${only === "only in A" ? "only-a" : "only-b"}` }, only)));
    if (tree) name.style.setProperty("--depth", String(Math.min(row.depth, 12)));
    return h("tr", { role: "row" }, name,
      h("td", { role: "cell", class: "num difference", "data-label": "Difference", "data-value": row.critical_difference }, h("span", {}, signed(BigInt(row.critical_difference))), h("span", { class: "diverge", "aria-hidden": "true" }, bar)),
      h("td", { role: "cell", class: "num", "data-label": "A" }, link("a")), h("td", { role: "cell", class: "num", "data-label": "B" }, link("b")),
      h("td", { role: "cell", class: "num", "data-label": "Count" }, counts(row)),
      h("td", { role: "cell", class: "num", "data-label": "Self time" }, row.self_difference === "0" ? h("span", { class: "muted" }, "0") : signed(BigInt(row.self_difference))),
      h("td", { role: "cell", class: "when", "data-label": "When" }, lane(row.a, span, "a"), lane(row.b, span, "b")));
  }
}

/** @param {ComparisonData} data */
function sum(data) {
  return data.rows.reduce((total, row) => total + BigInt(row.critical_difference), 0n);
}

/** @param {ComparedRow} row */
function size(row) {
  const difference = BigInt(row.critical_difference);
  return difference < 0n ? -difference : difference;
}

/** @param {bigint} one @param {bigint} other */
function compare(one, other) {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** @param {bigint} nanoseconds */
function signed(nanoseconds) {
  return nanoseconds > 0n ? `+${duration(nanoseconds)}` : nanoseconds === 0n ? "0" : duration(nanoseconds);
}

/** @param {ComparedRow} row */
function counts(row) {
  const both = row.count_difference === 0 ? number(row.a.count) : `${number(row.a.count)} → ${number(row.b.count)}`;
  const errors = row.a.errors + row.b.errors;
  return h("span", {}, both, errors > 0 && h("span", { class: "count-errors", title: `Failed: ${row.a.errors} in A, ${row.b.errors} in B` }, ` ${number(errors)} failed`));
}

/** @param {ComparedPart} part */
function slowest(part) {
  return part.spans.reduce((best, span) => (!best || BigInt(span.critical) > BigInt(best.critical) ? span : best), part.spans[0]);
}

/** @param {ComparisonData} data */
function ratio(data) {
  const [a, b] = [Number(data.a.duration), Number(data.b.duration)];
  const times = Math.max(a, b) / Math.max(1, Math.min(a, b));
  return times >= 1.1 && Math.min(a, b) > 0 ? `: ${number(Math.round(times * 10) / 10)} times` : "";
}

/** The spans of one trace on a common scale. @param {ComparedPart} part @param {number} span @param {Which} which */
function lane(part, span, which) {
  return h("span", { class: `lane side-${which}`, "aria-hidden": "true" }, ...part.spans.slice(0, 60).map((one) => {
    const bar = h("i", {});
    const start = Math.max(0, Number(one.offset) / span);
    bar.style.insetInlineStart = `${Math.min(100, start * 100)}%`;
    bar.style.inlineSize = `${Math.max(0, Math.min(1 - start, Number(one.duration) / span)) * 100}%`;
    return bar;
  }));
}

/** Both durations as bars. @param {ComparisonData} data */
function summaryBar(data) {
  const most = Math.max(1, Number(data.a.duration), Number(data.b.duration));
  return h("div", { class: "sum-bars", "aria-hidden": "true" }, .../** @type {const} */ (["a", "b"]).map((which) => {
    const bar = h("i", {});
    bar.style.inlineSize = `${(Number(data[which].duration) / most) * 100}%`;
    return h("div", { class: `side-${which}` }, h("span", { class: "letter" }, which.toUpperCase()), h("span", { class: "sum-track" }, bar), h("span", { class: "num" }, duration(data[which].duration)));
  }));
}

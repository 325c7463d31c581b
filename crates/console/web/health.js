// View 9: what arrived, what was refused, and what senders say that they dropped.

import { address } from "./address.js";
import { request } from "./api.js";
import { color } from "./colors.js";
import { button, copyButton, fill, h, icon } from "./dom.js";
import { clock, number, plural, size, timestamp } from "./format.js";

/** @import { HealthData, Info } from "./types.js" */
/** @import { Key } from "./keys.js" */

const SIGNALS = /** @type {Record<string, string>} */ ({ otlp_http: "OTLP, protobuf", otlp_json: "OTLP, JSON", otlp_udp: "OTLP over UDP", xray_udp: "X-Ray over UDP", import: "Imported" });
const REFUSED = /** @type {Record<string, string>} */ ({
  foreign_origin: "A browser's page of another origin", bad_host: "An unknown Host header", too_large: "Larger than the limit", malformed: "Malformed",
  truncated: "A datagram that was cut off", unsupported_encoding: "Unsupported content encoding", unsupported_type: "Unsupported content type", bad_id: "Spans with an invalid id",
  grpc: "OTLP over gRPC", overload: "Too many requests at once", metrics_not_kept: "Metrics are not kept", logs_not_kept: "Log records without a trace are not kept", cut: "Parts beyond the limits",
});
const EVERY = 2000;

export class HealthView {
  element = h("section", { class: "view health scroller", tabindex: "0", "aria-label": "Health" });
  #timer = 0;
  #drawn = "";

  /** @type {Key[]} */
  keys = [];

  constructor() {
    fill(this.element, h("p", { class: "loading", role: "status" }, "Loading …"));
    this.#load();
  }

  update() {
    if (address().path[0] !== "health") return false;
    document.title = "Health · lambda-console";
    this.#drawn = "";
    if (this.#last) this.#draw(...this.#last);
    return true;
  }

  retry() {
    this.#load();
  }

  dispose() {
    clearTimeout(this.#timer);
    this.#timer = -1;
  }

  /** @type {[Info, HealthData] | null} */
  #last = null;

  async #load() {
    clearTimeout(this.#timer);
    try {
      this.#last = await Promise.all([request("api/info"), request("api/health")]);
      this.#draw(...this.#last);
    } catch (error) {
      if (!this.#last) {
        fill(this.element, h("div", { class: "message", role: "alert" }, icon("alert"), h("h1", {}, "Health cannot be shown"), h("p", {}, error instanceof Error ? error.message : String(error)),
          button(null, "Try again", () => this.#load(), { text: true })));
      }
    }
    if (this.#timer !== -1) this.#timer = setTimeout(() => this.#load(), EVERY);
  }

  /** @param {Info} info @param {HealthData} health */
  #draw(info, health) {
    // What the reader selects or points at stays.
    const drawn = JSON.stringify([info, health]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const used = h("i", { class: "gauge" });
    used.style.inlineSize = `${Math.min(100, (100 * info.bytes) / Math.max(1, info.max_bytes))}%`;
    fill(this.element,
      h("h1", {}, "Health"),
      h("dl", { class: "tiles" },
        tile("Receives OTLP/HTTP", h("code", {}, info.http)), tile("Receives X-Ray documents", info.xray ? h("code", {}, info.xray) : h("span", { class: "muted" }, "off")),
        tile("Kept", h("span", {}, `${plural(info.traces, "trace")}, ${plural(info.spans, "span")}`)),
        tile("Memory", h("span", {}, `${size(info.bytes)} of ${size(info.max_bytes)}`), used),
        tile("Evicted", plural(info.evicted_traces, "trace")),
        tile("Version", h("span", {}, info.version, h("span", { class: "muted" }, ` since ${clock(info.started_at)}`)))),
      block("What arrived", health.senders.length ? table("Senders", ["Service", "Signal", "Spans", "Last"], health.senders.map((sender) => [
        h("span", { class: `party ${color(sender.service)}` }, h("i", {}), sender.service || h("span", { class: "muted" }, "no name")), SIGNALS[sender.signal] ?? sender.signal, count(sender.spans), when(sender.last)])) : none("Nothing yet.")),
      block("What was refused", health.refused.length ? table("Refusals", ["Reason", "Detail", "Count", "Last", "How to admit it"], health.refused.map((one) => [
        h("span", { class: "status error" }, icon("alert"), h("span", {}, REFUSED[one.code] ?? one.code.replaceAll("_", " "))), one.detail, count(one.count), when(one.last),
        one.flag ? h("span", { class: "copied" }, h("code", {}, one.flag), copyButton(one.flag, "Copy the flag")) : h("span", { class: "muted" }, "–")])) : none("Nothing. Malformed and foreign requests would be listed here.")),
      block("What senders dropped", health.declared_drops.length ? table("Declared drops", ["Service", "Destination", "Reason", "Count"], health.declared_drops.map((drop) => [
        drop.service, drop.destination, drop.reason.replaceAll("_", " "), count(drop.count)])) : none("No sender says that it dropped spans.")));
  }
}

/** @param {string} name @param {...(Node | string)} value */
function tile(name, ...value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
}

/** @param {string} title @param {Node} content */
function block(title, content) {
  return h("section", { class: "block" }, h("h2", {}, title), content);
}

/** @param {string} text */
function none(text) {
  return h("p", { class: "muted" }, text);
}

/** @param {number} value */
function count(value) {
  return h("span", { class: "num" }, number(value));
}

/** @param {string} time */
function when(time) {
  return h("time", { class: "num", title: timestamp(time) }, clock(time));
}

/** @param {string} label @param {string[]} columns @param {(Node | string)[][]} rows */
function table(label, columns, rows) {
  return h("div", { class: "table-frame", role: "group", "aria-label": label, tabindex: "0" }, h("table", { class: "list", role: "table", "aria-label": label },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...columns.map((column) => h("th", { role: "columnheader", scope: "col" }, column)))),
    h("tbody", { role: "rowgroup" }, ...rows.map((row) => h("tr", { role: "row" }, ...row.map((cell, index) => h("td", { role: "cell", "data-label": columns[index] }, cell)))))));
}

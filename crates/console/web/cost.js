// View 8, for one trace: what it costs, by unit and by span.

import { address, href } from "./address.js";
import { color } from "./colors.js";
import { fill, h, icon } from "./dom.js";
import { FetchedTab } from "./fetched.js";
import { dollars, number, plural } from "./format.js";

/** @import { Bill, Cost as CostData, NamedSpan, Prices } from "./types.js" */
/** @import { Trace } from "./model.js" */

const MOST = 500;
/** @type {Record<keyof Prices["dollars_per_million"], string>} */
const UNITS = {
  read_units: "DynamoDB read units", write_units: "DynamoDB write units", invocations: "Lambda requests",
  gb_seconds: "Lambda GB-seconds, x86-64", gb_seconds_arm64: "Lambda GB-seconds, arm64",
};
const NOT_COUNTED = /** @type {Record<string, string>} */ ({
  api_gateway: "API Gateway, function URLs and load balancers", initialization: "The initialization of a cold start",
  after_response: "Lambda's time after the invocation's span has ended, such as the export of telemetry",
  logs_and_traces: "CloudWatch Logs, AWS X-Ray and Honeycomb", storage: "Storage, streams and backups", data_transfer: "Data transfer",
  free_tier: "Free tiers, discounts and provisioned capacity",
});
const MISSING = { capacity_units: "No consumed capacity units", memory: "No memory size", end: "Not ended", price: "No price in the table" };

/** @extends {FetchedTab<Bill>} */
export class Cost extends FetchedTab {
  /** @param {Trace} trace */
  constructor(trace) {
    super(trace, "cost", h("div", { class: "costs scroller", tabindex: "0", role: "group", "aria-label": "Cost" }, h("p", { class: "loading", role: "status" }, "Loading the cost …")));
  }

  /** @override @param {Bill} bill */
  draw(bill) {
    const { total } = bill;
    fill(this.element,
      total === null
        ? h("div", { class: "message", "data-priced": "false" }, h("h2", {}, "No span says what it consumed"),
          h("p", {}, "The cost is computed from the consumed capacity units of DynamoDB calls, and from the memory and duration of invocations."))
        : h("div", { "data-priced": "true" },
          h("dl", { class: "tiles" },
            tile("A million requests", h("strong", {}, dollars(total.dollars_per_million))), ...units(total)),
          block("By unit", table("Cost by unit", ["Unit", "Amount", "$ per million units", "$ per million requests"], bill.lines.map((line) => [
            UNITS[line.unit], numeric(number(line.amount)), numeric(dollars(line.price)), numeric(dollars(line.dollars_per_million))]))),
          block("By span", table("Cost by span", ["Span", "Consumed", "$ per million requests"], bill.spans.slice(0, MOST).map((span) => [
            this.#named(span), consumed(span.cost), share(span.cost.dollars_per_million, total.dollars_per_million)])),
          bill.spans.length > MOST && h("p", { class: "foot" }, icon("alert"), `The table shows the ${MOST} most expensive spans of ${number(bill.spans.length)}.`))),
      bill.unpriced.length > 0 && block("Spans without a cost", table("Spans without a cost", ["Span", "Why"], bill.unpriced.slice(0, MOST).map((span) => [
        this.#named(span), h("span", { class: "status error", "data-missing": span.missing }, icon("alert"), h("span", {}, MISSING[span.missing]))]))),
      notes(bill.prices, bill.not_counted));
  }

  /** @param {NamedSpan} span */
  #named(span) {
    const { path, params } = address();
    const next = new URLSearchParams(params);
    next.delete("tab");
    next.set("span", span.span);
    return h("span", {}, h("a", { href: href(path, next) }, span.name), span.telling && h("span", { class: "muted" }, ` ${span.telling}`),
      h("span", { class: "under" }, h("span", { class: `party ${color(span.service)}` }, h("i", {}), span.service)));
  }
}

/** The units of a request as tiles. @param {CostData} cost */
function units(cost) {
  return [
    cost.read_units > 0 && tile("Read units", number(cost.read_units)),
    cost.write_units > 0 && tile("Write units", number(cost.write_units)),
    cost.invocations > 0 && tile("Lambda", `${number(cost.lambda_ms)} ms, ${number(cost.gb_seconds)} GB-s`),
    cost.invocations > 0 && tile("Lambda requests", number(cost.invocations)),
  ].filter((one) => one !== false);
}

/** What a span consumed. @param {CostData} cost */
function consumed(cost) {
  const parts = [
    cost.read_units > 0 && plural(cost.read_units, "read unit"),
    cost.write_units > 0 && plural(cost.write_units, "write unit"),
    cost.invocations > 0 && `${number(cost.lambda_ms)} ms, ${number(cost.gb_seconds)} GB-seconds and ${plural(cost.invocations, "request")}`,
  ];
  return parts.filter(Boolean).join(", ") || "nothing";
}

/** @param {Prices} prices @param {string[]} notCounted */
export function notes(prices, notCounted) {
  return h("section", { class: "block cost-notes" }, h("h2", {}, "What is not counted"),
    h("ul", { class: "plain" }, ...notCounted.map((one) => h("li", { "data-not-counted": one }, NOT_COUNTED[one] ?? one.replaceAll("_", " ")))),
    h("p", { class: "muted" }, "Prices: on-demand in ", h("code", {}, prices.region), `, ${prices.date}.`));
}

/** A share of a sum, as a bar below the amount. @param {number} amount @param {number} sum */
export function share(amount, sum) {
  const bar = h("i", { class: "gauge" });
  bar.style.inlineSize = `${sum > 0 ? Math.min(100, (100 * amount) / sum) : 0}%`;
  return h("span", { class: "num" }, dollars(amount), bar);
}

/** @param {string} text */
export function numeric(text) {
  return h("span", { class: "num" }, text);
}

/** @param {string} name @param {...(Node | string)} value */
function tile(name, ...value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
}

/** @param {string} title @param {...(import("./dom.js").Child)} content */
function block(title, ...content) {
  return h("section", { class: "block" }, h("h2", {}, title), ...content);
}

/** @param {string} label @param {string[]} columns @param {(Node | string)[][]} rows */
function table(label, columns, rows) {
  return h("div", { class: "table-frame", role: "group", "aria-label": label, tabindex: "0" }, h("table", { class: "list", role: "table", "aria-label": label },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...columns.map((column) => h("th", { role: "columnheader", scope: "col", class: column.includes("$") || column === "Amount" ? "num" : null }, column)))),
    h("tbody", { role: "rowgroup" }, ...rows.map((row) => h("tr", { role: "row" }, ...row.map((cell, index) => h("td", { role: "cell", class: columns[index].includes("$") || columns[index] === "Amount" ? "num" : null }, cell)))))));
}

// Charts over time: count, error rate and percentiles, for all events or for each group.

import { h, s } from "./dom.js";
import { number, tick } from "./format.js";
import { short, timeTicks } from "./heatmap.js";

/** @import { GroupsData, Group, Measures } from "./types.js" */

const WIDTH = 600;
const HEIGHT = 120;
// More lines are hard to distinguish.
export const MOST_LINES = 6;

/** A line of a chart. @typedef {{ name: string, tint: string, value: (point: Measures) => number, points: Group["series"] }} Line */

/** The charts of an answer. @param {GroupsData} data @param {string | null} by @param {string} unit */
export function charts(data, by, unit) {
  const groups = by === null ? [] : data.groups.slice(0, MOST_LINES);
  /** @param {(point: Measures) => number} value @returns {Line[]} */
  const lines = (value) => groups.map((group, index) => ({ name: group.value ?? "absent", tint: `c${index}`, value, points: group.series }));
  const all = data.total.series;
  const rate = (/** @type {Measures} */ point) => (point.count ? point.errors / point.count : 0);
  const percentiles = by === null
    ? [
        { name: "P50", tint: "c4", value: (/** @type {Measures} */ point) => Number(point.p50), points: all },
        { name: "P95", tint: "c0", value: (/** @type {Measures} */ point) => Number(point.p95), points: all },
        { name: "P99", tint: "c5", value: (/** @type {Measures} */ point) => Number(point.p99), points: all },
      ]
    : lines((point) => Number(point.p95));
  const percent = (/** @type {number} */ value) => share(value);
  return h("div", { class: "charts" },
    chart(unit === "span" ? "Spans" : "Requests", data, by === null ? [] : lines((point) => point.count), number, by === null ? all : []),
    chart("Error rate", data, by === null ? [{ name: "Error rate", tint: "bad", value: rate, points: all }] : lines(rate), percent),
    chart(by === null ? "P50, P95 and P99" : "P95", data, percentiles, (value) => tick(value)));
}

/** A share in percent. @param {number} value */
export function share(value) {
  if (value === 0 || value === 1) return `${value * 100} %`;
  return `${(value * 100).toFixed(value < 0.0995 || value > 0.995 ? 1 : 0)} %`;
}

/** @param {string} title @param {GroupsData} data @param {Line[]} lines @param {(value: number) => string} text @param {Group["series"]} [bars] */
function chart(title, { columns }, lines, text, bars = []) {
  const count = Math.max(1, columns.count);
  const most = Math.max(...lines.flatMap((line) => line.points.map(line.value)), ...bars.map((bar) => bar.count), 0);
  const top = most || 1;
  const x = (/** @type {number} */ column) => ((column + 0.5) / count) * WIDTH;
  const y = (/** @type {number} */ value) => HEIGHT - (value / top) * (HEIGHT - 4);
  const width = WIDTH / count;
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    ...bars.map((bar) => s("path", { class: "chart-bar", d: rectangle(bar.column * width, width, y(bar.count), HEIGHT) })),
    ...bars.filter((bar) => bar.errors).map((bar) => s("path", { class: "chart-bar bad", d: rectangle(bar.column * width, width, y(bar.errors), HEIGHT) })),
    ...lines.map((line) => s("path", { class: `chart-line ${line.tint}`, "data-line": line.name, d: path(line, x, y) })),
    // A single point is no line.
    ...lines.flatMap((line) => line.points.filter((point, index) => line.points[index - 1]?.column !== point.column - 1 && line.points[index + 1]?.column !== point.column + 1)
      .map((point) => s("path", { class: `chart-point ${line.tint}`, "data-line": line.name, d: `M${x(point.column).toFixed(1)} ${y(line.value(point)).toFixed(1)}h0` }))));
  const readout = h("p", { class: "readout" });
  const rule = h("i", { class: "chart-rule", hidden: true });
  const area = h("div", {
    class: "chart-area", role: "img", "aria-label": `${title} over time, at most ${text(most)}`,
    on: {
      pointermove: (/** @type {PointerEvent} */ event) => {
        const box = area.getBoundingClientRect();
        const column = Math.max(0, Math.min(count - 1, Math.floor(((event.clientX - box.left) / box.width) * count)));
        rule.hidden = false;
        rule.style.insetInlineStart = `${((column + 0.5) / count) * 100}%`;
        const from = BigInt(columns.start) + BigInt(columns.step) * BigInt(column);
        const bar = bars.find((one) => one.column === column);
        const found = lines.flatMap((line) => {
          const point = line.points.find((one) => one.column === column);
          return point ? [`${lines.length > 1 ? `${line.name} ` : ""}${text(line.value(point))}`] : [];
        });
        readout.textContent = [short(from), ...(bar ? [`${number(bar.count)}${bar.errors ? `, ${number(bar.errors)} failed` : ""}`] : found.length ? found.slice(0, 3) : ["none"])].join(" · ");
      },
      pointerleave: () => {
        rule.hidden = true;
        readout.textContent = "";
      },
    },
  }, svg, rule);
  const legend = lines.length > 1 && h("ul", { class: "plain chart-legend" }, ...lines.map((line) => h("li", { class: line.tint }, h("i", {}), h("span", {}, line.name))));
  return h("section", { class: "chart" },
    h("div", { class: "chart-head" }, h("h3", {}, title), readout, h("span", { class: "chart-most", title: "The top of the chart" }, text(most))),
    h("div", { class: "chart-frame" }, area, h("div", { class: "time-axis", "aria-hidden": "true" }, ...timeTicks({ ...columns, count: columns.count }).filter((_, index) => index % 2 === 0))),
    legend);
}

/** @param {number} left @param {number} width @param {number} top @param {number} bottom */
function rectangle(left, width, top, bottom) {
  const gap = Math.min(1, width * 0.12);
  return `M${(left + gap).toFixed(2)} ${bottom}V${top.toFixed(2)}h${(width - 2 * gap).toFixed(2)}V${bottom}z`;
}

/** Lines connect only neighbors: an empty column is a gap. @param {Line} line @param {(column: number) => number} x @param {(value: number) => number} y */
function path(line, x, y) {
  return line.points.map((point, index) => `${line.points[index - 1]?.column === point.column - 1 ? "L" : "M"}${x(point.column).toFixed(1)} ${y(line.value(point)).toFixed(1)}`).join("");
}


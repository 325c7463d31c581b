// The heat map of durations over time. A region is selected by drag or with the keyboard.

import { h, s } from "./dom.js";
import { clock, day, duration, number, tick } from "./format.js";

/** @import { HeatMapData } from "./types.js" */

/**
 * A region with exact edges in nanoseconds; each upper edge is outside. `null` is no edge.
 * @typedef {{ from: bigint | null, to: bigint | null, low: bigint | null, high: bigint | null }} Region
 */

/** Cells from one corner to the other. @typedef {{ column: number, row: number, toColumn: number, toRow: number }} Cells */

const LEVELS = 8;
const HELP = "Arrow keys move, Shift with arrow keys extends, Enter selects, Escape clears the selection.";

export class HeatMap {
  #title = h("h2", { id: "heat-title" }, "Durations");
  #readout = h("p", { class: "readout", id: "heat-readout", "aria-live": "polite" });
  #plot = h("div", { class: "heat-cells" });
  #selection = h("div", { class: "heat-selection", hidden: true });
  #cursor = h("div", { class: "heat-cursor", hidden: true });
  #rows = h("div", { class: "heat-axis", "aria-hidden": "true" });
  #columns = h("div", { class: "time-axis", "aria-hidden": "true" });
  #area = h("div", {
    class: "heat-area", tabindex: "0", role: "application", "aria-labelledby": "heat-title", "aria-describedby": "heat-help heat-readout",
    on: {
      keydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
      pointerdown: (/** @type {PointerEvent} */ event) => this.#drag(event),
      pointermove: (/** @type {PointerEvent} */ event) => this.#point(event),
      pointerleave: () => this.#read(null),
      focus: () => this.#focus(),
      blur: () => {
        this.#cursor.hidden = true;
      },
    },
  }, this.#plot, this.#selection, this.#cursor);
  element = h("section", { class: "heat" },
    h("div", { class: "chart-head" }, this.#title, this.#readout),
    h("p", { class: "offscreen", id: "heat-help" }, HELP),
    h("div", { class: "heat-frame" }, this.#rows, this.#area, this.#columns));
  /** @type {HeatMapData | null} */
  #data = null;
  /** @type {Region | null} */
  #region = null;
  /** The cells that the keyboard selects. @type {Cells | null} */
  #chosen = null;
  #unit = "request";
  #dragging = false;

  /** @param {(region: Region | null) => void} select */
  constructor(select) {
    this.select = select;
  }

  /** @param {HeatMapData} data @param {string} unit */
  update(data, unit) {
    const same = this.#data !== null && JSON.stringify([this.#data.columns, this.#data.rows]) === JSON.stringify([data.columns, data.rows]);
    this.#data = data;
    this.#unit = unit;
    this.#title.textContent = unit === "span" ? "Durations of spans" : "Durations of requests";
    this.#draw(data, false);
    this.#drawAxes(data);
    // What the reader chooses at the moment stays.
    if (same) return;
    this.#chosen = null;
    this.#cursor.hidden = true;
    this.#placeRegion();
    this.#read(null);
  }

  /** Shows in which cells a value is. @param {HeatMapData | null} lit */
  light(lit) {
    const data = lit ?? this.#data;
    if (data) this.#draw(data, lit !== null);
  }

  /** @param {Region | null} region */
  mark(region) {
    this.#region = region;
    if (!this.#dragging) this.#placeRegion();
  }

  focus() {
    this.#area.focus();
  }

  /** @param {HeatMapData} data @param {boolean} lit */
  #draw(data, lit) {
    const height = data.rows.length;
    const most = Math.log1p(data.cells.reduce((greatest, cell) => Math.max(greatest, cell.count), 1));
    /** @type {Map<string, string>} */
    const paths = new Map();
    const add = (/** @type {string} */ name, /** @type {string} */ path) => paths.set(name, (paths.get(name) ?? "") + path);
    for (const cell of data.cells) {
      const y = height - 1 - cell.row;
      const level = Math.max(1, Math.ceil((Math.log1p(cell.count) / most) * LEVELS));
      add(`heat-${level}`, `M${cell.column} ${y}h1v1h-1z`);
      if (cell.errors > 0) add("heat-errors", `M${cell.column} ${y + 0.78}h1v.22h-1z`);
      if (lit && cell.lit > 0) add(`lit-${Math.ceil((cell.lit / cell.count) * 3)}`, `M${cell.column} ${y}h1v1h-1z`);
    }
    const order = [...paths.keys()].sort((a, b) => rank(a) - rank(b));
    this.#plot.classList.toggle("dimmed", lit);
    this.#plot.dataset.lit = String(lit ? data.cells.filter((cell) => cell.lit > 0).length : 0);
    this.#plot.replaceChildren(s("svg", { viewBox: `0 0 ${Math.max(1, data.columns.count)} ${Math.max(1, height)}`, preserveAspectRatio: "none", "aria-hidden": "true" },
      ...order.map((name) => s("path", { class: name, d: paths.get(name) }))));
  }

  /** @param {HeatMapData} data */
  #drawAxes(data) {
    const count = data.rows.length;
    const step = Math.max(1, Math.ceil(count / 8));
    this.#rows.replaceChildren(...data.rows.flatMap((row, index) => {
      if (index % step && index !== count) return [];
      const label = h("span", {}, tick(Number(row.low)));
      label.style.insetBlockEnd = `${(index / count) * 100}%`;
      return [label];
    }));
    this.#columns.replaceChildren(...timeTicks(data.columns));
  }

  #placeRegion() {
    const [data, region] = [this.#data, this.#region];
    this.#selection.hidden = !data || !region || !data.columns.count;
    if (!data || !region) return;
    const columns = data.columns.count;
    const column = (/** @type {bigint} */ time) => Math.max(0, Math.min(columns, Number(time - BigInt(data.columns.start)) / Number(data.columns.step)));
    const left = region.from === null ? 0 : column(region.from);
    const right = region.to === null ? columns : column(region.to);
    const bottom = region.low === null ? 0 : place(data, region.low);
    const top = region.high === null ? data.rows.length : place(data, region.high);
    box(this.#selection, data, { column: left, row: bottom, toColumn: right, toRow: top });
  }

  /** @param {Cells} cells inclusive @returns {Region} */
  #regionOf(cells) {
    const { columns, rows } = /** @type {HeatMapData} */ (this.#data);
    const [first, last] = [Math.min(cells.column, cells.toColumn), Math.max(cells.column, cells.toColumn)];
    const [bottom, top] = [Math.min(cells.row, cells.toRow), Math.max(cells.row, cells.toRow)];
    const [start, step] = [BigInt(columns.start), BigInt(columns.step)];
    const high = rows[top].high;
    return { from: start + step * BigInt(first), to: start + step * BigInt(last + 1), low: BigInt(rows[bottom].low), high: high === null ? null : BigInt(high) };
  }

  /** @param {Cells} cells */
  #preview(cells) {
    const data = /** @type {HeatMapData} */ (this.#data);
    this.#selection.hidden = false;
    box(this.#selection, data, {
      column: Math.min(cells.column, cells.toColumn), toColumn: Math.max(cells.column, cells.toColumn) + 1,
      row: Math.min(cells.row, cells.toRow), toRow: Math.max(cells.row, cells.toRow) + 1,
    });
    this.#read(cells);
  }

  /** Says what is in cells. @param {Cells | null} cells */
  #read(cells) {
    const data = this.#data;
    if (!data?.cells.length) {
      this.#readout.textContent = "";
      return;
    }
    if (!cells) {
      this.#readout.textContent = this.#dragging ? "" : "Drag over a region to see what is different in it.";
      return;
    }
    const region = this.#regionOf(cells);
    const { from, to, low, high } = /** @type {{ from: bigint, to: bigint, low: bigint, high: bigint | null }} */ (region);
    const inside = data.cells.filter((cell) =>
      cell.column >= Math.min(cells.column, cells.toColumn) && cell.column <= Math.max(cells.column, cells.toColumn) &&
      cell.row >= Math.min(cells.row, cells.toRow) && cell.row <= Math.max(cells.row, cells.toRow));
    const count = inside.reduce((sum, cell) => sum + cell.count, 0);
    const errors = inside.reduce((sum, cell) => sum + cell.errors, 0);
    const range = high === null ? `from ${duration(low)}` : low === 0n && high === 1n ? "0 ns" : `${duration(low)} to ${duration(high)}`;
    this.#readout.textContent = `${short(from)}–${short(to)} · ${range} · ${number(count)} ${this.#unit}${count === 1 ? "" : "s"}${errors ? `, ${number(errors)} failed` : ""}`;
  }

  /** @param {PointerEvent} event @returns {{ column: number, row: number } | null} */
  #cell(event) {
    const data = this.#data;
    if (!data?.cells.length) return null;
    const box = this.#area.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * data.columns.count);
    const y = Math.floor(((box.bottom - event.clientY) / box.height) * data.rows.length);
    return { column: Math.max(0, Math.min(data.columns.count - 1, x)), row: Math.max(0, Math.min(data.rows.length - 1, y)) };
  }

  /** @param {PointerEvent} event */
  #point(event) {
    if (this.#dragging) return;
    const cell = this.#cell(event);
    this.#read(cell && { ...cell, toColumn: cell.column, toRow: cell.row });
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    const from = this.#cell(event);
    if (!from || event.button !== 0) return;
    event.preventDefault();
    this.#area.focus({ preventScroll: true });
    this.#cursor.hidden = true;
    this.#dragging = true;
    this.#area.setPointerCapture(event.pointerId);
    let cells = { ...from, toColumn: from.column, toRow: from.row };
    let moved = false;
    this.#area.onpointermove = (move) => {
      const to = this.#cell(move);
      if (!to) return;
      moved ||= Math.abs(move.clientX - event.clientX) + Math.abs(move.clientY - event.clientY) > 4;
      cells = { ...from, toColumn: to.column, toRow: to.row };
      if (moved) this.#preview(cells);
    };
    const end = (/** @type {boolean} */ commit) => {
      this.#dragging = false;
      this.#area.onpointermove = this.#area.onpointerup = this.#area.onpointercancel = null;
      if (commit && (moved || this.#data?.cells.some((cell) => cell.column === from.column && cell.row === from.row))) this.select(this.#regionOf(cells));
      else if (commit) this.select(null);
      this.#placeRegion();
    };
    this.#area.onpointerup = () => end(true);
    this.#area.onpointercancel = () => end(false);
  }

  #focus() {
    const data = this.#data;
    if (!data?.cells.length || this.#dragging || !this.#area.matches(":focus-visible")) return;
    if (!this.#chosen) {
      // The slowest cell is the one that readers ask about.
      const slowest = data.cells.reduce((best, cell) => (cell.row > best.row ? cell : best));
      this.#chosen = { column: slowest.column, row: slowest.row, toColumn: slowest.column, toRow: slowest.row };
    }
    this.#showCursor();
  }

  #showCursor() {
    const [data, chosen] = [this.#data, this.#chosen];
    if (!data || !chosen) return;
    this.#cursor.hidden = false;
    box(this.#cursor, data, { column: chosen.toColumn, row: chosen.toRow, toColumn: chosen.toColumn + 1, toRow: chosen.toRow + 1 });
    this.#read(chosen);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const data = this.#data;
    if (!data?.cells.length || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!this.#chosen) this.#focus();
    const chosen = this.#chosen ?? { column: 0, row: 0, toColumn: 0, toRow: 0 };
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1], Home: [-60, 0], End: [60, 0], PageUp: [0, 48], PageDown: [0, -48] }[event.key];
    if (step) {
      const toColumn = Math.max(0, Math.min(data.columns.count - 1, chosen.toColumn + step[0]));
      const toRow = Math.max(0, Math.min(data.rows.length - 1, chosen.toRow + step[1]));
      this.#chosen = event.shiftKey ? { ...chosen, toColumn, toRow } : { column: toColumn, row: toRow, toColumn, toRow };
      if (event.shiftKey) this.#preview(this.#chosen);
      else this.#placeRegion();
      this.#showCursor();
    } else if (event.key === "Enter" || event.key === " ") this.select(this.#regionOf(chosen));
    else if (event.key === "Escape" && this.#region) this.select(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** @param {string} name */
function rank(name) {
  return name === "heat-errors" ? 2 : name.startsWith("lit") ? 1 : 0;
}

/** Where a duration is, in rows from below. @param {HeatMapData} data @param {bigint} nanoseconds */
function place(data, nanoseconds) {
  for (const [index, row] of data.rows.entries()) {
    const low = BigInt(row.low);
    const high = row.high === null ? null : BigInt(row.high);
    if (nanoseconds < low) return index;
    if (high === null || nanoseconds < high) return high === null || low === 0n ? index : index + Math.log(Number(nanoseconds) / Number(low)) / Math.log(Number(high) / Number(low));
  }
  return data.rows.length;
}

/** @param {HTMLElement} element @param {HeatMapData} data @param {Cells} edges */
function box(element, data, edges) {
  const [width, height] = [data.columns.count, data.rows.length];
  element.style.insetInlineStart = `${(edges.column / width) * 100}%`;
  element.style.inlineSize = `${(Math.max(0, edges.toColumn - edges.column) / width) * 100}%`;
  element.style.insetBlockEnd = `${(edges.row / height) * 100}%`;
  element.style.blockSize = `${(Math.max(0, edges.toRow - edges.row) / height) * 100}%`;
}

/** The time of day without milliseconds where they are zero. @param {bigint} time */
export function short(time) {
  return clock(time).replace(/\.000$/, "");
}

/** Labels below a chart of these columns. @param {{ start: string, step: string, count: number }} columns @returns {Node[]} */
export function timeTicks({ start, step, count }) {
  if (!count) return [];
  const every = Math.max(1, Math.ceil(count / 6));
  let last = "";
  return Array.from({ length: Math.ceil(count / every) }, (_, index) => {
    const time = BigInt(start) + BigInt(step) * BigInt(index * every);
    // Long columns begin at the same time of many days.
    const text = BigInt(step) >= 43_200_000_000_000n ? day(time) : short(time);
    const label = h("span", {}, text === last ? "" : text);
    last = text;
    label.style.insetInlineStart = `${((index * every) / count) * 100}%`;
    return label;
  });
}

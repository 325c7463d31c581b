// The waterfall of one trace: a tree of spans beside their bars on a time axis.

import { update } from "./address.js";
import { color, party } from "./colors.js";
import { button, fill, h, icon, s } from "./dom.js";
import { clock, duration, isError, number, plural, statusName, tick } from "./format.js";
import { Minimap } from "./minimap.js";
import { gaps, Scale } from "./scale.js";
import { VirtualRows } from "./virtual.js";

/** @import { State } from "./trace.js" */
/** @import { Trace, TreeRow } from "./model.js" */
/** @import { Interval } from "./scale.js" */
/** @import { Key } from "./keys.js" */

const MOST_MARKS = 40;
// Deeper levels are not indented further.
const DEEPEST = 24;

export class Waterfall {
  /** @type {TreeRow[]} */
  rows = [];
  /** @type {number[]} */
  matches = [];
  /** @type {Set<number>} */
  #matching = new Set();
  /** @type {State | null} */
  #state = null;
  #tree = "";
  #typing = 0;
  #dragged = false;

  #find = h("input", {
    type: "search", class: "input", placeholder: "Find in this trace", "aria-label": "Find in names, ids, attributes, events and logs", autocomplete: "off", spellcheck: "false",
    on: { input: () => this.#typed(), keydown: (/** @type {KeyboardEvent} */ event) => this.#findKey(event) },
  });
  #found = h("span", { class: "found", role: "status" });
  #only = button("filter", "Only matches", () => update({ only: !this.#state?.only }), { text: true, "aria-pressed": "false", title: "Show only matches and the spans that contain them" });
  #errorNav = h("div", { class: "group" });
  #fold = button("fold", "Fold", () => update({ fold: this.#state?.fold ? "off" : null }), { text: true, "aria-pressed": "true", title: "Fold five or more equal spans in a row" });
  #path = button(null, "Critical path", () => update({ critical: this.#state?.critical ? "off" : null }), {
    text: true, "aria-pressed": "true", title: "What the duration consists of. Joins of concurrent work are inferred.",
  });
  #idle = button(null, "Skip idle", () => update({ idle: this.#state?.idle ? "full" : null }), { text: true, "aria-pressed": "true", title: "Shorten times in which no span runs" });
  #clocks = button(null, "Adjust clocks", () => update({ clocks: this.trace.adjusted ? null : "adjusted" }), {
    text: true, title: "Shift the spans of hosts whose clocks differ, so that calls are inside their callers",
  });
  #reset = button("close", "Reset zoom", () => update({ zoom: null }), { text: true });
  #rerooted = h("div", { class: "group" });
  #ruler = h("div", { role: "columnheader", class: "ruler", "aria-label": "Timeline" });
  #lines = h("div", { class: "lines" });
  #band = h("div", { class: "band", hidden: true });
  #grid = h("div", { class: "tree", role: "treegrid", tabindex: "0", "aria-label": "Spans", on: { keydown: (/** @type {KeyboardEvent} */ event) => this.#key(event) } });
  element = h("div", { class: "waterfall" });

  /** @param {Trace} trace */
  constructor(trace) {
    this.trace = trace;
    this.idle = gaps(trace.spans.filter((span) => !span.placeholder).map((span) => ({ start: trace.start[span.index], end: trace.end[span.index] })), trace.duration);
    this.scale = new Scale(trace.duration, [], null);
    this.minimap = new Minimap(trace, (zoom) => this.zoom(zoom));
    this.virtual = new VirtualRows(this.#grid, (index) => this.#row(index));
    this.virtual.body.setAttribute("role", "rowgroup");
    const splitter = this.#splitter();
    this.#grid.append(
      h("div", { class: "head", role: "rowgroup" }, h("div", { role: "row", class: "columns", "aria-rowindex": "1" },
        h("div", { role: "columnheader", class: "name" }, "Span"),
        h("div", { role: "columnheader", class: "took" }, "Duration"),
        this.#ruler)),
      h("div", { class: "overlay columns", role: "presentation" }, h("div", {}, this.#lines, this.#band)),
      this.virtual.body,
    );
    this.element.append(
      h("div", { class: "bar-tools" },
        h("label", { class: "search" }, icon("search"), this.#find),
        h("div", { class: "group" }, this.#found,
          button("up", "Previous match (Shift+N)", () => this.step(this.matches, -1)),
          button("down", "Next match (N)", () => this.step(this.matches, 1))),
        this.#only, this.#errorNav,
        h("div", { class: "space" }),
        this.#rerooted, this.#reset, this.#clocks, this.#path, this.#fold, this.#idle),
      this.minimap.element,
      h("div", { class: "tree-frame" }, this.#grid, splitter),
    );
    this.#grid.addEventListener("click", (event) => this.#click(event));
    this.#grid.addEventListener("dblclick", (event) => {
      if (/** @type {Element} */ (event.target).closest(".time, .ruler")) update({ zoom: null });
    });
    this.#grid.addEventListener("pointerdown", (event) => this.#drag(event));
  }

  /** @type {Key[]} */
  keys = [
    { keys: ["f"], control: true, typing: true, label: "Find in this trace", act: () => this.#focusFind() },
    { keys: ["/"], label: "Find in this trace", act: () => this.#focusFind() },
    { keys: ["n"], label: "Next match", act: () => this.step(this.matches, 1) },
    { keys: ["N", "p"], label: "Previous match", act: () => this.step(this.matches, -1) },
    { keys: ["e"], label: "Next error", act: () => this.step(this.trace.errors, 1) },
    { keys: ["E"], label: "Previous error", act: () => this.step(this.trace.errors, -1) },
    { keys: ["o"], label: "Only matches", act: () => update({ only: !this.#state?.only }) },
    { keys: ["ArrowDown", "j"], label: "Next span", act: () => this.#move(1) },
    { keys: ["ArrowUp", "k"], label: "Previous span", act: () => this.#move(-1) },
    { keys: ["ArrowRight"], label: "Unfold, or go to the first child", act: () => this.#unfold() },
    { keys: ["ArrowLeft"], label: "Fold, or go to the parent", act: () => this.#foldUp() },
    { keys: ["+", "="], label: "Zoom in", act: () => this.#zoomBy(0.5) },
    { keys: ["-"], label: "Zoom out", act: () => this.#zoomBy(2) },
    { keys: ["0"], label: "Show the whole trace", act: () => update({ zoom: null }) },
    { keys: ["z"], label: "Zoom to the span", act: () => this.#zoomToSpan() },
    { keys: ["r"], label: "Show only this span and what it contains", act: () => this.#reroot() },
    { keys: ["c"], label: "Critical path", act: () => update({ critical: this.#state?.critical ? "off" : null }) },
  ];

  dispose() {
    this.virtual.dispose();
  }

  focus() {
    this.#grid.focus({ preventScroll: true });
  }

  /** @param {State} state */
  update(state) {
    const before = this.#state;
    this.#state = state;
    if (before?.find !== state.find) {
      this.matches = this.trace.search(state.find);
      this.#matching = new Set(this.matches);
      if (document.activeElement !== this.#find) this.#find.value = state.find;
    }
    const tree = JSON.stringify([state.root, state.fold, [...state.shut], [...state.open], state.only && state.find]);
    const changed = tree !== this.#tree || before === null;
    if (changed) {
      this.#tree = tree;
      this.rows = this.trace.rows({ ...state, only: state.only && state.find ? this.trace.withAncestors(this.matches) : null });
    }
    this.#drawScale(state);
    this.#drawTools(state);
    const selected = state.span === null ? -1 : this.#indexOf(state.span);
    if (state.span !== null && selected < 0 && this.#reveal(state.span)) return;
    const look = (/** @type {State | null} */ one) => one && JSON.stringify([one.zoom, one.idle, one.critical, one.find, one.zone]);
    if (changed || look(before) !== look(state)) {
      this.virtual.set(this.rows.length);
    } else if (before?.span !== state.span) {
      if (before?.span) this.virtual.redraw(this.#indexOf(before.span));
      this.virtual.redraw(selected);
    }
    this.#grid.setAttribute("aria-rowcount", String(this.rows.length + 1));
    if (selected >= 0) {
      if (before?.span !== state.span) this.virtual.reveal(selected);
      this.#grid.setAttribute("aria-activedescendant", `row-${selected}`);
    } else this.#grid.removeAttribute("aria-activedescendant");
  }

  /** @param {string} key */
  #indexOf(key) {
    return this.rows.findIndex((row) => row.key === key);
  }

  // Tools

  /** @param {State} state */
  #drawTools(state) {
    const current = this.#current();
    const place = current === null ? -1 : this.matches.indexOf(current);
    this.#found.textContent = !state.find ? "" : this.matches.length ? `${place >= 0 ? `${number(place + 1)} of ` : ""}${number(this.matches.length)}` : "no match";
    this.#found.classList.toggle("none", Boolean(state.find) && !this.matches.length);
    this.element.classList.toggle("finding", Boolean(state.find));
    this.#only.setAttribute("aria-pressed", String(state.only));
    this.#only.hidden = !state.find;
    const errors = this.trace.errors;
    fill(this.#errorNav, ...(errors.length ? [
      button("alert", plural(errors.length, "error"), () => this.step(errors, 1), { text: true, class: "button error-nav", title: "Next error (E)" }),
      errors.length > 1 && button("up", "Previous error (Shift+E)", () => this.step(errors, -1)),
      errors.length > 1 && button("down", "Next error (E)", () => this.step(errors, 1)),
    ] : []));
    this.#fold.setAttribute("aria-pressed", String(state.fold));
    this.#path.setAttribute("aria-pressed", String(state.critical));
    this.#idle.setAttribute("aria-pressed", String(state.idle));
    this.#idle.hidden = !this.idle.length;
    this.#clocks.hidden = !this.trace.isSkewed;
    this.#clocks.setAttribute("aria-pressed", String(this.trace.adjusted));
    this.#reset.hidden = !state.zoom;
    fill(this.#rerooted, state.root !== null && button("target", `Below ${this.trace.spans[state.root].name}`, () => update({ root: null, zoom: null }), {
      text: true, class: "button primary", title: "Show the whole trace again",
    }));
  }

  #focusFind() {
    this.#find.focus();
    this.#find.select();
  }

  #typed() {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => update({ find: this.#find.value.trim() }, { replace: true }), 120);
  }

  /** @param {KeyboardEvent} event */
  #findKey(event) {
    if (event.key === "Enter") {
      clearTimeout(this.#typing);
      update({ find: this.#find.value.trim() }, { replace: true });
      this.step(this.matches, event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape" || event.key === "ArrowDown") {
      event.preventDefault();
      if (event.key === "Escape" && this.#find.value) {
        this.#find.value = "";
        update({ find: null, only: null }, { replace: true });
      } else this.focus();
    }
  }

  // Selection

  /** The selected span. A group counts as its first span. */
  #current() {
    const key = this.#state?.span;
    if (!key) return null;
    return this.trace.byId.get(key.startsWith("g") ? key.slice(1) : key) ?? null;
  }

  /** @param {string | null} key */
  #select(key) {
    // Moving the selection is not a step for Back; opening the details is.
    if (key !== this.#state?.span) update({ span: key }, { replace: Boolean(this.#state?.span) && key !== null });
  }

  /** The next of these spans after the selected one. @param {number[]} spans @param {number} direction */
  step(spans, direction) {
    if (!spans.length) return;
    const current = this.#current();
    const at = current ?? (direction > 0 ? -1 : Infinity);
    const next = direction > 0 ? spans.find((span) => span > at) ?? spans[0] : spans.findLast((span) => span < at) ?? spans[spans.length - 1];
    const key = this.trace.spans[next].id;
    if (this.#indexOf(key) < 0) this.#reveal(key);
    else this.#select(key);
  }

  /** Opens what hides a span, and selects it. @param {string} key */
  #reveal(key) {
    const state = this.#state;
    const span = this.trace.byId.get(key.startsWith("g") ? key.slice(1) : key);
    if (span === undefined || !state) return false;
    const { ancestors, groups } = this.trace.pathTo(span);
    const shut = [...state.shut].filter((one) => !ancestors.includes(one));
    const open = [...new Set([...state.open, ...(key.startsWith("g") ? groups.slice(1) : groups)])];
    const outside = state.root !== null && !this.trace.subtree(state.root).includes(span);
    const hidden = state.only && !this.trace.withAncestors(this.matches).has(span);
    const address = location.hash;
    update({ span: key, shut: shut.join(","), open: open.join(","), ...(outside && { root: null }), ...(hidden && { only: null }) }, { replace: true });
    return location.hash !== address;
  }

  /** @param {number} step */
  #move(step) {
    const index = this.#state?.span ? this.#indexOf(this.#state.span) : -1;
    const from = index >= 0 ? index : step > 0 ? -1 : this.rows.length;
    const next = Math.max(0, Math.min(this.rows.length - 1, from + step));
    if (this.rows[next]) this.#select(this.rows[next].key);
  }

  #selectedRow() {
    return this.#state?.span ? this.rows[this.#indexOf(this.#state.span)] : undefined;
  }

  #unfold() {
    const row = this.#selectedRow();
    if (row?.expandable && !row.expanded) this.#toggle(row);
    else if (row?.expandable) this.#move(1);
  }

  #foldUp() {
    const row = this.#selectedRow();
    if (!row) return;
    if (row.expandable && row.expanded) this.#toggle(row);
    else {
      const index = this.rows.indexOf(row);
      const parent = this.rows.findLast((other, at) => at < index && other.level < row.level);
      if (parent) this.#select(parent.key);
    }
  }

  /** @param {TreeRow} row */
  #toggle(row) {
    if (!this.#state) return;
    const name = row.members ? "open" : "shut";
    const keys = new Set(this.#state[name]);
    if (!keys.delete(row.key)) keys.add(row.key);
    update({ [name]: [...keys].join(",") }, { replace: true });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const steps = /** @type {Record<string, number>} */ ({ Home: -Infinity, End: Infinity, PageDown: this.virtual.page, PageUp: -this.virtual.page });
    if (event.shiftKey && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      event.preventDefault();
      this.#pan(event.key === "ArrowLeft" ? -0.25 : 0.25);
    } else if (event.key in steps) {
      event.preventDefault();
      this.#move(steps[event.key]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (!this.#state?.span) this.#move(1);
      /** @type {HTMLElement | null} */ (document.querySelector(".details"))?.focus();
    } else if (event.key === " ") {
      event.preventDefault();
      const row = this.#selectedRow();
      if (row?.expandable) this.#toggle(row);
    }
  }

  /** @param {MouseEvent} event */
  #click(event) {
    if (this.#dragged) {
      this.#dragged = false;
      return;
    }
    const target = /** @type {Element} */ (event.target);
    const element = /** @type {HTMLElement | null} */ (target.closest("[data-row]"));
    if (!element) return;
    const row = this.rows[Number(element.dataset.row)];
    if (target.closest(".twist") && row.expandable) this.#toggle(row);
    else this.#select(row.key);
  }

  // Zoom

  /** @param {Interval | null} zoom */
  zoom(zoom) {
    if (!zoom) {
      update({ zoom: null });
      return;
    }
    const start = Math.max(0, Math.round(zoom.start));
    const end = Math.min(this.trace.duration, Math.round(zoom.end));
    if (end - start < 10) return;
    update({ zoom: start === 0 && end === this.trace.duration ? null : `${start}-${end}` });
  }

  /** @param {number} factor */
  #zoomBy(factor) {
    const current = this.#current();
    const whole = { start: this.scale.from, end: this.scale.to };
    const inside = current !== null && this.trace.start[current] >= whole.start && this.trace.start[current] <= whole.end;
    const center = inside && current !== null ? (Math.max(this.trace.start[current], whole.start) + Math.min(this.trace.end[current], whole.end)) / 2 : (whole.start + whole.end) / 2;
    const half = ((whole.end - whole.start) * factor) / 2;
    if (half * 2 >= this.trace.duration) update({ zoom: null });
    else this.zoom({ start: Math.max(0, center - half), end: Math.min(this.trace.duration, center + half) });
  }

  /** @param {number} part */
  #pan(part) {
    const width = this.scale.to - this.scale.from;
    const start = Math.max(0, Math.min(this.trace.duration - width, this.scale.from + width * part));
    this.zoom({ start, end: start + width });
  }

  #zoomToSpan() {
    const current = this.#current();
    if (current === null) return;
    const margin = Math.max(5, (this.trace.end[current] - this.trace.start[current]) * 0.04);
    this.zoom({ start: this.trace.start[current] - margin, end: this.trace.end[current] + margin });
  }

  #reroot() {
    const current = this.#current();
    if (current === null || this.#state?.root === current) update({ root: null });
    else update({ root: this.trace.spans[current].id });
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    const area = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest(".time, .ruler"));
    if (!area || event.button !== 0 || event.pointerType === "touch") return;
    const box = area.getBoundingClientRect();
    const place = (/** @type {PointerEvent} */ at) => Math.max(0, Math.min(1, (at.clientX - box.left) / box.width));
    const from = place(event);
    let to = from;
    this.#dragged = false;
    const stop = new AbortController();
    const end = () => {
      stop.abort();
      this.#band.hidden = true;
      if (!this.#dragged) return;
      const [low, high] = from < to ? [from, to] : [to, from];
      this.zoom({ start: this.scale.time(low), end: this.scale.time(high) });
      // The click that ends the drag comes after this event.
      setTimeout(() => (this.#dragged = false));
    };
    addEventListener("pointermove", (move) => {
      to = place(move);
      if (Math.abs(to - from) * box.width > 5) this.#dragged = true;
      if (!this.#dragged) return;
      move.preventDefault();
      const [low, high] = from < to ? [from, to] : [to, from];
      this.#band.hidden = false;
      this.#band.style.insetInlineStart = `${low * 100}%`;
      this.#band.style.inlineSize = `${(high - low) * 100}%`;
      this.#band.textContent = duration(this.scale.time(high) - this.scale.time(low));
    }, { signal: stop.signal });
    addEventListener("pointerup", end, { signal: stop.signal });
    addEventListener("pointercancel", end, { signal: stop.signal });
  }

  /** The handle that sets the width of the names. */
  #splitter() {
    let width = 0;
    const set = (/** @type {number} */ wanted) => {
      const most = this.#grid.clientWidth * 0.7;
      width = Math.max(140, Math.min(most, wanted));
      this.element.style.setProperty("--name", `${width}px`);
      handle.setAttribute("aria-valuenow", String(Math.round((100 * width) / (this.#grid.clientWidth || 1))));
    };
    const now = () => /** @type {HTMLElement} */ (this.#grid.querySelector(".head .name")).offsetWidth;
    const handle = h("div", {
      class: "splitter", role: "separator", tabindex: "0", "aria-orientation": "vertical", "aria-label": "Width of the names", "aria-valuemin": "10", "aria-valuemax": "70", "aria-valuenow": "38",
      on: {
        keydown: (/** @type {KeyboardEvent} */ event) => {
          const step = { ArrowLeft: -24, ArrowRight: 24 }[event.key];
          if (!step) return;
          event.preventDefault();
          event.stopPropagation();
          set(now() + step);
        },
        pointerdown: (/** @type {PointerEvent} */ event) => {
          const [from, before] = [event.clientX, now()];
          handle.setPointerCapture(event.pointerId);
          handle.onpointermove = (move) => set(before + move.clientX - from);
          handle.onpointerup = () => (handle.onpointermove = null);
          event.preventDefault();
        },
      },
    });
    return handle;
  }

  // Drawing

  /** @param {State} state */
  #drawScale(state) {
    const idle = state.idle ? this.idle : [];
    this.scale = new Scale(this.trace.duration, idle, state.zoom);
    this.minimap.update(new Scale(this.trace.duration, idle, null), state.zoom, state.critical);
    const width = this.#ruler.clientWidth || 600;
    const ticks = this.scale.ticks(Math.max(2, Math.min(7, Math.floor(width / 90))));
    fill(this.#ruler, ...ticks.filter((time) => this.scale.at(time) < 0.93).map((time) => {
      const label = h("span", { class: "tick" }, tick(time));
      label.style.insetInlineStart = `${this.scale.at(time) * 100}%`;
      return label;
    }));
    const lines = ticks.map((time) => {
      const line = h("i", {});
      line.style.insetInlineStart = `${this.scale.at(time) * 100}%`;
      return line;
    });
    const skipped = idle.filter((gap) => gap.end > this.scale.from && gap.start < this.scale.to).map((gap) => {
      const [from, to] = [this.scale.at(gap.start), this.scale.at(gap.end)];
      const band = h("b", { class: "skipped", title: `No span runs for ${duration(gap.end - gap.start)}` }, h("span", {}, duration(gap.end - gap.start)));
      band.style.insetInlineStart = `${from * 100}%`;
      band.style.inlineSize = `${(to - from) * 100}%`;
      return band;
    });
    fill(this.#lines, ...lines, ...skipped);
  }

  /** @param {number} index */
  #row(index) {
    const row = this.rows[index];
    const span = this.trace.spans[row.span];
    const selected = this.#state?.span === row.key;
    const totals = row.members && this.trace.totals(row.members);
    const tint = color(party(span));
    const took = totals ? totals.wall : this.trace.end[row.span] - this.trace.start[row.span];
    const indent = h("span", { class: "indent" });
    indent.style.inlineSize = `calc(var(--indent) * ${Math.min(row.level - 1, DEEPEST)})`;
    const matching = row.members ? row.members.some((member) => this.#matching.has(member)) : this.#matching.has(row.span);
    // A group has the telling attribute that all its spans share.
    const telling = row.members?.some((member) => this.trace.spans[member].telling !== span.telling) ? null : span.telling;
    const status = row.members ? (totals?.errors ? "fault" : "ok") : span.status;
    return h("div", {
      role: "row", id: `row-${index}`, "data-row": index,
      class: `columns row ${tint}${selected ? " selected" : ""}${matching ? " match" : ""}${span.placeholder ? " placeholder" : ""}${isError(status) ? ` bad ${status}` : ""}`,
      "aria-rowindex": index + 2, "aria-level": row.level, "aria-posinset": row.position, "aria-setsize": row.of,
      "aria-expanded": row.expandable ? String(row.expanded) : null, "aria-selected": String(selected),
    },
      h("div", { role: "gridcell", class: "name" }, indent,
        h("span", { class: "twist", "aria-hidden": "true" }, row.expandable && icon(row.expanded ? "down" : "expand")),
        h("i", { class: "dot", "aria-hidden": "true" }),
        totals && h("b", { class: "times" }, `${number(totals.count)} × `),
        h("span", { class: "label", title: `${span.service}\n${span.name}` }, span.placeholder ? "Span not received" : span.name),
        telling && h("span", { class: "telling" }, telling),
        this.#differentService(row) && h("span", { class: "telling" }, span.service),
        totals && totals.errors > 0 && badge("alert", plural(totals.errors, "error")),
        !row.members && isError(span.status) && badge("alert", statusName(span.status)),
        !row.members && span.marks.length > 0 && h("span", { class: "chip mark-chip" }, markName(span.marks[0])),
        !row.members && span.links.length > 0 && h("span", { class: "linked", title: plural(span.links.length, "link") }, icon("link"))),
      h("div", { role: "gridcell", class: "took" }, totals ? h("span", { title: `Sum ${duration(totals.sum)}, each ${duration(totals.least)} to ${duration(totals.most)}` }, duration(took)) : duration(took)),
      h("div", { role: "gridcell", class: "time" },
        h("span", { class: "offscreen" }, `starts at ${duration(totals ? totals.from : this.trace.start[row.span])}`),
        ...(totals && row.members ? this.#groupBars(row.members, totals) : this.#bar(row)),
        ...this.#criticalParts(row),
        ...this.#marks(row)));
  }

  /** @param {TreeRow} row */
  #differentService(row) {
    const span = this.trace.spans[row.span];
    return !span.placeholder && (span.parent === null ? this.trace.roots.length > 1 : this.trace.spans[span.parent].service !== span.service);
  }

  /** @param {TreeRow} row */
  #bar(row) {
    const [start, end] = [this.trace.start[row.span], this.trace.end[row.span]];
    const bar = this.#placed("bar", start, end);
    if (!bar) {
      const before = this.scale.at(end) < 0;
      return [h("span", { class: `beyond ${before ? "before" : "after"}`, title: before ? "Before this section" : "After this section" }, icon(before ? "back" : "expand"))];
    }
    const span = this.trace.spans[row.span];
    if (span.marks.includes("in_progress")) bar.classList.add("running");
    return [bar];
  }

  /** @param {string} kind @param {number} start @param {number} end @param {string} [title] */
  #placed(kind, start, end, title) {
    const from = this.scale.at(start);
    const to = this.scale.at(end);
    if (to < 0 || from > 1) return null;
    const [low, high] = [Math.max(0, from), Math.min(1, to)];
    const element = h("i", { class: kind, title });
    element.style.insetInlineStart = `${low * 100}%`;
    element.style.inlineSize = `${(high - low) * 100}%`;
    return element;
  }

  /** @param {number[]} members @param {ReturnType<Trace["totals"]>} totals */
  #groupBars(members, totals) {
    const back = this.#placed("bar around", totals.from, totals.to);
    if (!back) return [];
    let path = "";
    let last = -1;
    for (const member of members) {
      const from = Math.max(0, this.scale.at(this.trace.start[member]) * 1000);
      const to = Math.min(1000, Math.max(from + 1, this.scale.at(this.trace.end[member]) * 1000));
      if (to < 0 || from > 1000 || to <= last + 0.2) continue;
      path += `M${from.toFixed(1)} 5H${to.toFixed(1)}`;
      last = to;
    }
    const svg = s("svg", { class: "multi", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" }, s("path", { d: path }));
    const text = h("span", { class: "sum" }, `Σ ${duration(totals.sum)}`, h("span", { class: "range" }, ` · ${duration(totals.least)}–${duration(totals.most)}`));
    const [from, to] = [this.scale.at(totals.from), this.scale.at(totals.to)];
    // Beside the bars, where more room is.
    if (1 - to >= Math.min(from, 0.3)) text.style.insetInlineStart = `calc(${Math.max(0, to) * 100}% + 8px)`;
    else text.style.insetInlineEnd = `calc(${(1 - from) * 100}% + 8px)`;
    return [back, svg, text];
  }

  /** Parts of the critical path in this row, and in rows that it hides. @param {TreeRow} row */
  #criticalParts(row) {
    if (!this.#state?.critical) return [];
    const shown = row.members ?? [row.span];
    const hidden = row.expandable && !row.expanded ? shown.flatMap((span) => this.trace.subtree(span)) : row.members ? [] : shown;
    /** @type {Interval[]} */
    const parts = hidden.flatMap((span) => this.trace.critical.get(span) ?? []).sort((a, b) => a.start - b.start);
    /** @type {Interval[]} */
    const joined = [];
    for (const part of parts) {
      const previous = joined[joined.length - 1];
      if (previous && part.start - previous.end < this.scale.width * 0.001) previous.end = Math.max(previous.end, part.end);
      else joined.push({ ...part });
    }
    return joined.map((part) => this.#placed("critical", part.start, part.end));
  }

  /** @param {TreeRow} row */
  #marks(row) {
    if (row.members) return [];
    const span = this.trace.spans[row.span];
    const events = span.events.slice(0, MOST_MARKS).map((event) => this.#mark(event.name === "exception" ? "event thrown" : "event", row.span, event.time, event.name));
    const logs = (this.trace.logs.get(row.span) ?? []).slice(0, MOST_MARKS).map((log) =>
      this.#mark(`log${log.severity_number >= 17 ? " fault" : log.severity_number >= 13 ? " error" : ""}`, row.span, log.time, `${log.severity}: ${log.body}`));
    return [...events, ...logs];
  }

  /** @param {string} kind @param {number} span @param {string} time @param {string} title */
  #mark(kind, span, time, title) {
    const at = this.scale.at(this.trace.offset(time) + this.trace.shift[span]);
    if (at < 0 || at > 1) return null;
    const element = h("i", { class: `point ${kind}`, title: `${clock(time)} ${title}` });
    element.style.insetInlineStart = `${at * 100}%`;
    return element;
  }
}

/** @param {import("./dom.js").Icon} name @param {string} text */
function badge(name, text) {
  return h("span", { class: "badge" }, icon(name), h("span", {}, text));
}

const MARKS = /** @type {Record<string, string>} */ ({
  cycle: "cycle", self_parent: "own parent", several_roots: "several roots", duplicate: "received twice", reversed_time: "ends before start", future_time: "in the future",
  parent_missing: "parent missing", clock_skew: "clock skew", in_progress: "in progress", zero_time: "without a time", bad_trace_id: "invalid trace id",
});

/** @param {string} code */
export function markName(code) {
  return MARKS[code] ?? code.replaceAll("_", " ");
}

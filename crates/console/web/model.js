// One trace as the views draw it: times relative to its start, folded rows, search.

import { isError } from "./format.js";

/** @import { Attribute, Log, Span, TraceData } from "./types.js" */

// So many equal siblings in a row are one row.
const FOLD = 5;

/**
 * A row of the tree: a span, or a group of equal siblings.
 * @typedef {{
 *   key: string, span: number, members: number[] | null, level: number, position: number, of: number,
 *   expandable: boolean, expanded: boolean,
 * }} TreeRow
 */

/**
 * @typedef {{ root: number | null, fold: boolean, shut: Set<string>, open: Set<string>, only: Set<number> | null }} TreeOptions
 */

/** @typedef {{ items: Item[], at: number, level: number }} Level */
/** @typedef {{ span: number, members: number[] | null }} Item */

export class Trace {
  /** @param {TraceData} data @param {boolean} [adjusted] whether times are shifted by the clock skew that the console suggests */
  constructor(data, adjusted = false) {
    this.data = data;
    this.adjusted = adjusted;
    this.isSkewed = data.spans.some((span) => span.skew !== null);
    const shift = data.spans.map((span) => (adjusted && span.skew !== null ? BigInt(span.skew) : 0n));
    /** How many nanoseconds the times of a span are shifted. */
    this.shift = shift.map(Number);
    this.spans = data.spans;
    const starts = data.spans.length ? data.spans.map((span, index) => BigInt(span.start) + shift[index]) : data.logs.map((log) => BigInt(log.time));
    /** @type {bigint} */
    this.base = starts.length ? starts.reduce((a, b) => (b < a ? b : a)) : 0n;
    /** Nanoseconds since the start of the trace. */
    this.start = data.spans.map((span, index) => this.offset(span.start) + this.shift[index]);
    this.end = data.spans.map((span, index) => Math.max(this.start[index], this.offset(span.end) + this.shift[index]));
    this.duration = Math.max(1, this.end.reduce((a, b) => Math.max(a, b), 0));
    /** @type {Map<string, number>} */
    this.byId = new Map();
    data.spans.forEach((span) => {
      if (!this.byId.has(span.id)) this.byId.set(span.id, span.index);
    });
    this.roots = data.spans.filter((span) => span.parent === null).map((span) => span.index);
    /** @type {Map<number, Log[]>} */
    this.logs = new Map();
    /** @type {Log[]} */
    this.strayLogs = [];
    for (const log of data.logs) {
      const index = log.span === null ? undefined : this.byId.get(log.span);
      if (index === undefined) this.strayLogs.push(log);
      else this.logs.set(index, [...(this.logs.get(index) ?? []), log]);
    }
    this.errors = data.spans.filter((span) => isError(span.status)).map((span) => span.index);
    this.withErrors = this.#upwards(new Set(this.errors));
    /** @type {Map<number, { start: number, end: number }[]>} */
    this.critical = new Map();
    for (const part of data.critical_path) {
      const parts = this.critical.get(part.span) ?? [];
      parts.push({ start: this.offset(part.start) + this.shift[part.span], end: this.offset(part.end) + this.shift[part.span] });
      this.critical.set(part.span, parts);
    }
    /** @type {Map<number, Item[]>} */
    this.items = new Map();
    /** @type {(string | undefined)[]} */
    this.texts = [];
  }

  /** @param {string} time */
  offset(time) {
    return Number(BigInt(time) - this.base);
  }

  /** @param {Span} span */
  resourceOf(span) {
    return span.resource === null ? undefined : this.data.resources[span.resource];
  }

  /** @param {Span} span */
  scopeOf(span) {
    return span.scope === null ? undefined : this.data.scopes[span.scope];
  }

  /** The given spans and all that contain them. @param {Set<number>} spans */
  #upwards(spans) {
    const found = new Set(spans);
    for (const span of spans) {
      for (let parent = this.spans[span].parent; parent !== null && !found.has(parent); parent = this.spans[parent].parent) found.add(parent);
    }
    return found;
  }

  /** The spans to show so that these are visible: they and their ancestors. @param {number[]} matches */
  withAncestors(matches) {
    return this.#upwards(new Set(matches));
  }

  /** The children of a span, or the roots, with runs of equal siblings as groups. @param {number | null} parent @returns {Item[]} */
  #itemsOf(parent) {
    const known = this.items.get(parent ?? -1);
    if (known) return known;
    const children = parent === null ? this.roots : this.spans[parent].children;
    /** @type {Item[]} */
    const items = [];
    for (let from = 0; from < children.length; ) {
      let to = from + 1;
      while (to < children.length && this.#equal(children[from], children[to])) to++;
      if (to - from >= FOLD) items.push({ span: children[from], members: children.slice(from, to) });
      else for (let at = from; at < to; at++) items.push({ span: children[at], members: null });
      from = to;
    }
    this.items.set(parent ?? -1, items);
    return items;
  }

  /** @param {number} a @param {number} b */
  #equal(a, b) {
    const [one, other] = [this.spans[a], this.spans[b]];
    return one.service === other.service && one.name === other.name && one.kind === other.kind && one.placeholder === other.placeholder;
  }

  /** @param {TreeOptions} options @returns {TreeRow[]} */
  rows({ root, fold, shut, open, only }) {
    /** @type {TreeRow[]} */
    const rows = [];
    /** @param {Item[]} items @returns {Item[]} */
    const kept = (items) => {
      if (!only && fold) return items;
      const spans = items.flatMap((item) => item.members ?? [item.span]);
      return spans.filter((span) => !only || only.has(span)).map((span) => ({ span, members: null }));
    };
    /** @type {Level[]} */
    const stack = [{ items: root === null ? kept(this.#itemsOf(null)) : [{ span: root, members: null }], at: 0, level: 1 }];
    while (stack.length) {
      const top = stack[stack.length - 1];
      if (top.at >= top.items.length) {
        stack.pop();
        continue;
      }
      const item = top.items[top.at++];
      const place = { level: top.level, position: top.at, of: top.items.length };
      if (item.members) {
        const key = `g${this.spans[item.span].id}`;
        const expanded = open.has(key);
        rows.push({ key, span: item.span, members: item.members, ...place, expandable: true, expanded });
        // Errors stay visible.
        const shown = expanded ? item.members : item.members.filter((member) => this.withErrors.has(member));
        if (shown.length) stack.push({ items: shown.map((span) => ({ span, members: null })), at: 0, level: top.level + 1 });
        continue;
      }
      const key = this.spans[item.span].id;
      const expandable = this.spans[item.span].children.length > 0;
      const expanded = expandable && !shut.has(key);
      rows.push({ key, span: item.span, members: null, ...place, expandable, expanded });
      if (expanded) {
        const items = kept(this.#itemsOf(item.span));
        if (items.length) stack.push({ items, at: 0, level: top.level + 1 });
      }
    }
    return rows;
  }

  /** What must be open so that a span has a row. @param {number} span @returns {{ ancestors: string[], groups: string[] }} */
  pathTo(span) {
    const ancestors = [];
    const groups = [];
    for (let at = span; ; ) {
      const parent = this.spans[at].parent;
      const group = this.#itemsOf(parent).find((item) => item.members?.includes(at));
      if (group && !this.withErrors.has(at)) groups.push(`g${this.spans[group.span].id}`);
      if (parent === null) return { ancestors, groups };
      ancestors.push(this.spans[parent].id);
      at = parent;
    }
  }

  /** The spans of a group by the key of its row. @param {string} key */
  group(key) {
    const first = this.byId.get(key.slice(1));
    if (first === undefined || !key.startsWith("g")) return null;
    return this.#itemsOf(this.spans[first].parent).find((item) => item.members?.[0] === first)?.members ?? null;
  }

  /** Lower-case text of all that search looks at. @param {number} index */
  #text(index) {
    let text = this.texts[index];
    if (text === undefined) {
      const span = this.spans[index];
      const words = [span.name, span.id, span.service, span.kind, span.telling, span.status, span.status_message];
      attributeWords(span.attributes, words);
      attributeWords(this.resourceOf(span)?.attributes ?? [], words);
      for (const event of span.events) {
        words.push(event.name);
        attributeWords(event.attributes, words);
      }
      for (const log of this.logs.get(index) ?? []) {
        words.push(log.body, log.severity);
        attributeWords(log.attributes, words);
      }
      text = words.join("\n").toLowerCase();
      this.texts[index] = text;
    }
    return text;
  }

  /** The spans that contain the text, in order. @param {string} text @returns {number[]} */
  search(text) {
    const wanted = text.trim().toLowerCase();
    if (!wanted) return [];
    return this.spans.filter((span) => this.#text(span.index).includes(wanted)).map((span) => span.index);
  }

  /** Count, wall time, sum, least and greatest duration of spans. @param {number[]} members */
  totals(members) {
    let [sum, least, most, from, to, errors] = [0, Infinity, 0, Infinity, 0, 0];
    for (const member of members) {
      const took = this.end[member] - this.start[member];
      sum += took;
      least = Math.min(least, took);
      most = Math.max(most, took);
      from = Math.min(from, this.start[member]);
      to = Math.max(to, this.end[member]);
      if (this.withErrors.has(member)) errors++;
    }
    return { count: members.length, wall: to - from, sum, least, most, from, to, errors };
  }

  /** The spans of a subtree, its root first. @param {number} root */
  subtree(root) {
    const found = [];
    const stack = [root];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      found.push(next);
      stack.push(...this.spans[next].children.toReversed());
    }
    return found;
  }
}

/** @param {Attribute[]} attributes @param {(string | null)[]} words */
function attributeWords(attributes, words) {
  for (const attribute of attributes) words.push(attribute.key, valueText(attribute));
}

/** A value as text. @param {{ type: string, value: unknown }} value @returns {string} */
export function valueText({ type, value }) {
  if (type === "array" || type === "map") return JSON.stringify(plain({ type, value }));
  return value === null || value === undefined ? "" : String(value);
}

/** A value as JSON. Integers that a number cannot hold stay text. @param {{ type: string, value: unknown }} value @returns {unknown} */
export function plain({ type, value }) {
  if (type === "array" && Array.isArray(value)) return value.map(plain);
  if (type === "map" && Array.isArray(value)) return Object.fromEntries(value.map((one) => [one.key, plain(one)]));
  if (type === "int") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  return value ?? null;
}

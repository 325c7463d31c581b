// The time axis: a zoomed section, in which long gaps without any span take little width.

// A gap is shortened if it is at least this part of the trace. It then takes the second part of the width.
const LONG = 0.12;
const SHORT = 0.04;

/** @typedef {{ start: number, end: number }} Interval */

/** The gaps in which no span runs. @param {Interval[]} spans @param {number} duration @returns {Interval[]} */
export function gaps(spans, duration) {
  const sorted = [...spans].sort((a, b) => a.start - b.start);
  const found = [];
  let covered = sorted[0]?.end ?? 0;
  for (const span of sorted) {
    if (span.start - covered >= duration * LONG) found.push({ start: covered, end: span.start });
    covered = Math.max(covered, span.end);
  }
  return found;
}

export class Scale {
  /** @param {number} duration @param {Interval[]} idle gaps to shorten @param {Interval | null} zoom in nanoseconds */
  constructor(duration, idle, zoom) {
    this.duration = duration;
    this.idle = idle;
    // A gap within a trace that is mostly gaps takes the same small part of what remains.
    const skipped = idle.reduce((sum, gap) => sum + gap.end - gap.start, 0);
    const active = Math.max(duration - skipped, duration * 1e-6);
    this.gap = active * SHORT;
    const from = zoom?.start ?? 0;
    const to = zoom?.end ?? duration;
    this.from = from;
    this.to = Math.max(to, from + 1);
    this.low = this.#bend(this.from);
    this.width = this.#bend(this.to) - this.low;
  }

  /** @param {number} time */
  #bend(time) {
    let result = time;
    for (const { start, end } of this.idle) {
      if (time >= end) result -= end - start - this.gap;
      else if (time > start) result -= (time - start) * (1 - this.gap / (end - start));
    }
    return result;
  }

  /** The place of a time, 0 to 1 where visible. @param {number} time */
  at(time) {
    return (this.#bend(time) - this.low) / this.width;
  }

  /** The time at a place. @param {number} place */
  time(place) {
    const bent = this.low + place * this.width;
    let skipped = 0;
    for (const { start, end } of this.idle) {
      const from = start - skipped;
      if (bent <= from) break;
      if (bent < from + this.gap) return start + ((bent - from) * (end - start)) / this.gap;
      skipped += end - start - this.gap;
    }
    return bent + skipped;
  }

  /** Round times for the axis, none inside a shortened gap. @param {number} count @returns {number[]} */
  ticks(count) {
    const step = round(this.width / count);
    const found = [];
    let previous = -Infinity;
    for (let place = 0; place < count * 4; place++) {
      const time = Math.ceil(this.time(place / (count * 4)) / step) * step;
      if (time <= previous || time > this.to || this.idle.some((gap) => time > gap.start && time < gap.end)) continue;
      if (this.at(time) - (found.length ? this.at(found[found.length - 1]) : -1) < 0.6 / count) continue;
      found.push(time);
      previous = time;
    }
    return found;
  }
}

/** 1, 2 or 5 times a power of ten. @param {number} value */
function round(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  const factor = value / power;
  return power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 5 ? 5 : 10);
}

// Text of durations, times, sizes and ids. Every view uses these.

import { settings } from "./settings.js";

const UNITS = /** @type {const} */ ([
  ["s", 1e9],
  ["ms", 1e6],
  ["µs", 1e3],
]);

/** A duration with three significant digits. @param {bigint | string | number} nanoseconds @returns {string} */
export function duration(nanoseconds) {
  const value = Number(nanoseconds);
  if (!Number.isFinite(value)) return "–";
  if (value < 0) return `−${duration(-value)}`;
  if (value >= 59.995e9) return long(value / 1e9);
  for (const [unit, size] of UNITS) {
    // 999.95 µs rounds to the next unit.
    if (value >= size * 0.9995) return `${digits(value / size)} ${unit}`;
  }
  return `${Math.round(value)} ns`;
}

/** @param {number} seconds */
function long(seconds) {
  const whole = Math.round(seconds);
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days) return hours ? `${days} d ${hours} h` : `${days} d`;
  if (hours) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  return whole % 60 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
}

/** Three significant digits without trailing zeros in the unit's integers. @param {number} value */
function digits(value) {
  if (value >= 99.95) return String(Math.round(value));
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

/** A duration on an axis, without trailing zeros. @param {number} nanoseconds */
export function tick(nanoseconds) {
  return nanoseconds === 0 ? "0" : duration(nanoseconds).replace(/\.0+ /, " ").replace(/(\.\d*[1-9])0+ /, "$1 ");
}

/**
 * The nanoseconds of text such as `1.5 s`, `200ms` or `200` (milliseconds), or null.
 * @param {string} text @returns {bigint | null}
 */
export function parseDuration(text) {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s|m|min|h)?\s*$/i.exec(text);
  if (!match) return null;
  const size = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 6e10, min: 6e10, h: 3.6e12 }[(match[2] ?? "ms").toLowerCase()] ?? 1e6;
  return BigInt(Math.round(Number(match[1]) * size));
}

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {bigint | string} nanoseconds */
function parts(nanoseconds) {
  const zone = settings.zone === "utc" ? "UTC" : undefined;
  const key = zone ?? "local";
  let format = formats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
      hourCycle: "h23", timeZoneName: "short",
    });
    formats.set(key, format);
  }
  const total = BigInt(nanoseconds);
  const fraction = ((total % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const date = new Date(Number((total - fraction) / 1_000_000n));
  if (Number.isNaN(date.getTime())) return null;
  const found = Object.fromEntries(format.formatToParts(date).map((part) => [part.type, part.value]));
  return { ...found, fraction: String(fraction).padStart(9, "0") };
}

/** The time of day with milliseconds. @param {bigint | string} nanoseconds */
export function clock(nanoseconds) {
  const found = /** @type {any} */ (parts(nanoseconds));
  return found ? `${found.hour}:${found.minute}:${found.second}.${found.fraction.slice(0, 3)}` : "–";
}

/** @param {bigint | string} nanoseconds */
export function day(nanoseconds) {
  const found = /** @type {any} */ (parts(nanoseconds));
  return found ? `${found.year}-${found.month}-${found.day}` : "–";
}

/** The date and the time, with all digits. @param {bigint | string} nanoseconds */
export function timestamp(nanoseconds) {
  const found = /** @type {any} */ (parts(nanoseconds));
  if (!found) return String(nanoseconds);
  return `${day(nanoseconds)} ${found.hour}:${found.minute}:${found.second}.${found.fraction} ${found.timeZoneName}`;
}

/** @param {number} count @param {string} one @param {string} [many] */
export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;
}

/** @param {number} value */
export function number(value) {
  return value.toLocaleString("en-US", { maximumFractionDigits: 3 });
}

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const kib = bytes / 1024;
  return kib < 1024 ? `${digits(kib)} KiB` : `${digits(kib / 1024)} MiB`;
}

/** @param {number} dollars */
export function dollars(dollars) {
  const places = dollars < 0.1 ? 3 : 2;
  return `$${dollars.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places })}`;
}

/** A W3C or X-Ray trace id as 32 hexadecimal digits, or null. @param {string} text @returns {string | null} */
export function traceId(text) {
  const trimmed = text.trim().toLowerCase();
  if (/^[0-9a-f]{32}$/.test(trimmed)) return trimmed;
  const xray = /^(?:root=)?1-([0-9a-f]{8})-([0-9a-f]{24})$/.exec(trimmed);
  if (xray) return `${xray[1]}${xray[2]}`;
  const parent = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(trimmed);
  return parent ? parent[1] : null;
}

const STATUS = { ok: "OK", error: "Error", fault: "Fault", throttle: "Throttled", unset: "OK" };

/** @param {string} status */
export function statusName(status) {
  return STATUS[/** @type {keyof typeof STATUS} */ (status)] ?? status;
}

/** @param {string} status */
export function isError(status) {
  return status === "error" || status === "fault" || status === "throttle";
}

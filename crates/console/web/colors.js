// One color for each service or called system, the same in all views.

/** @import { Span } from "./types.js" */

const COUNT = 8;
/** @type {Map<string, number>} */
const assigned = new Map();

/** The class of a color, such as `c3`. @param {string} name */
export function color(name) {
  let index = assigned.get(name);
  if (index === undefined) {
    let hash = 0;
    for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
    index = hash % COUNT;
    const taken = new Set(assigned.values());
    for (let tries = 0; taken.has(index) && tries < COUNT; tries++) index = (index + 1) % COUNT;
    assigned.set(name, index);
  }
  return `c${index}`;
}

const SYSTEMS = ["db.system.name", "db.system", "messaging.system", "rpc.system.name", "rpc.system", "gen_ai.provider.name"];

/** The service of a span, or the system that it calls: DynamoDB, SQS, HTTP. @param {Span} span */
export function party(span) {
  if (span.kind === "client" || span.kind === "producer") {
    for (const name of SYSTEMS) {
      const found = span.attributes.find((attribute) => attribute.key === name);
      if (found && typeof found.value === "string") return found.value;
    }
    if (span.attributes.some((attribute) => attribute.key.startsWith("http.") || attribute.key === "url.full")) return "http";
  }
  return span.service;
}

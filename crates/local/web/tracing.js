// Traces the user's actions: one trace for each action, from the browser to the table.
//
// The root span is the page load or a click, and each request is a client span below it. Spans leave in batches. A batch
// that fails is lost: telemetry never disturbs the page. Names and attributes contain nothing private: no text, search
// term, id or token.

/** The API replaces the service name of the request by this name. */
const SERVICE = "cruddur-web";
const KINDS = /** @type {const} */ ({ internal: 1, client: 3 });
const ERROR = 2;
/** A batch stays below the 64 KiB that browsers allow for requests which outlive the page. */
const MOST_SPANS = 32;
/** Spans that wait until the receiver is known. Older ones are lost. */
const MOST_WAITING = 128;
/** After this number of failures in a row, for example if the API does not receive spans, the tracer stops. */
const MOST_FAILURES = 3;
const DELAY = 1000;

/** @typedef {string | number | boolean | null | undefined} Value */
/** @typedef {Record<string, Value>} Attributes */
/** @typedef {keyof typeof KINDS} Kind */
/** `now` returns milliseconds since 1970, and `random` hexadecimal digits. @typedef {{ now: () => number, random: (digits: number) => string }} Environment */
/** Resolves to whether all spans were accepted. @typedef {(body: string) => Promise<boolean>} Send */

/** Numbers of these attributes are doubles even if they have no fraction. */
const DOUBLES = /^(navigation|web_vitals)\./;

export class Span {
  /** @type {Attributes} */
  #attributes;
  #tracer;
  /** @type {number | null} */
  #end = null;
  #failed = false;
  #isSent = false;

  /** @param {Tracer} tracer @param {string} name @param {Kind} kind @param {{ trace: string, id: string, parent: string, start: number, attributes: Attributes }} values */
  constructor(tracer, name, kind, { trace, id, parent, start, attributes }) {
    this.#tracer = tracer;
    this.name = name;
    this.kind = kind;
    this.trace = trace;
    this.id = id;
    this.parent = parent;
    this.start = start;
    this.#attributes = { ...attributes };
  }

  /** The duration in milliseconds, or null before the end. */
  get duration() {
    return this.#end === null ? null : this.#end - this.start;
  }

  /** Whether the tracer sends spans. */
  get sends() {
    return this.#tracer.sends;
  }

  /** @param {string} name @param {Kind} kind @param {Attributes} [attributes] @returns {Span} */
  child(name, kind, attributes = {}) {
    const tracer = this.#tracer;
    return new Span(tracer, name, kind, { trace: this.trace, id: tracer.spanId(), parent: this.id, start: tracer.now(), attributes });
  }

  /** @param {Attributes} attributes */
  set(attributes) {
    Object.assign(this.#attributes, attributes);
  }

  /** @param {string} type a status, or the class of an error */
  fail(type) {
    this.#failed = true;
    this.set({ "error.type": type });
  }

  /** Notes the time of the end. Attributes may follow until `end`. */
  stop() {
    this.#end ??= Math.max(this.#tracer.now(), this.start);
  }

  end() {
    if (this.#isSent) return;
    this.stop();
    this.#isSent = true;
    this.#tracer.ended(this);
  }

  /**
   * The headers that make the server continue this trace. API Gateway and X-Ray adopt `Root`; they decide about sampling.
   * They are empty if the tracer has stopped, because the server's span would lack its parent.
   * @returns {Record<string, string>}
   */
  headers() {
    if (!this.sends) return {};
    return {
      traceparent: `00-${this.trace}-${this.id}-01`,
      "x-amzn-trace-id": `Root=1-${this.trace.slice(0, 8)}-${this.trace.slice(8)}`,
    };
  }

  /** The span in OTLP's JSON form. */
  encoded() {
    return {
      traceId: this.trace,
      spanId: this.id,
      ...(this.parent && { parentSpanId: this.parent }),
      name: this.name,
      kind: KINDS[this.kind],
      startTimeUnixNano: nanoseconds(this.start),
      endTimeUnixNano: nanoseconds(this.#end ?? this.start),
      attributes: encoded(this.#attributes),
      ...(this.#failed && { status: { code: ERROR } }),
    };
  }
}

export class Tracer {
  /** @type {Span[]} */
  #waiting = [];
  /** @type {ReturnType<typeof setTimeout> | null} */
  #timer = null;
  #failures = 0;
  #environment;
  /** @type {Send | null} */
  #send = null;

  /** @param {Environment} environment */
  constructor(environment) {
    this.#environment = environment;
  }

  now() {
    return this.#environment.now();
  }

  /** Whether spans are sent. */
  get sends() {
    return this.#failures < MOST_FAILURES;
  }

  /** Sends the ended spans, which have waited for the receiver, and all later ones. @param {Send} send */
  sendTo(send) {
    this.#send = send;
    return this.flush();
  }

  /** Stops sending spans and headers. */
  disable() {
    this.#failures = MOST_FAILURES;
    this.#waiting = [];
  }

  spanId() {
    return this.#environment.random(16);
  }

  /**
   * Starts the root span of a new trace. Its id begins with the seconds since 1970, as X-Ray requires.
   * @param {string} name @param {Attributes} [attributes] @param {number} [start]
   */
  start(name, attributes = {}, start = this.now()) {
    const epoch = Math.floor(start / 1000).toString(16).padStart(8, "0").slice(-8);
    const trace = epoch + this.#environment.random(24);
    return new Span(this, name, "internal", { trace, id: this.spanId(), parent: "", start, attributes });
  }

  /** @param {Span} span */
  ended(span) {
    if (!this.sends) return;
    this.#waiting.push(span);
    if (this.#waiting.length > MOST_WAITING) this.#waiting.splice(0, this.#waiting.length - MOST_WAITING);
    if (this.#waiting.length >= MOST_SPANS) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), DELAY);
  }

  /** Sends the ended spans. Never fails. */
  async flush() {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (this.#send && this.#waiting.length) {
      const accepted = await this.#send(body(this.#waiting.splice(0, MOST_SPANS))).catch(() => false);
      if (!this.sends) return;
      this.#failures = accepted ? 0 : this.#failures + 1;
      if (!this.sends) this.disable();
    }
  }
}

/** @param {Span[]} batch */
function body(batch) {
  const scope = { scope: { name: SERVICE }, spans: batch.map((span) => span.encoded()) };
  const resource = { attributes: encoded({ "service.name": SERVICE }) };
  return JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [scope] }] });
}

/** Whole microseconds, because a double cannot hold nanoseconds. @param {number} milliseconds */
function nanoseconds(milliseconds) {
  return String(BigInt(Math.round(milliseconds * 1000)) * 1000n);
}

/** @param {Attributes} attributes */
function encoded(attributes) {
  return Object.entries(attributes).flatMap(([key, value]) => {
    const found = typed(key, value);
    return found ? [{ key, value: found }] : [];
  });
}

/** @param {string} key @param {Value} value @returns {object | null} */
function typed(key, value) {
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "string") return { stringValue: value };
  if (typeof value !== "number" || !Number.isFinite(value)) return null;
  return Number.isInteger(value) && !DOUBLES.test(key) ? { intValue: String(value) } : { doubleValue: value };
}

/** A difference of the clocks above which the computer has slept, or the user has set the time. */
const LARGEST_DRIFT = 1000;

/** @returns {Environment} */
export function browserEnvironment() {
  let origin = performance.timeOrigin;
  return {
    // The monotonic clock is precise, but stands still while the computer sleeps. A span that is open then includes the sleep.
    now() {
      const [wall, monotonic] = [Date.now(), performance.now()];
      if (Math.abs(wall - origin - monotonic) > LARGEST_DRIFT) origin = wall - monotonic;
      return origin + monotonic;
    },
    random(digits) {
      const bytes = crypto.getRandomValues(new Uint8Array(digits / 2));
      return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    },
  };
}

/**
 * Returns a function that sends spans to `url`. A receiver that rejects spans, for example because the clock of the
 * browser is wrong, counts as failed: the server's spans would lack their parents.
 * @param {string} url @returns {Send}
 */
export function receiver(url) {
  return async (body) => {
    const headers = { "content-type": "application/json" };
    // It outlives the page.
    const response = await fetch(url, { method: "POST", headers, body, keepalive: true, credentials: "omit", cache: "no-store" });
    const { partialSuccess } = JSON.parse((await response.text()) || "{}");
    return response.ok && !(Number(partialSuccess?.rejectedSpans) > 0);
  };
}

/**
 * Sends a request as a client span of `parent`, and returns the response with its text. `continues` is whether the server
 * continues the trace.
 * @param {Span} parent @param {string} template the path, with names instead of values @param {string} url
 * @param {RequestInit & { method: string, headers?: Record<string, string> }} options @param {boolean} [continues]
 */
export async function fetchTraced(parent, template, url, options, continues = false) {
  const span = parent.child(`${options.method} ${template}`, "client", {
    "http.request.method": options.method,
    "url.template": template,
    "server.address": new URL(url, document.baseURI).hostname,
  });
  try {
    const headers = { ...options.headers, ...(continues && span.headers()) };
    const response = await fetch(url, { ...options, headers });
    const text = await response.text();
    span.set({ "http.response.status_code": response.status });
    if (!response.ok) span.fail(String(response.status));
    return { response, text };
  } catch (error) {
    span.fail(options.signal?.aborted ? "canceled" : "network");
    throw error;
  } finally {
    span.end();
  }
}

/** The navigation timing of the page load, in milliseconds from its start. @returns {Attributes} */
export function navigationTiming() {
  const [entry] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
  if (!entry) return {};
  /** @param {number} from @param {number} to */
  const between = (from, to) => (to > 0 ? rounded(to - from) : null);
  return {
    "navigation.type": entry.type,
    "navigation.dns_ms": between(entry.domainLookupStart, entry.domainLookupEnd),
    "navigation.tcp_ms": between(entry.connectStart, entry.connectEnd),
    "navigation.ttfb_ms": between(0, entry.responseStart),
    "navigation.response_ms": between(entry.responseStart, entry.responseEnd),
    "navigation.dom_interactive_ms": between(0, entry.domInteractive),
    "navigation.dom_content_loaded_ms": between(0, entry.domContentLoadedEventEnd),
    "navigation.load_ms": between(0, entry.loadEventEnd),
  };
}

/** Core web vitals: the largest paint, the unexpected shifts of the layout, and the slowest interaction. */
export class WebVitals {
  /** @type {number | null} */
  #lcp = null;
  #cls = 0;
  /** @type {number | null} */
  #inp = null;
  #windowStart = 0;
  #windowEnd = 0;
  #windowSum = 0;
  /** @type {() => void} */
  #painted = () => {};
  /** Resolves when the first large paint is known. */
  painted = new Promise((/** @type {(value?: unknown) => void} */ resolve) => (this.#painted = resolve));

  constructor() {
    this.#observe("largest-contentful-paint", {}, (entry) => {
      this.#lcp = entry.startTime;
      this.#painted();
    });
    this.#observe("layout-shift", {}, (entry) => this.#shifted(entry));
    this.#observe("event", { durationThreshold: 40 }, (entry) => this.#interacted(entry));
    this.#observe("first-input", {}, (entry) => this.#interacted(entry));
  }

  /** @param {string} type @param {object} options @param {(entry: any) => void} receive */
  #observe(type, options, receive) {
    try {
      const observer = new PerformanceObserver((list) => list.getEntries().forEach(receive));
      observer.observe(/** @type {PerformanceObserverInit} */ ({ type, buffered: true, ...options }));
    } catch {
      // The browser does not measure it.
    }
  }

  /** The score is the largest sum in a window of at most 5 s without a gap of 1 s. @param {any} entry */
  #shifted(entry) {
    if (entry.hadRecentInput) return;
    const continues = entry.startTime - this.#windowEnd < 1000 && entry.startTime - this.#windowStart < 5000;
    this.#windowSum = continues ? this.#windowSum + entry.value : entry.value;
    if (!continues) this.#windowStart = entry.startTime;
    this.#windowEnd = entry.startTime;
    this.#cls = Math.max(this.#cls, this.#windowSum);
  }

  /** @param {any} entry */
  #interacted(entry) {
    if (entry.entryType === "event" && !entry.interactionId) return;
    this.#inp = Math.max(this.#inp ?? 0, entry.duration);
  }

  /** @returns {Attributes} */
  attributes() {
    return {
      "web_vitals.lcp_ms": this.#lcp === null ? null : rounded(this.#lcp),
      "web_vitals.cls": Math.round(this.#cls * 10_000) / 10_000,
      "web_vitals.inp_ms": this.#inp === null ? null : rounded(this.#inp),
    };
  }
}

/** @param {number} milliseconds */
function rounded(milliseconds) {
  return Math.round(milliseconds * 10) / 10;
}

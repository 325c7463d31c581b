// What the list of traces shows while there is none: how to send some.

import { request, url } from "./api.js";
import { copyButton, fill, h } from "./dom.js";

/** @param {string} xray address of the X-Ray receiver @returns {{ id: string, label: string, parts: [string, string][] }[]} */
function guides(xray) {
  const base = url("").replace(/\/$/, "");
  const port = new URL(base).port || "80";
  return [
    {
      id: "rust", label: "Rust",
      parts: [
        ["The crate lambda-spans runs your router or handler:", "lambda_spans::run(router).await"],
        ["It sends to both receivers of this console:", `OTEL_EXPORTER_OTLP_ENDPOINT=${base} \\\nAWS_XRAY_DAEMON_ADDRESS=${xray} \\\n  cargo lambda watch`],
      ],
    },
    {
      id: "python", label: "Python",
      parts: [
        ["OpenTelemetry:", `pip install opentelemetry-distro opentelemetry-exporter-otlp-proto-http\nopentelemetry-bootstrap --action=install\nOTEL_EXPORTER_OTLP_ENDPOINT=${base} \\\nOTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf \\\n  opentelemetry-instrument python app.py`],
        ["The X-Ray SDK:", `AWS_XRAY_DAEMON_ADDRESS=${xray} python app.py`],
      ],
    },
    {
      id: "node", label: "Node.js",
      parts: [
        ["OpenTelemetry:", `npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node\nOTEL_EXPORTER_OTLP_ENDPOINT=${base} \\\n  node --require @opentelemetry/auto-instrumentations-node/register app.js`],
        ["The X-Ray SDK:", `AWS_XRAY_DAEMON_ADDRESS=${xray} node app.js`],
      ],
    },
    {
      id: "sam", label: "sam local",
      parts: [
        ["The functions run in containers. Start the console so that they reach it:", "lambda-console --listen 0.0.0.0"],
        ["Write env.json:", `{\n  "Parameters": {\n    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://host.docker.internal:${port}",\n    "AWS_XRAY_DAEMON_ADDRESS": "host.docker.internal:${xray.split(":").at(-1)}"\n  }\n}`],
        ["Start the API. Linux needs the second option.", "sam local start-api --env-vars env.json \\\n  --add-host host.docker.internal:172.17.0.1"],
      ],
    },
  ];
}

export function setUp() {
  let all = guides("127.0.0.1:2000");
  let chosen = 0;
  const panel = h("div", { class: "guide", role: "tabpanel", id: "guide", tabindex: "0" });
  /** @param {number} index */
  const choose = (index) => {
    chosen = index;
    tabs.forEach((tab, other) => {
      tab.setAttribute("aria-selected", String(other === index));
      tab.tabIndex = other === index ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", `guide-${all[index].id}`);
    fill(panel, ...all[index].parts.map(([text, code]) =>
      h("div", { class: "step" }, h("p", {}, text), h("div", { class: "code" }, h("pre", { tabindex: "0" }, code), copyButton(code, "Copy these lines")))));
  };
  const tabs = all.map((guide, index) =>
    h("button", {
      type: "button", role: "tab", class: "tab", id: `guide-${guide.id}`, "aria-controls": "guide",
      on: {
        click: () => choose(index),
        keydown: (/** @type {KeyboardEvent} */ event) => {
          const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
          if (!step) return;
          const next = (index + step + all.length) % all.length;
          choose(next);
          tabs[next].focus();
        },
      },
    }, guide.label));
  choose(0);
  // The X-Ray receiver has another port if 2000 was in use.
  request("api/info").then(({ xray }) => {
    if (!xray) return;
    all = guides(xray);
    choose(chosen);
  }, () => {});
  return h("div", { class: "set-up" },
    h("div", { class: "waiting", "aria-hidden": "true" }, h("i", {}), h("i", {}), h("i", {})),
    h("h2", {}, "Waiting for the first trace"),
    h("p", { class: "lead" }, "Send a request to a function that exports here. Its trace appears within a second."),
    h("div", { class: "tabs", role: "tablist", "aria-label": "Set-up" }, ...tabs), panel,
    h("p", { class: "muted" }, "Or drop a file with OTLP JSON or X-Ray documents on this page."));
}

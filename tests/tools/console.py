"""A console on free ports, and a browser that fails a test on any error of the page."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from types import SimpleNamespace

from playwright.sync_api import sync_playwright
from processes import free_port, wait_until

PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", "target"), "debug/lambda-console")
# GitHub's machines have Chrome instead.
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
# The page itself needs no Node.js. npm installs what checks it.
AXE = Path(".tools/node/node_modules/axe-core/axe.min.js")
PHONE, DESKTOP = (360, 740), (1280, 800)

# Reports what the content security policy refuses.
_WATCH = """
addEventListener("securitypolicyviolation", (event) => reportRefusal(`${event.violatedDirective} ${event.blockedURI}`));
"""


@contextlib.contextmanager
def console(port=None, *options, listen="127.0.0.1"):
    """Yields `url` and the address of the X-Ray receiver, `xray`, of a new console."""
    port, xray = port or free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="console-") as folder:
        output = Path(folder, "output")
        with output.open("w") as out:
            addresses = ["--listen", listen, "--port", str(port), "--xray-port", str(xray)]
            process = subprocess.Popen([PROGRAM, *addresses, *options], stdout=out, stderr=subprocess.STDOUT)
        url = f"http://{listen}:{port}"
        try:
            wait_until("the console answers", lambda: answers(url), process, log=output)
            yield SimpleNamespace(url=url, xray=f"{listen}:{xray}", port=port)
        finally:
            process.terminate()
            process.wait(timeout=60)


def answers(url):
    try:
        return bool(api(url, "info"))
    except OSError:
        return False


def api(url, path):
    """Returns an answer of the console's JSON API."""
    with urllib.request.urlopen(f"{url}/api/{path}", timeout=60) as response:
        return json.load(response)


@contextlib.contextmanager
def browser():
    """Yields Chromium without its sandbox, which needs a user other than root."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@contextlib.contextmanager
def context_of(chromium, size=DESKTOP, theme="light", **options):
    """Yields a function that opens pages. At the end, asserts that they had no error and that the policy refused nothing."""
    faults = []
    context = chromium.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=theme,
        timezone_id="America/Toronto",
        locale="en-US",
        permissions=["clipboard-read", "clipboard-write"],
        **options,
    )
    context.set_default_timeout(60_000)

    def report(text):
        faults.append(text)

    context.expose_function("reportRefusal", report)
    context.add_init_script(_WATCH)

    def open_page(url):
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append(dialog.message))
        page.goto(url)
        return page

    yield open_page
    context.close()
    assert faults == []


def violations(page):
    """Returns the rule and the place of each violation that axe finds."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [(one["id"], node["target"], node.get("failureSummary")) for one in found for node in one["nodes"]]

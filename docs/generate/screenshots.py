#!/usr/bin/env python3
"""Takes the screenshots of the page and the console in docs/traces (`make screenshots`), with the local server behind them.

Needs Debian's Chromium, the packages of tests/tools and PYTHONPATH=tests/tools. With Pillow, the files are smaller. The fonts Inter and
JetBrains Mono (Debian: fonts-inter, fonts-jetbrains-mono) give the same text everywhere.
"""

import contextlib
import io
import json
import os
import subprocess
import tempfile
import urllib.error
from pathlib import Path

from console import answers, browser
from local_server import PROGRAM, access_token, get, has_demo_data, is_healthy
from page import done, posts, sign_in, trace_of
from page import write as write_post
from processes import free_port, wait_for, wait_until

FOLDER = Path("docs/traces")
# The end of a file's name.
THEMES = {"light": "", "dark": "-dark"}
SIZE = {"width": 1200, "height": 720}
MOST_BYTES = 400_000
READS = ["home", "notifications", "@bayko", "search?term=cloud", "@nobody", "home", "home"]
# Charts need more requests.
ROUNDS = 12


def main():
    with local_server() as (api, console), browser() as chromium:
        use(api)
        wait_for(lambda: len(traces(console)) > len(READS) * ROUNDS)
        kept = traces(console)
        home = newest(kept, lambda one: one["route"] == "/api/activities/home" and one["state"] == "complete")
        post = newest(kept, lambda one: one["method"] == "POST" and one["route"] == "/api/activities") or home
        span = slowest(console, home["id"])
        views = [
            ("trace", f"#/trace/{home['id']}?span={span}", ".details"),
            ("post", f"#/trace/{post['id']}", ".row"),
            ("xray", f"#/trace/{home['id']}?tab=xray", ".map"),
            ("honeycomb", f"#/trace/{home['id']}?tab=honeycomb", ".wide-table"),
            ("sides", f"#/trace/{home['id']}?tab=sides", ".sides-table"),
            ("explore", f"#/explore?by=http.route&sort=p95&sel=--{median(kept)}-", ".explain-head"),
            ("compare", "#/compare?a={}&b={}".format(*fastest_and_slowest(kept)), ".compared"),
        ]
        take_console(chromium, console, views)
        post = take_page(chromium, api)
        wait_for(lambda: has_spans_of_page(console, post))
        # The README shows this one in the theme of its reader.
        for theme in THEMES:
            take_console(chromium, console, [("page", f"#/trace/{post}", ".row")], theme)


def take_console(chromium, console, views, theme="light"):
    """Writes screenshots of views, which have a name, a place, and an element that is visible at the end."""
    context = chromium.new_context(viewport=SIZE, color_scheme=theme, device_scale_factor=2, timezone_id="UTC")
    page = context.new_page()
    for name, place, ready in views:
        page.goto(f"{console}/{place}")
        page.locator(ready).first.wait_for()
        write(FOLDER / f"console-{name}{THEMES[theme]}.png", page.screenshot(animations="disabled"))
    context.close()


def take_page(chromium, api):
    """Writes screenshots of Cruddur's page after some actions, in both themes. Returns the id of the trace of a post."""
    context = chromium.new_context(viewport=SIZE, device_scale_factor=2, timezone_id="UTC", locale="en-US")
    page = context.new_page()
    page.goto(api)
    sign_in(page)
    page.reload()
    done(page, "page load")
    write_post(page, "Hello @worf, this will be forgotten in three hours.", "3-hours")
    post, _ = trace_of(page, "post")
    posts(page).nth(1).get_by_role("button", name="Like").click()
    done(page, "like")
    page.get_by_role("link", name="Notifications").first.click()
    done(page, "open notifications")
    page.get_by_role("link", name="Home").first.click()
    done(page, "open home")
    page.mouse.move(0, 0)
    for theme, suffix in THEMES.items():
        page.emulate_media(color_scheme=theme)
        write(FOLDER / f"page{suffix}.png", page.screenshot(animations="disabled"))
    context.close()
    return post


@contextlib.contextmanager
def local_server():
    """Yields the URLs of the API and of the console of a new local server with the demo data."""
    with tempfile.TemporaryDirectory(prefix="cruddur-data-") as folder:
        port, dynamodb, console = free_port(), free_port(), free_port()
        options = {"port": port, "dynamodb-port": dynamodb, "console-port": console, "data-dir": f"{folder}/data"}
        output = Path(folder, "output")
        with output.open("w") as out:
            command = [PROGRAM, *(f"--{name}={of}" for name, of in options.items())]
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        api, console = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{console}"
        try:
            wait_until("the local server is healthy", lambda: is_healthy(api) and answers(console), process, log=output)
            token = access_token(api)
            wait_until("the demo data is complete", lambda: has_demo_data(api, token), process, log=output)
            yield api, console
        finally:
            process.terminate()
            process.wait(timeout=60)


def use(api):
    """Reads feeds, writes a post, and reads what does not exist."""
    token = access_token(api)
    get(f"{api}/api/activities", token, {"message": "Hello from the console", "ttl": "1-day"})
    for path in READS * ROUNDS:
        with contextlib.suppress(urllib.error.HTTPError):
            get(f"{api}/api/activities/{path}", token)


def traces(console):
    return get(f"{console}/api/traces?limit=100")["traces"]


def has_spans_of_page(console, trace):
    return any(one["id"] == trace and "cruddur-web" in one["services"] for one in traces(console))


def newest(kept, wanted):
    return next((one for one in kept if wanted(one)), None)


def median(kept):
    """Returns the median duration in nanoseconds."""
    durations = sorted(int(one["duration"]) for one in kept)
    return durations[len(durations) // 2]


def fastest_and_slowest(kept):
    """Returns the ids of two requests for the home feed."""
    homes = [one for one in kept if one["route"] == "/api/activities/home" and one["state"] == "complete"]
    homes.sort(key=lambda one: int(one["duration"]))
    return homes[0]["id"], homes[-1]["id"]


def slowest(console, trace):
    """Returns the id of the slowest span that calls another service."""
    spans = get(f"{console}/api/traces/{trace}")["spans"]
    calls = [span for span in spans if span["kind"] == "client"] or spans
    return max(calls, key=lambda span: int(span["duration"]))["id"]


def write(path, png):
    """Writes a picture, with a palette if Pillow is installed."""
    with contextlib.suppress(ImportError):
        from PIL import Image

        picture = Image.open(io.BytesIO(png)).convert("RGB")
        small = io.BytesIO()
        picture.quantize(palette=palette(picture), dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
        png = small.getvalue()
    if len(png) > MOST_BYTES:
        raise SystemExit(f"{path} has {len(png)} bytes; at most {MOST_BYTES} are allowed. Install Pillow.")
    path.write_bytes(png)
    print(json.dumps({"file": str(path), "bytes": len(png)}))


def palette(picture):
    """Returns the commonest of the colors that differ visibly, so that a status with few pixels keeps its color."""
    from PIL import Image

    chosen = []
    for _, color in sorted(picture.getcolors(1 << 24), reverse=True):
        if all(sum(abs(a - b) for a, b in zip(color, other, strict=True)) > 16 for other in chosen):
            chosen.append(color)
    found = Image.new("P", (1, 1))
    found.putpalette([part for color in chosen[:256] for part in color])
    return found


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()

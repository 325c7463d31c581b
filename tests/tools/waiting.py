"""Waiting for conditions, with a limit that suits a busy machine with two cores."""

import time


def wait_until(what, ready, process, *, seconds=180, log=None):
    """Returns once `ready()` is true. Exits with the log if `process` ends first or `seconds` pass."""
    deadline = time.monotonic() + seconds
    while not ready():
        ended = process.poll()
        if ended is not None or time.monotonic() > deadline:
            why = f"after {seconds} s" if ended is None else f"because the process ended with {ended}"
            raise SystemExit(f"Gave up waiting until {what}, {why}:\n{log.read_text() if log else ''}")
        time.sleep(0.05)


def wait_for(ready, seconds=60):
    """Returns once `ready()` is true or `seconds` have passed. The caller then checks the result."""
    deadline = time.monotonic() + seconds
    while not ready() and time.monotonic() < deadline:
        time.sleep(0.2)

"""Waiting for a process of another make to be ready: bounded, and at an end as soon as the process is."""

import time


def wait_until(what, ready, process, *, seconds, log=None):
    """Returns once `ready()` is true. Ends the run, with `log`, when `process` ends first or `seconds` are over."""
    said = log.read_text if log else str
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise SystemExit(f"Waited until {what}, but the process ended with {process.returncode}:\n{said()}")
        if time.monotonic() > deadline:
            raise SystemExit(f"Waited {seconds} s in vain until {what}:\n{said()}")
        time.sleep(0.05)


def wait_for(ready, seconds=20):
    """Returns once `ready()` is true, or when `seconds` are over: what is looked at next tells which."""
    deadline = time.monotonic() + seconds
    while not ready() and time.monotonic() < deadline:
        time.sleep(0.2)

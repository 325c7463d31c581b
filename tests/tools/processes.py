"""Running commands, HTTP servers in this process, waiting, and free ports."""

import contextlib
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def run(program, *arguments, **options):
    """Returns the finished command with both outputs as text. `program` is a path, or words without quotes."""
    words = program.split() if isinstance(program, str) else [program]
    return subprocess.run([*words, *arguments], capture_output=True, text=True, check=False, **options)


@contextlib.contextmanager
def http_server(respond, address="127.0.0.1"):
    """Yields the URL of a server. `respond(method, path, headers, body)` returns status, headers and body."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_request(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, headers, answer = respond(self.command, self.path, self.headers, body)
            self.send_response(status)
            for name, value in {"content-length": len(answer), **headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = handle_request

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer((address, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        try:
            yield f"http://{address}:{server.server_port}"
        finally:
            server.shutdown()


def wait_until(what, ready, process, *, seconds=180, log=None):
    """Returns once `ready()` is true. Exits with the log if `process` ends first or `seconds` pass.

    The limit suits a busy machine with two cores.
    """
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


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def listens(port):
    with contextlib.closing(socket.socket()) as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0

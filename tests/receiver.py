"""A receiver of webhooks: a real server on this machine, which answers as a test says."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message as Headers
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Reply = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Call:
    """What came in."""

    path: str
    headers: Headers
    body: bytes


def answering(status: int, body: bytes = b"", **headers: str) -> Reply:
    """Return what answers so, once."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return reply


@dataclass
class Receiver:
    """`replies`: what the next calls are answered with; without any, 204."""

    port: int = 0
    calls: list[Call] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?to=me"

    @property
    def last(self) -> Call:
        return self.calls[-1]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Receive calls as long as the context lasts."""
    receiver = Receiver()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                receiver.calls.append(Call(self.path, self.headers, body))
                reply = receiver.replies.pop(0) if receiver.replies else answering(204)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it had enough
                reply(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(5)

"""The worker's own small web server: probes and metrics, while its programs run."""

from __future__ import annotations

import errno
import logging
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from programs.conf import settings
from programs.errors import MetricsMissing
from programs.monitoring.access import bears_token
from programs.monitoring.exposition import render
from programs.worker.vitals import Vitals

logger = logging.getLogger(__name__)

ASKERS = 16  # at a time; who comes then is sent away at once
PATIENCE = 5.0  # seconds for one request, from its first byte to the last of its answer
PLAIN = "text/plain; charset=utf-8"


class Endpoint(ThreadingHTTPServer):
    """Answers `/healthz`, `/readyz` and `/metrics` on a port, on all addresses of the machine.

    Takes the port when it is made; raises OSError where that cannot be had.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, vitals: Vitals) -> None:
        super().__init__(("", port), Answer, bind_and_activate=False)
        self.socket.close()
        self.socket = listen(port)
        self.vitals = vitals
        self._places = threading.BoundedSemaphore(ASKERS)

    def start(self) -> None:
        """Answer from now on, by threads of its own."""
        threading.Thread(target=self.serve_forever, name="endpoint", daemon=True).start()

    def end(self) -> None:
        """Answer no more."""
        self.shutdown()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        # Who sends a byte now and then would otherwise keep a place for ever.
        cut = threading.Timer(PATIENCE, _cut, [request])
        cut.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            cut.cancel()
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.debug("a request failed: %r", sys.exception(), extra={"action": "probe_failed"})


class Answer(BaseHTTPRequestHandler):
    """One request. Nothing is kept open: probes come seldom."""

    server: Endpoint
    timeout = PATIENCE

    def do_GET(self) -> None:
        vitals = self.server.vitals
        path = self.path.partition("?")[0]
        if path == "/healthz":
            checkup = vitals.life()
        elif path == "/readyz":
            checkup = vitals.readiness()
        elif path == "/metrics":
            self._tell_metrics(vitals)
            return
        else:
            self._tell(404, "There are /healthz, /readyz and /metrics.\n")
            return
        self._tell(checkup.status, checkup.text)

    do_HEAD = do_GET

    def _tell_metrics(self, vitals: Vitals) -> None:
        if settings.METRICS_TOKEN and not bears_token(self.headers.get("Authorization")):
            self._tell(401, "Give METRICS_TOKEN as Bearer.\n")
            return
        try:
            body, content_type = render(vitals.metrics(), self.headers.get("Accept", ""))
        except MetricsMissing as error:
            self._tell(501, f"{error}\n")
        else:
            self._tell(200, body, content_type)

    def _tell(self, status: int, body: str | bytes, content_type: str = PLAIN) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        if status == 401:
            self.send_header("WWW-Authenticate", 'Bearer realm="metrics"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def version_string(self) -> str:
        return "programs"  # what runs here is nobody's business

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args, extra={"action": "probe_answered"})


def listen(port: int) -> socket.socket:
    """Return a socket that listens on all addresses, IPv6 ones as well where there are any."""
    try:
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise
        return socket.create_server(("", port))


def _cut(request: socket.socket) -> None:
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError:
        logger.debug("a request ended just in time", extra={"action": "probe_failed"})

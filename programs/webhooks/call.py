"""One call: a POST to an address that was checked, ended by a deadline whatever the server does.

Proxies of the environment are not asked, and redirects are not followed: both would lead to
addresses that nobody has checked.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse
from time import monotonic

from programs.errors import CallFailed
from programs.webhooks.address import Target

CONNECTING = 5.0  # seconds, the look-up of the name included
DEADLINE = 15.0  # seconds, of the whole call
READ_AT_MOST = 64 * 1024  # bytes of the answer


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    retry_after: str
    body: bytes  # its beginning

    @property
    def is_well(self) -> bool:
        return 200 <= self.status < 300


def post(target: Target, headers: dict[str, str], body: bytes) -> Answer:
    """Send `body` and return the answer.

    Raises `CallFailed` for all that may be better later, and `AddressRefused`.
    """
    call = Call(target)
    try:
        return call.post(headers, body)
    except (OSError, HTTPException, ValueError) as error:
        if call.is_overdue:
            raise CallFailed(f"the server gave no answer within {DEADLINE:.0f} s") from error
        raise CallFailed(f"{type(error).__name__}: {error}") from error


@cache
def trust() -> ssl.SSLContext:
    """Return the certificates that are trusted: the system's."""
    return ssl.create_default_context()


class Call:
    """A connection that a timer cuts off.

    A socket's own timeout begins anew with each byte: a server that drips would hold a slot for
    ever.
    """

    def __init__(self, target: Target) -> None:
        self.is_overdue = False
        self._target = target
        self._ends_at = monotonic() + DEADLINE
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def post(self, headers: dict[str, str], body: bytes) -> Answer:
        timer = threading.Timer(DEADLINE, self._cut)
        timer.daemon = True
        timer.start()
        connection = HTTPConnection(self._target.host, self._target.port)
        connection.default_port = 443 if self._target.scheme == "https" else 80
        connection.auto_open = 0  # only to the address that was checked
        try:
            connection.sock = self._connected()
            if self._target.scheme == "https":
                connection.sock = self._encrypted(connection.sock)
            connection.request("POST", self._target.path, body, headers)
            with connection.getresponse() as response:
                if self.is_overdue:  # for http.client, headers that break off are whole
                    raise TimeoutError
                return self._read(response)
        finally:
            timer.cancel()
            with self._lock:  # a number that was closed may be another connection's at once
                connection.close()
                if self._socket is not None:
                    self._socket.close()
                self._socket = None

    def _connected(self) -> socket.socket:
        until = monotonic() + CONNECTING
        failure: OSError = TimeoutError(f"no connection within {CONNECTING:.0f} s")
        for address in self._target.addresses(within=CONNECTING):
            left = until - monotonic()
            if left <= 0:
                break
            try:
                connected = socket.create_connection((address, self._target.port), left)
            except OSError as error:
                failure = error
                continue
            self._take(connected)
            return connected
        raise failure

    def _encrypted(self, plain: socket.socket) -> socket.socket:
        encrypted = trust().wrap_socket(
            plain, server_hostname=self._target.host, do_handshake_on_connect=False
        )
        self._take(encrypted)
        encrypted.do_handshake()
        return encrypted

    def _take(self, new: socket.socket) -> None:
        with self._lock:
            self._socket = new
            # In case that the timer fails: it comes first.
            new.settimeout(max(0.0, self._ends_at - monotonic()) + 1.0)

    def _read(self, response: HTTPResponse) -> Answer:
        """Read the beginning of the answer. Its status says it all: the rest may be broken off."""
        body = b""
        with contextlib.suppress(OSError, HTTPException, ValueError):
            body = response.read(READ_AT_MOST)
        return Answer(response.status, response.headers.get("Retry-After", ""), body)

    def _cut(self) -> None:
        self.is_overdue = True
        with self._lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    # Not TLS's own, which would wait for the server's word.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

"""A small TCP proxy between a worker and a server: the network, to be cut or made slow."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterator
from enum import Enum
from urllib.parse import urlsplit

CHUNK = 65_536
PAUSE = 0.01  # seconds between two looks at what is delayed or has changed


class Weather(Enum):
    """How the network is."""

    FAIR = "everything passes at once"
    REFUSED = "connections are reset, new ones too"
    BLACK_HOLE = "what is sent arrives nowhere, and nobody is told; it passes once that is over"
    HALF_OPEN = "as a black hole, and what was connected then never hears of the other side again"


class Proxy:
    """Listens on a port of its own and passes everything on to `target`, as the weather allows.

    `target`: the server's URL. `host`: this machine's address to listen on.
    `delay`: seconds by which each piece is late, either way.
    """

    def __init__(self, target: str, host: str = "127.0.0.1") -> None:
        address = urlsplit(target)
        assert address.hostname
        assert address.port
        self._target = (address.hostname, address.port)
        self._listener = socket.create_server((host, 0))
        self._weather = Weather.FAIR
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._deaf: set[socket.socket] = set()  # half-open for ever
        self._closing = threading.Event()
        self.delay = 0.0
        self.connections = 0  # that were ever made to it
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, of: str) -> str:
        """Return the URL `of` a server with this proxy in the server's place."""
        address = urlsplit(of)
        user = f"{address.netloc.rpartition('@')[0]}@" if "@" in address.netloc else ""
        host, port = self._listener.getsockname()
        return address._replace(netloc=f"{user}{host}:{port}").geturl()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def weather(self) -> Weather:
        return self._weather

    @weather.setter
    def weather(self, weather: Weather) -> None:
        with self._lock:
            self._weather = weather
            if weather is Weather.HALF_OPEN:
                self._deaf |= self._open
            if weather is Weather.REFUSED:
                for connected in self._open:
                    reset(connected)

    @contextlib.contextmanager
    def during(self, weather: Weather) -> Iterator[None]:
        """Let the weather be so as long as the context lasts."""
        self.weather = weather
        try:
            yield
        finally:
            self.weather = Weather.FAIR

    def close(self) -> None:
        self._closing.set()
        self._listener.close()
        with self._lock:
            for connected in self._open:
                reset(connected)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        if self._weather is Weather.REFUSED:
            reset(client)
            client.close()
            return
        while self._weather is not Weather.FAIR:  # accepted by the system, answered by nobody
            time.sleep(PAUSE)
        with client, contextlib.suppress(OSError):
            server = socket.create_connection(self._target, timeout=5)
            with server:
                with self._lock:
                    self._open |= {client, server}
                try:
                    self._pass_on(client, server)
                finally:
                    with self._lock:
                        self._open -= {client, server}
                        self._deaf -= {client, server}

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        """Carry bytes both ways until one side ends."""
        other = {client: server, server: client}
        with selectors.DefaultSelector() as ready:
            for end in other:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                end.settimeout(5)
                ready.register(end, selectors.EVENT_READ)
            while not self._closing.is_set():
                if self.weather is Weather.REFUSED:
                    return
                if self.weather is not Weather.FAIR or client in self._deaf:
                    time.sleep(PAUSE)
                    continue
                for key, _ in ready.select(timeout=0.1):
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    if not (piece := source.recv(CHUNK)):
                        return
                    if self.delay:
                        time.sleep(self.delay)
                    other[source].sendall(piece)


def reset(connected: socket.socket) -> None:
    """End a connection so that the other side hears of it at once."""
    with contextlib.suppress(OSError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connected.shutdown(socket.SHUT_RDWR)

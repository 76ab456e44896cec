"""What the servers of tests have in common."""

import random
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from secrets import token_hex
from signal import Signals
from typing import NoReturn, Protocol, TypeVar
from urllib.parse import urlsplit

START_DEADLINE = 60.0  # seconds; ten are needed on a small machine under load


class ServerMissing(Exception):
    """This machine has no such server, and nothing to run one in."""


class ServerFailed(Exception):
    """A server did not do what it was told."""


class NotPrivate(Exception):
    """The server is somebody else's: tests use it, but never stop it."""


class Runner(Protocol):
    """What a server runs in."""

    @property
    def private(self) -> bool:
        """Whether it is this session's own."""

    def start(self) -> None:
        """Start it; it may take a moment more to answer."""

    def end(self, how: Signals) -> None:
        """Signal it, and return when it is gone."""

    def running(self) -> bool:
        """Tell whether it is there at all."""

    def execute(self, *command: str) -> str:
        """Run one of its tools beside it and return what that printed."""

    def log(self, lines: int = 20) -> str:
        """Return its last words, to explain why it failed."""

    def close(self) -> None:
        """End it at once and remove what it stored."""


class External:
    """A server that a variable of the environment names."""

    private = False

    def __init__(self, variable: str) -> None:
        self._variable = variable

    def start(self) -> None:
        self._refuse()

    def end(self, how: Signals) -> None:
        self._refuse()

    def running(self) -> bool:
        return True

    def execute(self, *command: str) -> str:
        self._refuse()

    def log(self, lines: int = 20) -> str:
        return ""

    def close(self) -> None:
        """It goes on: others may use it."""

    def _refuse(self) -> NoReturn:
        raise NotPrivate(
            f"{self._variable} names a server that others may use, so it is not stopped or started."
            f" Without {self._variable} the tests take a private one."
        )


class Server(ABC):
    """A server that answers, and, where it is private, can be stopped and started again."""

    name: str

    def __init__(self, url: str, runner: Runner) -> None:
        self.url = url
        self._runner = runner

    @property
    def private(self) -> bool:
        """Whether tests may stop it."""
        return self._runner.private

    def start(self) -> None:
        """Start it with its port and its data as they were, and return when it answers."""
        self._runner.start()
        deadline = time.monotonic() + START_DEADLINE
        while not self._answers():
            if not self._runner.running():
                raise ServerFailed(f"{self.name} ended while it started:\n{self._runner.log()}")
            if time.monotonic() > deadline:
                raise ServerFailed(f"{self.name} does not answer:\n{self._runner.log()}")
            time.sleep(0.05)

    def close(self) -> None:
        """Remove what was made for the tests: the whole server, where it is private."""
        self._runner.close()

    @abstractmethod
    def _answers(self) -> bool: ...


class DatabaseServer(Server):
    """A server whose `url` is a database of this session's own, once there is one."""

    _quote = '"'
    _drop = "DROP DATABASE IF EXISTS {}"

    def __init__(self, maintenance_url: str, runner: Runner) -> None:
        super().__init__(maintenance_url, runner)
        self._maintenance_url = maintenance_url
        self._databases: list[str] = []

    def new_database(self) -> str:
        """Create one more empty database, which goes when the server is closed; return its URL."""
        database = f"programs_test_{token_hex(6)}"
        self._execute(f"CREATE DATABASE {self._quoted(database)}")
        self._databases.append(database)
        return urlsplit(self._maintenance_url)._replace(path=f"/{database}").geturl()

    def close(self) -> None:
        try:
            if not self.private:
                for database in self._databases:
                    self._execute(self._drop.format(self._quoted(database)))
        finally:
            super().close()

    def _quoted(self, name: str) -> str:
        return f"{self._quote}{name}{self._quote}"

    @abstractmethod
    def _execute(self, statement: str) -> None:
        """Execute a statement outside of any transaction."""


DatabaseT = TypeVar("DatabaseT", bound=DatabaseServer)


def opened(server: DatabaseT) -> Iterator[DatabaseT]:
    """Start a server that is private, give it a database, and close it behind its user."""
    try:
        if server.private:
            server.start()
        server.url = server.new_database()
        yield server
    finally:
        server.close()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses.

    It is below those that outgoing connections get: a client that tries again and again while its
    server is stopped would one day be given that very port, connect to itself and keep it.
    """
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ServerFailed("none of 100 ports between 20000 and 30000 is free")

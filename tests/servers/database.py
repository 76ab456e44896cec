"""PostgreSQL for tests."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from signal import SIGINT, SIGQUIT
from typing import Literal

import psycopg2

from tests.servers.container import Container, engine_answers
from tests.servers.packages import command_to_type
from tests.servers.process import Process, find_folder, new_folder
from tests.servers.server import DatabaseServer, External, ServerMissing, free_port, opened

PACKAGE = "postgresql"
VARIABLE = "TEST_DATABASE_URL"
IMAGE = "postgres:17"

FOLDERS = (
    *os.get_exec_path(),
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # PostgreSQL's own packages for Fedora and its kin
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)

Mode = Literal["fast", "immediate"]


class Postgres(DatabaseServer):
    """A PostgreSQL whose `url` is a database of this session's own."""

    name = "PostgreSQL"
    _drop = "DROP DATABASE IF EXISTS {} WITH (FORCE)"

    def stop(self, mode: Mode = "fast") -> None:
        """Disconnect everybody and stop: `fast` cleanly, `immediate` as in a crash."""
        self._runner.end(SIGINT if mode == "fast" else SIGQUIT)

    def restart(self, mode: Mode = "fast") -> None:
        """Stop it and start it again, on the same port, with the same data."""
        self.stop(mode)
        self.start()

    def _answers(self) -> bool:
        try:
            self._execute("SELECT 1")
        except psycopg2.OperationalError:
            return False
        return True

    def _execute(self, statement: str) -> None:
        with closing(psycopg2.connect(self._maintenance_url, connect_timeout=5)) as connection:
            connection.autocommit = True
            connection.cursor().execute(statement)


def installed() -> Path | None:
    """Return the folder of this machine's newest PostgreSQL, where there is one."""
    return find_folder(("postgres", "initdb"), FOLDERS)


def obtainable() -> bool:
    """Tell whether `postgres` will find something."""
    return bool(os.environ.get(VARIABLE) or installed() or engine_answers())


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Use the PostgreSQL of TEST_DATABASE_URL, or a private one."""
    url = os.environ.get(VARIABLE, "")
    url = url if url.startswith(("postgres", "pgsql")) else ""  # another vendor's is not for this
    yield from opened(Postgres(url, External(VARIABLE)) if url else _private())


def _private() -> Postgres:
    port = free_port()
    url = f"postgres://postgres@127.0.0.1:{port}/postgres"
    if folder := installed():
        return Postgres(url, _process(folder, port))
    if engine_answers():
        trust = {"POSTGRES_HOST_AUTH_METHOD": "trust"}
        return Postgres(url, Container(IMAGE, {port: 5432}, trust))
    raise ServerMissing(
        f"There is no PostgreSQL here: type `{command_to_type([PACKAGE])}`, start Docker's engine, "
        f"or let {VARIABLE} name one."
    )


def _process(binaries: Path, port: int) -> Process:
    folder = new_folder("postgresql")
    data = folder / "data"
    command = [
        *(str(binaries / "postgres"), "-D", str(data), "-p", str(port)),
        *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
        *("-c", "max_connections=200"),
    ]
    # Unlike SIGKILL this gives back its shared memory.
    process = Process(folder, command, {}, crash=SIGQUIT)
    initdb = (str(binaries / "initdb"), "-D", str(data), "-U", "postgres")
    process.execute(*initdb, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
    return process

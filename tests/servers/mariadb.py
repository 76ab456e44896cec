"""MariaDB for tests, and whatever else TEST_DATABASE_URL names that Django has a backend for."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.db import Error
from django.db.utils import ConnectionHandler

from tests.servers.container import Container, engine_answers
from tests.servers.packages import command_to_type
from tests.servers.process import Process, find_folder, new_folder
from tests.servers.server import (
    DatabaseServer,
    External,
    Runner,
    ServerMissing,
    free_port,
    opened,
)

PACKAGE = "mariadb-server"
VARIABLE = "TEST_DATABASE_URL"
IMAGE = "mariadb:11.4"

FOLDERS = (
    *os.get_exec_path(),
    "/usr/sbin",  # Debian, Ubuntu: not on everybody's PATH
    "/opt/homebrew/opt/mariadb*/bin",
    "/usr/local/opt/mariadb*/bin",
)

# As a project is told to make its database: every character, and keys that differ in case differ.
CHARACTERS = ("--character-set-server=utf8mb4", "--collation-server=utf8mb4_nopad_bin")


class AnyServer(DatabaseServer):
    """A database server, reached by its backend of Django's."""

    def __init__(self, maintenance_url: str, runner: Runner, config: Mapping[str, Any]) -> None:
        """`config`: as in DATABASES, without what the URL says."""
        super().__init__(maintenance_url, runner)
        self._config = config
        self.name = urlsplit(maintenance_url).scheme
        self._quote = "`" if "mysql" in config["ENGINE"] else '"'

    def stop(self) -> None:
        """Disconnect everybody and stop."""
        self._runner.end(SIGTERM)

    def restart(self) -> None:
        """Stop it and start it again, on the same port, with the same data."""
        self.stop()
        self.start()

    def _answers(self) -> bool:
        try:
            self._execute("SELECT 1")
        except Error:
            return False
        return True

    def _execute(self, statement: str) -> None:
        config = {**dj_database_url.parse(self._maintenance_url), **self._config}
        connection = ConnectionHandler({"default": config})["default"]
        with closing(connection), connection.wrap_database_errors:
            # Below what pytest-django forbids outside of tests.
            connection.connection = connection.get_new_connection(
                connection.get_connection_params()
            )
            connection._set_autocommit(True)  # type: ignore[attr-defined]
            connection.connection.cursor().execute(statement)


MYSQL = {"ENGINE": "django.db.backends.mysql"}


def installed() -> Path | None:
    """Return the folder of this machine's newest MariaDB, where there is one."""
    return find_folder(("mariadbd",), FOLDERS)


def obtainable() -> bool:
    """Tell whether `mariadb` will find something."""
    return bool(installed() or engine_answers())


@contextmanager
def mariadb() -> Iterator[AnyServer]:
    """Use a private MariaDB."""
    yield from opened(_private())


@contextmanager
def named(engine: str) -> Iterator[AnyServer]:
    """Use the server of TEST_DATABASE_URL, by this backend of Django's."""
    url = os.environ[VARIABLE]
    yield from opened(AnyServer(url, External(VARIABLE), {"ENGINE": engine}))


def _private() -> AnyServer:
    port = free_port()
    url = f"mysql://root@127.0.0.1:{port}/mysql"
    if folder := installed():
        return AnyServer(url, _process(folder, port), MYSQL)
    if engine_answers():
        trust = {"MARIADB_ALLOW_EMPTY_ROOT_PASSWORD": "1"}
        return AnyServer(url, Container(IMAGE, {port: 3306}, trust, CHARACTERS), MYSQL)
    raise ServerMissing(
        f"There is no MariaDB here: type `{command_to_type([PACKAGE])}`, start Docker's engine, "
        f"or let {VARIABLE} name a server."
    )


def _process(binaries: Path, port: int) -> Process:
    folder = new_folder("mariadb")
    # Temporary tables apart: a server that starts removes all that lie where its own will.
    own = ("--no-defaults", f"--datadir={folder / 'data'}", f"--tmpdir={folder}")
    command = [
        *(str(binaries / "mariadbd"), *own, f"--port={port}"),
        *("--bind-address=127.0.0.1", f"--socket={folder / 'socket'}", "--max-connections=200"),
        "--innodb-flush-log-at-trx-commit=2",  # a killed server has all that was committed
        *CHARACTERS,
    ]
    process = Process(folder, command, {}, crash=SIGKILL)
    installer = find_folder(("mariadb-install-db",), FOLDERS) or binaries
    process.execute(
        *(str(installer / "mariadb-install-db"), *own),
        *("--auth-root-authentication-method=normal", "--skip-test-db"),
    )
    return process

"""Databases of which there is no server: backends compile, and are told what one would say."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from tests.databases import ENGINES

# What the backends ask a server before they compile for it.
KNOWN: dict[str, dict[str, Any]] = {
    "sqlserver": {"sql_server_version": 2022, "to_azure_sql_db": False},
    "oracle": {"oracle_version": (19, 0)},
    "redshift": {"pg_version": 80002},
}


class Silent:
    """A cursor that finds nothing."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to close."""

    def execute(self, sql: str, params: object = None) -> Silent:
        return self

    def fetchall(self) -> list[Any]:
        return []

    def fetchone(self) -> None:
        return None

    def close(self) -> None:
        """Nothing to close."""


def absent(kind: str) -> BaseDatabaseWrapper:
    """Return a connection to no server of this kind."""
    given = {"ENGINE": ENGINES[kind], "NAME": "programs", "USER": "programs", "PASSWORD": ""}
    connection = ConnectionHandler({"default": given})["default"]
    vars(connection).update(KNOWN[kind])
    # As inside a transaction, where rows may be locked.
    vars(connection).update(ensure_connection=lambda: None, autocommit=False)
    vars(connection)["cursor"] = Silent  # migrations look for constraints of tables that are there
    if kind == "oracle":  # it would try out which of two forms of LIKE the server takes
        own: Any = type(connection)
        vars(connection).update(
            operators=own._standard_operators, pattern_ops=own._standard_pattern_ops
        )
    return connection

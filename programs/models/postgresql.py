"""Statements that PostgreSQL parses and plans once for each session.

For a statement that touches one row, that is half of the server's work. Neither driver does it
where Django asks: so it is asked for in SQL.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Field
from django.db.utils import DatabaseError

# Another session's, behind a pooler; or a job has thrown away what its session had prepared.
GONE = {"26000", "42P05"}

_by_session: WeakKeyDictionary[object, set[str]] = WeakKeyDictionary()
_pooled: set[str] = set()  # aliases of which a session has lost what it had prepared


def may_prepare(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether statements can be prepared: where Django takes it, sessions are ours alone."""
    own = connection.settings_dict
    return (
        connection.vendor == "postgresql"
        and not own.get("DISABLE_SERVER_SIDE_CURSORS")  # as for a pooler in transaction mode
        and not own["OPTIONS"].get("server_side_binding")
        and connection.alias not in _pooled
    )


class Prepared:
    """One statement under a name of its own; `fields`: of its parameters, None for constants."""

    def __init__(
        self, sql: str, params: Sequence[Any], fields: Sequence[Field[Any, Any] | None]
    ) -> None:
        # The same name is the same statement, whoever has prepared it in this session.
        self._name = f"programs_{hashlib.sha256(repr((sql, params)).encode()).hexdigest()[:24]}"
        places = iter(fields)
        serial = 0

        def typed(found: re.Match[str]) -> str:
            nonlocal serial
            if found[0] == "%%" or (field := next(places)) is None:
                return found[0]
            serial += 1
            return f"${serial}::{_type(field)}"

        self._prepare = f"PREPARE {self._name} AS {re.sub('%%|%s', typed, sql)}"
        self._constants = [
            param for param, field in zip(params, fields, strict=True) if field is None
        ]
        given = ", ".join(["%s"] * serial)
        self._execute = f"EXECUTE {self._name}" + (f" ({given})" if given else "")

    def execute(
        self, connection: BaseDatabaseWrapper, cursor: CursorWrapper, given: Sequence[Any]
    ) -> bool:
        """Execute it; False where that cannot be, and nothing was done."""
        session = connection.connection
        prepared = _by_session.setdefault(session, set())
        is_alone = not connection.in_atomic_block  # else an error takes the transaction with it
        try:
            if self._name not in prepared:
                cursor.execute(self._prepare, self._constants)
                prepared.add(self._name)
            cursor.execute(self._execute, given)
        except DatabaseError as error:
            if not is_alone or _code(error) not in GONE:
                raise
            _pooled.add(connection.alias)
            return False
        return True


def _code(error: DatabaseError) -> str | None:
    cause = error.__cause__
    return getattr(cause, "pgcode", None) or getattr(cause, "sqlstate", None)


def _type(field: Field[Any, Any]) -> str:
    """Return the type that a parameter for `field` has; the column itself checks lengths."""
    match field:
        case models.CharField() | models.TextField():
            return "text"
        case models.FloatField():
            return "double precision"
        case models.DateTimeField():
            return "timestamptz"
        case models.JSONField():
            return "jsonb"
        case _:
            return "bigint"

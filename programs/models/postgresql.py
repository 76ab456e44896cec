"""Statements that PostgreSQL parses and plans once for each session.

For a statement that touches one row, that is half of the server's work. Neither driver does it
where Django asks: so it is asked for in SQL.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Field
from django.db.utils import DatabaseError

# Another session's, behind a pooler; or a job has thrown away what its session had prepared.
GONE = {"26000", "42P05"}
# A migration has changed what a statement returns; or this server knows no plans to discard.
UNFIT = {"0A000"}

# Seconds. A plan made while the table was small reads all of it once it is large, until the server
# has analyzed it; plans that are made anew know its size.
PLANS_LAST = 5.0


@dataclass(slots=True)
class _Session:
    """What a session keeps for us."""

    prepared: set[str] = field(default_factory=set)
    planned_at: float = field(default_factory=monotonic)


_by_session: WeakKeyDictionary[object, _Session] = WeakKeyDictionary()
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
        places = iter(fields)
        serial = 0

        def typed(found: re.Match[str]) -> str:
            nonlocal serial
            if found[0] == "%%" or (kind := next(places)) is None:
                return found[0]
            serial += 1
            return f"${serial}::{_type(kind)}"

        body = re.sub("%%|%s", typed, sql)
        self._constants = [
            param for param, kind in zip(params, fields, strict=True) if kind is None
        ]
        # The same name is the same statement, whoever has prepared it in this session.
        digest = hashlib.sha256(repr((body, self._constants)).encode()).hexdigest()
        self._name = f"programs_{digest[:24]}"
        self._prepare = f"PREPARE {self._name} AS {body}"
        given = ", ".join(["%s"] * serial)
        self._execute = f"EXECUTE {self._name}" + (f" ({given})" if given else "")

    def execute(
        self, connection: BaseDatabaseWrapper, cursor: CursorWrapper, given: Sequence[Any]
    ) -> bool:
        """Execute it; False where it is lost or fits no more, and nothing was done."""
        session = _by_session.setdefault(connection.connection, _Session())
        try:
            if monotonic() - session.planned_at > PLANS_LAST:
                cursor.execute("DISCARD PLANS")
                session.planned_at = monotonic()
            if self._name not in session.prepared:
                cursor.execute(self._prepare, self._constants)
                session.prepared.add(self._name)
            cursor.execute(self._execute, given)
        except DatabaseError as error:
            code = _code(error)
            if code in GONE:
                _pooled.add(connection.alias)
            elif code not in UNFIT:
                raise
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

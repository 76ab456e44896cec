"""Outcome and attempt in one statement: the hot path's hand-written form for PostgreSQL.

The portable form, in `transitions`, is four round trips: BEGIN, UPDATE, INSERT, COMMIT. This one
does the same in a single statement, which is a transaction of its own. A test holds both equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from programs.models.attempt import Attempt
from programs.models.clock import Utc

ATTEMPT_COLUMNS = (
    "step",
    "job",
    "number",
    "epoch",
    "worker",
    "started_at",
    "ended_at",
    "outcome",
    "error_class",
    "message",
    "traceback",
    "log",
)


def write_outcome(
    connection: BaseDatabaseWrapper,
    table: str,
    conditions: Mapping[str, Any],
    changes: Mapping[str, Any],
    attempt: Attempt,
) -> bool:
    """Update the row that meets `conditions` and insert `attempt`, both or neither.

    `conditions` are keyed as in a queryset's filter; of lookups, `isnull` and `lte` are known.
    """
    params: list[Any] = []
    assignments = tuple(
        (name, _placeholder(value, connection, params)) for name, value in changes.items()
    )
    tests = tuple(_test(name, value, connection, params) for name, value in conditions.items())
    values = tuple(
        _placeholder(getattr(attempt, name), connection, params) for name in ATTEMPT_COLUMNS
    )
    statement = _statement(table, attempt._meta.db_table, assignments, tests, values)
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return bool(cursor.rowcount)


@lru_cache(maxsize=256)
def _statement(
    table: str,
    attempt_table: str,
    assignments: tuple[tuple[str, str], ...],
    tests: tuple[str, ...],
    values: tuple[str, ...],
) -> str:
    changed = ", ".join(f'"{name}" = {value}' for name, value in assignments)
    columns = ", ".join(f'"{name}"' for name in ATTEMPT_COLUMNS)
    return (
        f'WITH moved AS (UPDATE "{table}" SET {changed} WHERE {" AND ".join(tests)}'
        f' RETURNING "id") INSERT INTO "{attempt_table}" ("program_id", {columns})'
        f' SELECT "id", {", ".join(values)} FROM moved'
    )


def _placeholder(value: Any, connection: BaseDatabaseWrapper, params: list[Any]) -> str:
    if isinstance(value, Utc):
        sql, own = value.as_postgresql(None, connection)
        params.extend(own)
        return sql
    params.append(value)
    return "%s"


def _test(name: str, value: Any, connection: BaseDatabaseWrapper, params: list[Any]) -> str:
    column, _, lookup = name.partition("__")
    if lookup == "isnull":
        return f'"{column}" IS {"" if value else "NOT "}NULL'
    sign = {"": "=", "lte": "<="}[lookup]
    return f'"{column}" {sign} {_placeholder(value, connection, params)}'

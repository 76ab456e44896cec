"""Records the queries that Django compiles, so that they can be compiled again for others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql import Query, compiler

ABSENT = "absent"

COMPILERS = (
    compiler.SQLCompiler,
    compiler.SQLInsertCompiler,
    compiler.SQLUpdateCompiler,
    compiler.SQLDeleteCompiler,
    compiler.SQLAggregateCompiler,
)


@contextlib.contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Query]]:
    """Collect what is compiled meanwhile, each statement as a whole and before that."""
    queries: list[Query] = []
    depth = 0

    def recording(as_sql: Any) -> Any:
        def compiled(self: Any, *args: Any, **options: Any) -> Any:
            nonlocal depth
            if not depth:
                queries.append(self.query.clone())
            depth += 1
            try:
                return as_sql(self, *args, **options)
            finally:
                depth -= 1

        return compiled

    with monkeypatch.context() as patch:
        for each in COMPILERS:
            patch.setattr(each, "as_sql", recording(vars(each)["as_sql"]))
        yield queries


def statements(query: Query, connection: BaseDatabaseWrapper) -> list[str]:
    """Return the SQL of a query for this database, without the values."""
    try:
        connections[ABSENT] = connection  # by its name an aggregate finds the one to its subquery
        compiled: Any = query.get_compiler(ABSENT).as_sql()
    except EmptyResultSet:
        return []  # as of the engine's own: nothing is asked
    finally:
        del connections[ABSENT]
    both = compiled if isinstance(compiled, list) else [compiled]
    return [" ".join(sql.split()) for sql, _ in both if sql]

"""Statements that Django's compiler makes once for each connection, to be executed many times.

Building and compiling a query anew takes several times as long as the database takes to execute
it. Querysets and models stay the only source of the SQL.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Generic, TypeVar, cast

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Expression, Field
from django.db.models.sql import InsertQuery, UpdateQuery
from django.db.models.sql.compiler import SQLCompiler

from programs.models.postgresql import Prepared, may_prepare

S = TypeVar("S")
M = TypeVar("M", bound=models.Model)

# What drivers take as it is; the values of other fields are prepared at each execution.
PLAIN: tuple[type[Field[Any, Any]], ...] = (
    models.AutoField,
    models.CharField,
    models.FloatField,
    models.ForeignKey,
    models.IntegerField,
    models.TextField,
)


class Given(Expression):
    """A value that each execution gives, known by its place among them."""

    def __init__(self, place: int, field: Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.place = place

    def as_sql(  # type: ignore[override]
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, list[Any]]:
        return "%s", [self]


class Statement:
    """One statement, and where in its parameters what is given belongs."""

    def __init__(self, connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any]) -> None:
        self.sql = sql
        self.params = params
        self.connection = connection
        fields = [param.output_field if isinstance(param, Given) else None for param in params]
        self._prepared = Prepared(sql, params, fields) if may_prepare(connection) else None
        self._constants = [None if isinstance(param, Given) else param for param in params]
        self._places = [
            (index, param.place, not isinstance(param.output_field, PLAIN) and param.output_field)
            for index, param in enumerate(params)
            if isinstance(param, Given)
        ]

    def write(self, given: Sequence[Any]) -> int:
        """Execute it with what is given, and return how many rows it wrote."""
        cursor = _cursor(self.connection)
        self._execute(cursor, given)
        return int(cursor.rowcount)

    def fetch(self, given: Sequence[Any] = ()) -> list[Any]:
        """Execute it with what is given, and return the rows that come back."""
        cursor = _cursor(self.connection)
        self._execute(cursor, given)
        return list(cursor.fetchall())

    def fetch_for_all(self, rows: Sequence[Sequence[Any]]) -> list[Any]:
        """Execute an insertion once for all that `rows` give, and return what comes back.

        Not prepared: who creates may have a connection for each request. By a cursor of its own,
        which is closed: one that is kept would keep all of these values.
        """
        head, _, rest = self.sql.partition(" VALUES ")
        values, returning, told = rest.rpartition(" RETURNING ")
        sql = f"{head} VALUES {', '.join([values] * len(rows))}{returning}{told}"
        with self.connection.cursor() as cursor:
            cursor.execute(sql, [value for given in rows for value in self.bound(given)])
            return list(cursor.fetchall())

    def bound(self, given: Sequence[Any]) -> list[Any]:
        """Return the parameters of one execution."""
        values = self._constants.copy()
        for index, place, field in self._places:
            value = given[place]
            values[index] = field.get_db_prep_save(value, self.connection) if field else value
        return values

    def _execute(self, cursor: CursorWrapper, given: Sequence[Any]) -> None:
        values = self.bound(given)
        is_alone = self.connection.autocommit and not self.connection.in_atomic_block
        # In a transaction of a job's, an error would take that with it.
        if self._prepared is not None and is_alone:
            own = [values[index] for index, _, _ in self._places]
            if self._prepared.execute(self.connection, cursor, own):
                return
            self._prepared = None
        cursor.execute(self.sql, values)


AT_ONCE = nullcontext()
LONGEST_TURN = 1.0  # seconds
_writers: dict[str, threading.Lock] = {}  # by alias


def in_turn(connection: BaseDatabaseWrapper) -> AbstractContextManager[Any]:
    """Let the threads of this process write to SQLite one after the other, as the context lasts.

    It has one writer at a time, and who finds it busy sleeps for longer than a write takes. In a
    transaction of the caller's it is the caller's turn already.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        return AT_ONCE
    return _turn(_writers.setdefault(connection.alias, threading.Lock()))


@contextmanager
def _turn(writer: threading.Lock) -> Iterator[None]:
    # Not for ever: a job may hold SQLite by a BEGIN of its own, which we do not see, while the
    # slot that has the lock waits for SQLite. Then its busy timeout decides, as without us.
    is_ours = writer.acquire(timeout=LONGEST_TURN)
    try:
        yield
    finally:
        if is_ours:
            writer.release()


def _cursor(connection: BaseDatabaseWrapper) -> CursorWrapper:
    """Return a cursor of the present session: the same one again, unless queries are logged."""
    own = vars(connection)
    session, cursor = own.get("programs_cursor", (None, None))
    if cursor is None or session is not connection.connection or connection.queries_logged:
        cursor = connection.cursor()
        own["programs_cursor"] = connection.connection, cursor
    return cast("CursorWrapper", cursor)


class Rows(Generic[M]):
    """A query for instances of a model, as a queryset selects them: whole, or some fields deferred.

    `columns`: the names of what it selects.
    """

    def __init__(self, rows: models.QuerySet[M]) -> None:
        connection = connections[rows.db]
        compiler = self._compiler = rows.query.get_compiler(connection=connection)
        self.statement = Statement(connection, *compiler.as_sql())
        columns = [column for column, _, _ in compiler.select]
        self.columns = [column.target.column for column in columns]
        self._names = [column.target.attname for column in columns]
        self._converters = compiler.get_converters(columns)
        self._model, self._alias = rows.model, rows.db

    def fetch(self, given: Sequence[Any] = ()) -> list[M]:
        """Execute it, and return what it finds."""
        return self.of(self.statement.fetch(given))

    def of(self, found: list[Any]) -> list[M]:
        """Return the instances that rows of these columns stand for."""
        converted = self._compiler.apply_converters(found, self._converters)
        return [self._model.from_db(self._alias, self._names, row) for row in converted]


def update(
    rows: models.QuerySet[Any], *, returning: Sequence[str] = (), **values: Any
) -> Statement:
    """Compile `rows.update(**values)`, which may return columns of what it has updated."""
    connection = connections[rows.db]
    query = rows.query.chain(UpdateQuery)
    query.add_update_values(values)  # type: ignore[attr-defined]
    sql, params = query.get_compiler(connection=connection).as_sql()
    return Statement(connection, sql + _returning(returning, connection), params)


def insert(
    model: type[models.Model], using: str, *, returning: Sequence[str] = (), **values: Any
) -> Statement:
    """Compile the insertion of one row of `model`, with these columns alone.

    It may return columns of what it has inserted.
    """
    connection = connections[using]
    query = InsertQuery(model)
    fields = [field for field in model._meta.concrete_fields if field.attname in values]
    query.insert_values(fields, [model(**values)])
    ((sql, params),) = query.get_compiler(connection=connection).as_sql()
    return Statement(connection, sql + _returning(returning, connection), params)


def _returning(columns: Sequence[str], connection: BaseDatabaseWrapper) -> str:
    names = ", ".join(map(connection.ops.quote_name, columns))
    return f" RETURNING {names}" if names else ""


def kept(using: str, key: Hashable, compile_it: Callable[[], S]) -> S:
    """Return what `compile_it` returned when this thread's connection first asked for `key`."""
    # Kept on the wrapper, which is this thread's own, and gone with it.
    statements: dict[Hashable, S] = vars(connections[using]).setdefault("programs_compiled", {})
    found = statements.get(key)
    if found is None:
        found = statements[key] = compile_it()
    return found

"""The database's clock: the one clock that due times, claims and leases are compared on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Func
from django.db.models.sql import Query
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone


def storable(moment: datetime, using: str) -> datetime:
    """Return an aware `moment` in the form that columns of the database `using` have.

    That is the same, or, in projects without `USE_TZ`, a naive one: in the time zone that Django
    gives PostgreSQL's sessions, in UTC (as `Utc` stamps it) elsewhere.
    """
    if settings.USE_TZ:
        return moment
    if connections[using].vendor == "postgresql":
        return timezone.make_naive(moment)
    return timezone.make_naive(moment, UTC)


def instant(moment: datetime, using: str) -> datetime:
    """Return what a column of the database `using` holds as an aware moment, in UTC.

    The reverse of `storable`. A naive one in an hour that comes twice is taken for the first.
    """
    if timezone.is_naive(moment):
        is_local = connections[using].vendor == "postgresql"
        moment = moment.replace(tzinfo=timezone.get_default_timezone() if is_local else UTC)
    return moment.astimezone(UTC)


def now(using: str) -> datetime:
    """Return this process's time as columns have it: to show states, never to decide."""
    return storable(datetime.now(UTC), using)


def database_now(using: str) -> datetime:
    """Return the time of the database's clock, as columns have it.

    For many rows at once: an expression in each costs more than this one statement.
    """
    connection = connections[using]
    clock = Utc()
    sql, given = Query(None).get_compiler(using).compile(clock)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sql}{connection.features.bare_select_suffix}", given)
        (value,) = cursor.fetchone()
    converters = (
        *connection.ops.get_db_converters(clock),
        *clock.get_db_converters(connection),
    )
    for convert in converters:
        value = convert(value, clock, connection)
    moment: datetime = value
    return moment


class Utc(Func):
    """The database's current time in UTC, `after` seconds from now (negative: before).

    Django's `Now` is the session's time zone's on MySQL and has no arithmetic that every
    vendor shares; a worker's own clock may be minutes off. So due times never come from Python.
    """

    arity = 0
    output_field = DateTimeField()

    def __init__(self, after: Any = 0.0) -> None:
        """`after`: a number, or an expression that a compiled statement is given one for."""
        super().__init__()
        self.after = after

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        return "programs.models.clock.Utc", (), {"after": self.after} if self.after else {}

    def as_sql(  # type: ignore[override]
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, list[float]]:
        raise NotImplementedError(f"the clock of {connection.vendor} is not known")

    def as_postgresql(
        self, compiler: SQLCompiler | None, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, list[Any]]:
        if not self.after:
            return "STATEMENT_TIMESTAMP()", []
        return "STATEMENT_TIMESTAMP() + %s * INTERVAL '1 second'", [self.after]

    def as_sqlite(  # type: ignore[override]
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, list[Any]]:
        # As Django writes datetimes, so that equal ones are equal texts: with six digits behind
        # the second, or none.
        after = ", PRINTF('%%+.3f seconds', %s)" if self.after else ""
        moment = f"STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'now'{after})"
        given = [self.after] if self.after else []
        return f"REPLACE({moment} || '000', '.000000', '')", given

    def as_mysql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, list[Any]]:
        if not self.after:
            return "UTC_TIMESTAMP(6)", []
        return "UTC_TIMESTAMP(6) + INTERVAL ROUND(%s * 1000000) MICROSECOND", [self.after]

    # These three are compiled and held against snapshots; no server has run them here.

    def as_microsoft(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, list[Any]]:
        if not self.after:
            return "SYSUTCDATETIME()", []
        # DATEADD counts in 32 bits: milliseconds alone would reach no further than 24 days.
        seconds = "DATEADD(SECOND, CAST(FLOOR(%s) AS INT), SYSUTCDATETIME())"
        rest = "CAST((%s - FLOOR(%s)) * 1000 AS INT)"
        return f"DATEADD(MILLISECOND, {rest}, {seconds})", [self.after] * 3

    def as_oracle(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, list[Any]]:
        if not self.after:
            return "SYS_EXTRACT_UTC(SYSTIMESTAMP)", []
        return "SYS_EXTRACT_UTC(SYSTIMESTAMP) + NUMTODSINTERVAL(%s, 'SECOND')", [self.after]

    def as_redshift(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, list[Any]]:
        # In the session's zone, which is UTC. PostgreSQL's own clocks are the leader node's alone.
        if not self.after:
            return "SYSDATE", []
        return "SYSDATE + %s * INTERVAL '1 second'", [self.after]


NOW = Utc()

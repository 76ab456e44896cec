"""The table of Program Executor JS: whether one is it, and what a row of it is here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.apps.registry import Apps
from django.db import connections, models
from django.utils.dateparse import parse_datetime

from programs import data
from programs.conf import settings
from programs.data import JsonObject, clean
from programs.errors import InvalidData, ProgramExecutorError
from programs.models import Program
from programs.models.clock import database_now, storable
from programs.models.columns import NAME_LENGTH

REQUIRED = ("id", "run_id", "jobs", "step", "finished_at", "errored_at", "error_message")
# These came with later versions of the original, which does not change a table that is there.
OPTIONAL = ("step_retry_count", "program_data", "job_data", "created_at", "updated_at")

MESSAGE_LENGTH = 255  # characters
BATCH = 100  # rows that are held at a time, each with up to DATA_LIMIT bytes twice
NAMES_TOLD = 10  # tables that are named where the one that was asked for is not there


class MisfitTable(ProgramExecutorError):
    """The table is none of Program Executor JS."""


class Unfit(ProgramExecutorError):
    """The row holds what cannot be stored here."""


class AsStored(models.Field):  # type: ignore[type-arg]
    """A column's value as the driver gives it, of whatever type the column is."""

    def get_internal_type(self) -> str:
        return "TextField"

    def get_db_converters(self, connection: Any) -> list[Any]:
        return []


class Row(models.Model):
    """One row of the original's; `table` makes a model of its own for each table."""

    id = AsStored(primary_key=True)
    run_id = AsStored()
    jobs = AsStored()
    step = AsStored()
    finished_at = AsStored()
    errored_at = AsStored()
    error_message = AsStored()

    class Meta:
        abstract = True
        apps = Apps()


def table(alias: str, name: str) -> type[Row]:
    """Return a model of the original's table `name` in the database `alias`.

    Raises `MisfitTable`, which says what is missing and what to do.
    """
    connection = connections[alias]
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor, include_views=True)
        if name not in names:
            told = ", ".join(names[:NAMES_TOLD]) or "none at all"
            raise MisfitTable(
                f"there is no table {name!r} in the database {alias!r}: name one by --from-table; "
                f"there are {told}{' …' if len(names) > NAMES_TOLD else ''}"
            )
        described = connection.introspection.get_table_description(cursor, name)
    columns = {column.name for column in described}
    if missing := [column for column in REQUIRED if column not in columns]:
        raise MisfitTable(
            f"the table {name!r} in the database {alias!r} is none of Program Executor JS: it has "
            f"no column {', '.join(missing)}; name another by --from-table, or add what is missing"
        )
    body: dict[str, Any] = {column: AsStored() for column in OPTIONAL if column in columns}
    meta = type("Meta", (), {"apps": Apps(), "managed": False, "db_table": name, "app_label": "js"})
    return type("OriginalRow", (Row,), {**body, "Meta": meta, "__module__": __name__})


def batches(model: type[Row], alias: str) -> Iterator[list[Row]]:
    """Yield all rows by their primary keys, some at a time."""
    rows = model._default_manager.using(alias).order_by("pk")
    behind = rows
    while found := list(behind[:BATCH]):
        yield found
        behind = rows.filter(pk__gt=found[-1].pk)


def is_open(row: Row) -> bool:
    return row.finished_at is None and row.errored_at is None


def as_program(row: Row, queue: str, using: str) -> Program:
    """Return what `row` is here, unsaved, and due at no time; raises `Unfit` with the reason."""
    jobs = _jobs(row.jobs)
    ended = not is_open(row)
    created_at = _moment("created_at", row, using) or database_now(using)
    return Program(
        run_id=_run_id(row.run_id),
        jobs=jobs,
        program_data=_object("program_data", row),
        job_data=_object("job_data", row),
        step=_step(row.step, len(jobs), ended=ended),
        step_retry_count=_count("step_retry_count", getattr(row, "step_retry_count", 0)),
        finished_at=_moment("finished_at", row, using),
        errored_at=_moment("errored_at", row, using),
        error_message=_message(row.error_message),
        created_at=created_at,
        updated_at=_moment("updated_at", row, using) or created_at,
        queue=queue,
    )


# The columns -----------------------------------------------------------------------------------


def _run_id(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= NAME_LENGTH or not value.isprintable():
        raise Unfit(f"run_id has not 1 to {NAME_LENGTH} printable characters")
    return value


def _json(column: str, value: Any) -> Any:
    if not isinstance(value, (str, bytes)):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise Unfit(f"{column} is no JSON") from error


def _jobs(value: Any) -> list[str]:
    jobs = _json("jobs", value)
    if not isinstance(jobs, list) or not jobs:
        raise Unfit("jobs is no list of names")
    if len(jobs) > settings.JOBS_LIMIT:
        raise Unfit(f"jobs has {len(jobs)} names; at most {settings.JOBS_LIMIT} (JOBS_LIMIT)")
    for index, name in enumerate(jobs):
        is_name = isinstance(name, str) and 0 < len(name) <= NAME_LENGTH and name.isprintable()
        if not is_name:
            raise Unfit(f"jobs[{index}] is no name of 1 to {NAME_LENGTH} printable characters")
    return jobs


def _object(column: str, row: Row) -> JsonObject:
    value = _json(column, getattr(row, column, None))
    try:
        return data.stored({} if value is None else value)
    except InvalidData as error:
        raise Unfit(f"{column} {error}") from error


def _count(column: str, value: Any) -> int:
    count = 0 if value is None else value
    if not isinstance(count, int) or not 0 <= count < 2**31:
        raise Unfit(f"{column} is no count")
    return count


def _step(value: Any, jobs: int, *, ended: bool) -> int:
    step = _count("step", value)
    if step < jobs:
        return step
    if ended:
        return jobs - 1  # two chains of messages have counted it, and it is over
    raise Unfit(f"step is {step}, of {jobs} jobs: two chains of messages may have counted it")


def _message(value: Any) -> str | None:
    return None if value is None else clean(str(value), MESSAGE_LENGTH)


def _moment(column: str, row: Row, using: str) -> datetime | None:
    """Return a moment; SQLite's is a text, or milliseconds, as Node's driver writes it."""
    value = getattr(row, column, None)
    if value is None:
        return None
    try:
        if isinstance(value, (int, float)):
            value = datetime.fromtimestamp(value / 1000, UTC)
        elif isinstance(value, str) and (value := parse_datetime(value)) is None:
            raise ValueError("it is no moment at all")
        moment = value if value.utcoffset() is not None else value.replace(tzinfo=UTC)
        return storable(moment.astimezone(UTC), using)
    except (ValueError, OverflowError, OSError, AttributeError) as error:
        raise Unfit(f"{column} is no moment") from error

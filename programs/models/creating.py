"""Storing new programs: on PostgreSQL by a statement that is compiled once, elsewhere by Django.

A test holds both equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from django.db import connections, transaction
from django.db.models import NOT_PROVIDED
from django.db.models.functions import Coalesce
from django.db.models.signals import post_save, pre_save

from programs.models import compiled
from programs.models.clock import Utc, database_now
from programs.models.compiled import Given

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from programs.models.program import Program

BATCH = 500  # rows of one INSERT

# What a creation gives; all other columns have their defaults in the database, or are empty.
COLUMNS = (
    "run_id",
    "program_data",
    "jobs",
    "job_data",
    "queue",
    "run_at",
    "idempotency_key",
    "content_hash",
    "created_by",
    "definition",
    "trace_parent",
)
values_of = attrgetter(*COLUMNS)


def store(program: Program, using: str) -> None:
    """Insert the row of one new program, as `save` does it; due at its time, or at once."""
    if connections[using].vendor != "postgresql":
        program.due_at = program.run_at or Utc()
        program.save(using=using, force_insert=True)
        return
    sent = {"sender": type(program), "instance": program, "raw": False, "using": using}
    pre_save.send(**sent, update_fields=None)
    with transaction.mark_for_rollback_on_error(using):
        _creating(type(program), using)([program])
    post_save.send(**sent, update_fields=None, created=True)


def store_all(programs: Sequence[Program], using: str) -> None:
    """Insert the rows of many, all or none, as `bulk_create` does it; in a transaction."""
    if connections[using].vendor == "postgresql":
        for first in range(0, len(programs), BATCH):
            batch = programs[first : first + BATCH]
            _creating(type(batch[0]), using)(batch)
    elif programs:
        # The database's time where each row would have an expression for it: twice as quick.
        moment = database_now(using)
        for program in programs:
            program.created_at = program.updated_at = moment
            program.due_at = program.run_at or moment
        rows = type(programs[0])._default_manager.using(using)
        rows.bulk_create(programs, batch_size=BATCH)
        if not connections[using].features.can_return_rows_from_bulk_insert:
            _learn_keys(programs, rows)


def _learn_keys(programs: Sequence[Program], rows: QuerySet[Program]) -> None:
    """Let each instance know its primary key, which MySQL, Oracle and SQL Server do not return."""
    for first in range(0, len(programs), BATCH):
        batch = {program.run_id: program for program in programs[first : first + BATCH]}
        for run_id, key in rows.filter(run_id__in=batch).order_by().values_list("run_id", "pk"):
            program = batch[run_id]
            program.pk = key
            program._state.adding = False
            program._state.db = rows.db


class Creating:
    """The insertion of programs, compiled for one connection."""

    def __init__(self, model: type[Program], using: str) -> None:
        self._using = using
        fields = {field.attname: field for field in model._meta.concrete_fields}
        values = {name: Given(at, fields[name]) for at, name in enumerate(COLUMNS)}
        due_at = Coalesce(values["run_at"], Utc())
        self._told = [
            field.attname
            for field in fields.values()
            if field.primary_key or field.db_default is not NOT_PROVIDED
        ]
        self._insert = compiled.insert(model, using, returning=self._told, **values, due_at=due_at)

    def __call__(self, programs: Sequence[Program]) -> None:
        """Insert these rows by one statement, and let each instance know what the row says."""
        rows = self._insert.fetch_for_all([values_of(program) for program in programs])
        for program, row in zip(programs, rows, strict=True):
            for name, value in zip(self._told, row, strict=True):
                setattr(program, name, value)
            program._state.adding = False
            program._state.db = self._using


def _creating(model: type[Program], using: str) -> Creating:
    return compiled.kept(using, ("create",), lambda: Creating(model, using))

"""Deleting programs that ended long ago, in the time between two breaths of the workers.

Each transaction locks some rows of programs that have ended, which no worker touches, and deletes
a bounded number of rows. A program that an operator opens again meanwhile is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import router, transaction
from django.db.models import DO_NOTHING, PROTECT, RESTRICT, SET_NULL, Exists, OuterRef, Q

from programs.conf import settings
from programs.models import Program, State
from programs.models.clock import Utc
from programs.models.program import ProgramQuerySet

BATCH = 1_000  # rows of one transaction
FORBIDDING = (PROTECT, RESTRICT, DO_NOTHING)  # the last: the database itself may forbid it


def ended_before(state: State, age: timedelta) -> ProgramQuerySet:
    """Return the programs that ended so in `state`, `age` ago or earlier, that nobody holds.

    Neither a worker nor a row of the project's own.
    """
    long_ago = {f"{state.value}_at__lt": Utc(after=-age.total_seconds())}
    # A row whose errored_at somebody set by hand may be held still.
    return Program.objects.in_state(state).filter(*_unprotected(), **long_ago).unclaimed()


def _unprotected() -> Iterator[Q]:
    """Yield the conditions that no row of the project's own forbids the deletion.

    They must hold before the history goes: the program could not be deleted behind it.
    """
    for relation in Program._meta.related_objects:
        model = relation.related_model
        is_there = router.allow_migrate_model(settings.DATABASE, model)
        if is_there and getattr(relation, "on_delete", None) in FORBIDDING:
            same = {relation.field.name: OuterRef(relation.field.target_field.name)}
            yield Q(~Exists(model._base_manager.using(settings.DATABASE).filter(**same)))


def purge(state: State, age: timedelta) -> Iterator[int]:
    """Delete these programs with all that is kept of them; yield how many, batch by batch."""
    column = f"{state.value}_at"
    ended = ended_before(state, age)
    behind = Q()
    while True:
        rows = ended.filter(behind).order_by(column, "pk").values_list(column, "pk")[:BATCH]
        found: list[tuple[datetime, int]] = list(rows)
        if not found:
            return
        yield _delete(ended, [pk for _, pk in found])
        moment, last = found[-1]  # what was locked is not met a second time
        behind = Q(**{f"{column}__gte": moment}) & ~Q(**{column: moment, "pk__lte": last})


def _delete(ended: ProgramQuerySet, keys: list[int]) -> int:
    using = settings.DATABASE
    for relation in Program._meta.related_objects:
        model, key = relation.related_model, relation.field.name
        if model._meta.app_label != Program._meta.app_label:
            continue  # a project's own rows: what its `on_delete` says is Django's to do
        if getattr(relation, "on_delete", None) is SET_NULL:
            continue  # ticks of schedules outlive their programs; Django's deletion sees to it
        rows = model._default_manager.using(using)
        while True:  # of one program there may be a hundred thousand
            with transaction.atomic(using=using):
                locked = ended.filter(pk__in=keys).unlocked()
                history = rows.filter(**{f"{key}__in": locked}).order_by()
                some = list(history.values_list("pk", flat=True)[:BATCH])
                rows.filter(pk__in=some).delete()
            if len(some) < BATCH:
                break
    with transaction.atomic(using=using):
        locked = ended.filter(pk__in=keys).unlocked()
        Program.objects.filter(pk__in=locked).only("pk").delete()
    return len(locked)

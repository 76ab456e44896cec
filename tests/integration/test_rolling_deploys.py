"""Workers of older releases beside those of this one, in its tables.

Of an older release there are the models, as its migrations tell them: what it reads and writes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import models

from programs.models import Program, State
from programs.models.clock import Utc
from tests.migrating import RELEASES, models_of
from tests.running import carry, claim, fresh

pytestmark = [
    pytest.mark.usefixtures("bookkeeping"),
    pytest.mark.parametrize("release", RELEASES),
]

VALUES: dict[type[models.Field], Any] = {
    models.CharField: "text",
    models.TextField: "text",
    models.IntegerField: 1,
    models.JSONField: ["noop"],
    models.DateTimeField: datetime(2026, 1, 1, tzinfo=UTC),
}


def rows(release: str, model: str, alias: str) -> models.QuerySet[Any]:
    found: type[models.Model] = models_of(release).get_model("programs", model)
    return found._default_manager.using(alias)


def create(release: str, model: str, alias: str) -> models.Model:
    """Insert a row with no more than it needs, and those that it points to."""
    objects = rows(release, model, alias)
    given: dict[str, Any] = {}
    for field in objects.model._meta.concrete_fields:
        if field.null or field.primary_key or field.has_default() or field.has_db_default():
            continue
        if isinstance(field, models.ForeignKey):
            given[field.name] = create(release, field.related_model._meta.model_name, alias)
        else:
            given[field.name] = VALUES[type(field)]
    return objects.create(**given)


def test_a_program_that_an_older_release_creates_is_run(bookkeeping: str, release: str) -> None:
    created = rows(release, "Program", bookkeeping).create(
        jobs=["noop", "noop"], queue="default", due_at=Utc()
    )

    program = claim(Program.objects.get(pk=created.pk))
    assert program is not None
    carry(program)

    assert fresh(program).state is State.FINISHED
    created.refresh_from_db()
    assert (created.finished_at is not None, created.step) == (True, 1)


def test_a_program_that_an_older_release_began_is_carried_on(
    bookkeeping: str, release: str
) -> None:
    """Its worker wrote the first step's outcome, and ended."""
    objects = rows(release, "Program", bookkeeping)
    begun = objects.create(jobs=["noop", "noop"], queue="default", due_at=Utc())
    objects.filter(pk=begun.pk).update(step=1, epoch=2, started_at=Utc(), due_at=Utc())
    rows(release, "Attempt", bookkeeping).create(
        program=begun,
        step=0,
        job="noop",
        number=1,
        epoch=1,
        worker="old/1.1",
        ended_at=Utc(),
        outcome="succeeded",
    )

    program = claim(Program.objects.get(pk=begun.pk))
    assert program is not None
    carry(program)

    assert fresh(program).state is State.FINISHED
    assert [attempt.step for attempt in program.attempts.all()] == [0, 1]


def test_all_that_an_older_release_reads_and_writes_is_there(
    bookkeeping: str, release: str
) -> None:
    for model in models_of(release).get_app_config("programs").get_models():
        name = model._meta.model_name
        created = create(release, name, bookkeeping)
        created.save()
        assert rows(release, name, bookkeeping).get(pk=created.pk) == created
        created.delete()

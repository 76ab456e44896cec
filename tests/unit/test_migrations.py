"""What migrations may do while workers of the release before run on."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.migrations import (
    AddConstraint,
    AddField,
    AlterField,
    AlterModelTable,
    AlterUniqueTogether,
    DeleteModel,
    RemoveField,
    RenameField,
    RunPython,
    RunSQL,
)
from django.db.migrations.operations.base import Operation
from django.db.models import Q

from tests.migrating import RELEASES, harms, migration, state_before

HARMFUL = (
    AddConstraint("program", models.CheckConstraint(condition=Q(step__gte=0), name="positive")),
    AddField("program", "priority", models.IntegerField(default=0)),
    AddField("program", "label", models.CharField(max_length=9, null=True, unique=True)),
    AlterField("program", "error_message", models.CharField(max_length=100, null=True)),
    AlterField("program", "queue", models.CharField(max_length=100)),
    AlterField("program", "step", models.IntegerField(default=0)),
    AlterField("program", "step", models.TextField(default="", db_default="")),
    AlterModelTable("program", "others"),
    AlterUniqueTogether("attempt", {("program", "number")}),
    DeleteModel("worker"),
    RemoveField("program", "losses"),
    RenameField("program", "losses", "lost"),
    RunPython(RunPython.noop),
    RunSQL("DROP TABLE programs"),
)


@pytest.mark.parametrize("release", RELEASES[1:])
def test_workers_of_the_release_before_survive_the_migration(release: str) -> None:
    told = list(harms(state_before(release), migration(release).operations))
    assert told == [], "add columns that are nullable or have a db_default, and take nothing away"


@pytest.mark.parametrize("operation", HARMFUL, ids=lambda operation: operation.describe())
def test_what_they_would_not_survive_is_found(operation: Operation) -> None:
    assert list(harms(state_before(RELEASES[1]), [operation])) == [operation.describe()]

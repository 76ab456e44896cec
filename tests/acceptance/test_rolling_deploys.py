"""A migration under workers that run: what `migrate` does while the release before is at work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connections, models

from programs.models import Attempt, Ending, Program
from programs.models.clock import Utc
from programs.submission import create_programs
from tests.site import SITE, Site, all_ended, on_each_database
from tests.waiting import eventually


@contextmanager
def migrated() -> Iterator[None]:
    """Let the table have a column and an index more, as a later release would."""
    later = models.DateTimeField(null=True)
    later.set_attributes_from_name("later_at")
    later.model = Program
    index = models.Index(fields=["updated_at"], name="programs_later_idx")
    with connections[SITE].schema_editor() as editor:
        editor.add_field(Program, later)
        editor.add_index(Program, index)
    try:
        yield
    finally:
        with connections[SITE].schema_editor() as editor:
            editor.remove_index(Program, index)
            editor.execute("ALTER TABLE programs DROP COLUMN later_at")


@on_each_database
def test_workers_run_on_while_a_migration_adds_to_their_tables(site: Site) -> None:
    worker = site.worker("--threads", "2").started()
    create_programs([{"jobs": ["noop"] * 3}] * 100)
    eventually(Attempt.objects.exists)

    with migrated():
        create_programs([{"jobs": ["noop"] * 3}] * 20)
        eventually(all_ended, within=60)

    assert set(Attempt.objects.values_list("outcome", flat=True)) == {Ending.SUCCEEDED}
    assert Attempt.objects.count() == 360
    assert "ERROR" not in worker.output
    assert worker.terminate() == 0


@contextmanager
def writes_held_up() -> Iterator[None]:
    """Lock the table as CREATE INDEX does: reads go on, writes wait."""
    builder = connections[SITE].copy("builder")
    builder.set_autocommit(False)
    try:
        with builder.cursor() as cursor:
            cursor.execute("LOCK TABLE programs IN SHARE MODE")
        yield
        builder.rollback()
    finally:
        builder.close()


@pytest.mark.parametrize("site", ["postgresql"], indirect=True)
def test_an_index_that_takes_longer_than_a_lease_costs_no_step(site: Site) -> None:
    for _ in range(2):
        site.worker("--threads", "4", TEST_LEASE="4").started()
    create_programs([{"jobs": ["sleep", "noop"], "program_data": {"seconds": 1}}] * 16)
    eventually(Attempt.objects.exists)

    with writes_held_up():
        held = Program.objects.filter(worker__isnull=False)
        assert held.exists()
        eventually(lambda: not held.filter(due_at__gte=Utc(after=-1)).exists(), within=30)

    eventually(all_ended, within=60)
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {Ending.SUCCEEDED}
    assert Attempt.objects.count() == 32

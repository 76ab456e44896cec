"""The commands where somebody else holds what they ask for: none of them hangs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.db import connections, transaction

from programs.models import Operation, Program, State, persistence
from tests.commands import manage
from tests.console import program_in
from tests.running import fresh, on_server

LOCKS = {  # of the whole table, and how it ends before the transaction does
    "postgresql": ("LOCK TABLE programs IN ACCESS EXCLUSIVE MODE", "SELECT 1"),
    "mysql": ("LOCK TABLES programs WRITE", "UNLOCK TABLES"),
}

pytestmark = [pytest.mark.usefixtures("bookkeeping"), on_server]


@pytest.fixture
def other(bookkeeping: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The alias of a second connection to the same database."""
    monkeypatch.setattr(persistence, "STATEMENT_LIMIT", 200)
    connections["other"] = connections[bookkeeping].copy("other")
    connections.settings["other"] = connections.settings[bookkeeping]
    yield "other"
    connections["other"].close()
    del connections["other"], connections.settings["other"]


@pytest.mark.parametrize("command", ["stopprogram", "pauseprogram", "retryprogram", "skipstep"])
def test_a_row_that_a_job_has_locked_is_not_waited_for(other: str, command: str) -> None:
    state = State.WAITING if command in ("stopprogram", "pauseprogram") else State.ERRORED
    program = program_in(state)

    with transaction.atomic(using=other):
        Program.objects.using(other).filter(pk=program.pk).update(job_data={"behave": {"n": 1}})
        done = manage(command, program.run_id, "--reason", "x")

    assert done.status == 1
    assert re.search("timeout.*; somebody has locked what is asked for: try again$", done.err)
    assert fresh(program).state is state
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    "command", ["programsstatus", "programs", "createprogram noop", "showprogram x"]
)
def test_a_table_that_a_migration_has_locked_is_not_waited_for(other: str, command: str) -> None:
    with transaction.atomic(using=other), connections[other].cursor() as cursor:
        lock, unlock = LOCKS[connections[other].vendor]
        cursor.execute(lock)
        done = manage(*command.split())
        cursor.execute(unlock)

    assert (done.status, done.out) == (1, "")
    assert "somebody has locked what is asked for" in done.err

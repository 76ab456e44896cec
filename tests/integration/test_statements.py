"""How many statements a program costs, and of which shape: the hot path's budget."""

from __future__ import annotations

import threading

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from programs import execution
from programs.lease import Lease
from programs.models import Program, State, compiled
from programs.submission import create_program, create_programs
from tests.running import fresh, on_postgresql, on_server, on_sqlite, run

pytestmark = pytest.mark.usefixtures("bookkeeping", "webhooks_read_once")

# What one outcome is: the row and its attempt, committed.
PORTABLE = ["BEGIN", "UPDATE", "INSERT", "COMMIT"]
OUTCOME = {"postgresql": ["EXECUTE"], "sqlite": PORTABLE, "mysql": PORTABLE}
CLAIM = {"postgresql": ["EXECUTE"], "sqlite": ["UPDATE"], "mysql": ["UPDATE", "SELECT"]}
DATA = {"postgresql": ["EXECUTE"], "sqlite": ["UPDATE"], "mysql": ["UPDATE"]}


def verbs(bookkeeping: str, *jobs: str) -> list[str]:
    """Run a program as a hint would, and return the first word of each of its statements."""
    program = create_program(list(jobs))
    with CaptureQueriesContext(connections[bookkeeping]) as queries:
        held = Program.objects.claim_named(program.run_id, ["default"], "tests/1.1", 60.0)
        assert held is not None
        execution.carry(held, Lease(60.0), lambda: False)
    assert fresh(program).state is State.FINISHED
    return [query["sql"].split()[0] for query in queries]


@pytest.mark.parametrize("steps", [1, 3, 40])
def test_a_program_of_n_steps_is_one_claim_and_n_outcomes(bookkeeping: str, steps: int) -> None:
    vendor = connections[bookkeeping].vendor
    verbs(bookkeeping, "noop", "noop")  # compiled and prepared

    asked = verbs(bookkeeping, *["noop"] * steps)

    assert asked == CLAIM[vendor] + OUTCOME[vendor] * steps


@on_sqlite
def test_a_database_that_knows_no_returning_is_asked_in_two_statements(
    bookkeeping: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connections[bookkeeping]
    monkeypatch.setitem(vars(connection), "programs_compiled", {})
    # As of an SQLite before 3.35.
    monkeypatch.setattr(connection.features, "can_return_columns_from_insert", False)

    assert verbs(bookkeeping, "noop")[:2] == ["UPDATE", "SELECT"]


def test_job_data_cost_one_statement_a_change_and_none_to_read(bookkeeping: str) -> None:
    vendor = connections[bookkeeping].vendor
    verbs(bookkeeping, "count", "count")

    asked = verbs(bookkeeping, "count", "count", "count")  # each gets and merges

    each_step = DATA[vendor] + OUTCOME[vendor]
    assert asked == CLAIM[vendor] + each_step * 3


@on_server  # SQLite has a limit of its own
def test_many_programs_are_created_by_one_statement_for_each_five_hundred(
    bookkeeping: str,
) -> None:
    with CaptureQueriesContext(connections[bookkeeping]) as queries:
        create_programs([{"jobs": ["noop"]}] * 1001)

    inserts = [query for query in queries if query["sql"].startswith("INSERT")]
    assert len(inserts) == 3


@on_postgresql
def test_a_claim_reads_by_the_run_id_even_where_nothing_is_known_of_the_table(
    bookkeeping: str,
) -> None:
    connection = connections[bookkeeping]
    create_programs([{"jobs": ["noop"]}] * 2000)
    verbs(bookkeeping, "noop")
    own = next(
        found._update
        for key, found in vars(connection)["programs_compiled"].items()
        if key[0] == "claim"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {own.sql}", own.bound(("no such run id", "tests/1.1")))
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "run_id" in plan.splitlines()[1]


@on_sqlite
def test_a_turn_that_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "LONGEST_TURN", 0.01)
    writer = compiled._writers.setdefault("default", threading.Lock())
    with writer:  # as by a slot that waits for a job which holds SQLite by its own BEGIN
        assert run("noop").state is State.FINISHED
    assert not writer.locked()

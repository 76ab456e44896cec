"""Statements that a session of PostgreSQL keeps: when they are, and what becomes of lost ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connections, transaction
from django.db.models import CharField
from django.test.utils import CaptureQueriesContext

from programs.models import Program, State, postgresql
from programs.models.compiled import Given
from programs.models.postgresql import Prepared
from programs.submission import create_program, create_programs
from tests.running import claimed, fresh, on_postgresql, run

pytestmark = [pytest.mark.usefixtures("bookkeeping"), on_postgresql]

SLOT = "tests/1.1"


@pytest.fixture(autouse=True)
def anew(bookkeeping: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a test begin with nothing compiled, prepared, or known of a pooler."""
    connections[bookkeeping].close()
    monkeypatch.setitem(vars(connections[bookkeeping]), "programs_compiled", {})
    monkeypatch.setattr(postgresql, "_pooled", set())
    yield
    connections[bookkeeping].close()


def verbs(bookkeeping: str, *jobs: str) -> list[str]:
    """Run a program as a hint would, and return the first word of each statement."""
    program = create_program(list(jobs))
    with CaptureQueriesContext(connections[bookkeeping]) as queries:
        held = Program.objects.claim_named(program.run_id, ["default"], SLOT, 60.0)
        assert held is not None
        held.save_job_data("count", {"n": 1})
    return [query["sql"].split()[0] for query in queries]


def test_what_a_slot_does_all_the_time_is_prepared_once_and_executed_then(bookkeeping: str) -> None:
    assert verbs(bookkeeping, "count") == ["PREPARE", "EXECUTE"] * 2
    assert verbs(bookkeeping, "count") == ["EXECUTE"] * 2


def test_a_new_session_is_told_anew(bookkeeping: str) -> None:
    verbs(bookkeeping, "count")
    connections[bookkeeping].close()
    assert verbs(bookkeeping, "count") == ["PREPARE", "EXECUTE"] * 2


def test_behind_a_pooler_that_the_settings_tell_of_nothing_is_prepared(
    bookkeeping: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = connections[bookkeeping].settings_dict
    monkeypatch.setitem(own, "DISABLE_SERVER_SIDE_CURSORS", True)
    assert verbs(bookkeeping, "count") == ["UPDATE"] * 2


def test_a_session_that_has_lost_what_was_prepared_goes_on_without(bookkeeping: str) -> None:
    run("noop", "noop")
    with connections[bookkeeping].cursor() as cursor:
        cursor.execute("DISCARD ALL")  # a job's own, or a pooler's between two clients
    assert run("noop", "noop").state is State.FINISHED
    assert verbs(bookkeeping, "count") == ["UPDATE"] * 2


def test_what_another_has_prepared_in_this_session_is_in_nobodys_way(bookkeeping: str) -> None:
    run("noop", "noop")
    session = connections[bookkeeping].connection
    postgresql._by_session.pop(session)  # as if this process had not been the one
    assert run("noop", "noop").state is State.FINISHED


def test_a_transaction_of_the_jobs_does_not_depend_on_what_its_session_keeps(
    bookkeeping: str,
) -> None:
    program = claimed("count")
    program.save_job_data("count", {"n": 1})
    with connections[bookkeeping].cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    with transaction.atomic(bookkeeping):
        program.save_job_data("count", {"n": 2})
    assert fresh(program).job_data == {"count": {"n": 2}}


def test_a_migration_may_change_columns_under_a_worker(bookkeeping: str) -> None:
    def changed_to(length: int) -> None:
        with connections[bookkeeping].cursor() as cursor:
            cursor.execute(f"ALTER TABLE programs ALTER created_by TYPE varchar({length})")
            cursor.execute("ALTER TABLE programs ADD later int")
            cursor.execute("ALTER TABLE programs DROP later")

    verbs(bookkeeping, "count")
    Program.objects.oldest("default", 8)
    changed_to(300)
    try:
        Program.objects.oldest("default", 8)
        verbs(bookkeeping, "count")
    finally:
        changed_to(255)


def test_every_process_gives_a_statement_the_same_name() -> None:
    query = "SELECT id FROM programs WHERE run_id = %s AND queue = %s"
    names = set()
    for _ in range(2):
        text = Given(0, CharField())
        names.add(Prepared(query, [text, "default"], [text.output_field, None])._name)
    assert len(names) == 1


def test_a_plan_made_for_an_empty_table_is_not_kept_for_a_full_one(
    bookkeeping: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connections[bookkeeping].cursor() as cursor:
        cursor.execute("ALTER TABLE programs SET (autovacuum_enabled = off)")
        cursor.execute("VACUUM ANALYZE programs")
    for _ in range(8):  # from the sixth on, a plan is kept
        run("noop")
        Program.objects.claim_named("no such run id", ["default"], SLOT, 60.0)
    assert "Seq Scan" in plan_of_claim(bookkeeping)
    create_programs([{"jobs": ["noop"]}] * 2000)

    monkeypatch.setattr(postgresql, "PLANS_LAST", -1.0)
    assert Program.objects.claim_named("no such run id", ["default"], SLOT, 60.0) is None

    assert "Index Scan" in plan_of_claim(bookkeeping)
    with connections[bookkeeping].cursor() as cursor:
        cursor.execute("ALTER TABLE programs RESET (autovacuum_enabled)")
        cursor.execute("VACUUM ANALYZE programs")


def plan_of_claim(bookkeeping: str) -> str:
    kept = vars(connections[bookkeeping])["programs_compiled"]
    (claiming,) = (found for key, found in kept.items() if key[0] == "claim")
    name = claiming._update._prepared._name
    with connections[bookkeeping].cursor() as cursor:
        cursor.execute(f"EXPLAIN EXECUTE {name} ('no such run id', 'tests/1.1')")
        return "\n".join(line for (line,) in cursor.fetchall())


def test_what_is_given_is_stored_as_it_is_whatever_signs_are_in_it() -> None:
    odd = {"n": 1, "text": "100 % of 'it' \\ \"so\" $1 ☃", "deep": [{"a": None}]}
    program = claimed("count")
    program.save_job_data("count", odd)
    assert fresh(program).job_data == {"count": odd}

"""Statements that a session of PostgreSQL keeps: when they are, and what becomes of lost ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connections, transaction
from django.db.utils import OperationalError
from django.test.utils import CaptureQueriesContext

from programs.models import Program, State, postgresql
from programs.submission import create_program
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


def test_in_a_transaction_of_the_jobs_the_error_is_the_jobs(bookkeeping: str) -> None:
    program = claimed("count")
    program.save_job_data("count", {"n": 1})
    with connections[bookkeeping].cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    with (
        pytest.raises(OperationalError, match="does not exist"),
        transaction.atomic(bookkeeping),
    ):
        program.save_job_data("count", {"n": 2})
    assert fresh(program).job_data == {"count": {"n": 1}}


def test_what_is_given_is_stored_as_it_is_whatever_signs_are_in_it() -> None:
    odd = {"n": 1, "text": "100 % of 'it' \\ \"so\" $1 ☃", "deep": [{"a": None}]}
    program = claimed("count")
    program.save_job_data("count", odd)
    assert fresh(program).job_data == {"count": odd}

"""Why a program waits whose queue is paused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from programs import operations
from programs.inspection import Reason, why
from programs.models import Operation, Program, Queue, State, Verb, Worker
from programs.submission import create_program
from tests.running import claimed, fresh, make_due, run

pytestmark = pytest.mark.usefixtures("bookkeeping")


def reason(program: Program) -> Reason:
    found = why(fresh(program))
    assert found is not None
    return found


def test_it_says_that_the_queue_is_paused_since_when_and_by_whom() -> None:
    program = create_program(["noop"], queue="reports")
    operations.pause_queue("reports", by="ada")
    Queue.objects.update(paused_at=datetime.now(UTC) - timedelta(minutes=3))

    found = reason(program)

    assert found == Reason(
        "queue reports is paused (3 min 0 s ago by ada): nothing of it runs until it is resumed",
        needs_somebody=True,
    )


def test_nobody_is_named_where_nobody_said_who_did_it() -> None:
    program = create_program(["noop"])
    operations.pause_queue("default")
    assert reason(program).text.startswith("queue default is paused (0 s ago): nothing of it")


def test_it_comes_before_a_retry_and_a_time_and_a_worker_that_is_missing() -> None:
    retried = run("behave", program_data={"how": "retry", "retry_after": 3600})
    later = create_program(["noop"], run_at=datetime.now(UTC) + timedelta(days=1))
    due = create_program(["noop"])
    operations.pause_queue("default")
    for program in (retried, later, due):
        assert reason(program).text.startswith("queue default is paused")


def test_a_program_that_is_paused_itself_says_so_first() -> None:
    program = operations.pause_program(create_program(["noop"]), by="eve")
    operations.pause_queue("default", by="ada")
    assert reason(program).text == "paused 0 s ago by eve until it is resumed"


def test_a_running_one_says_that_its_job_ends_first() -> None:
    program = claimed("noop")
    operations.pause_queue("default", by="ada")
    found = reason(program)
    assert found.text.startswith(
        "queue default is paused (0 s ago by ada); job noop has run for 0 s and ends first; "
    )
    assert not found.needs_somebody


def test_one_whose_worker_is_lost_is_taken_over_by_nobody() -> None:
    program = claimed("noop")
    make_due(program)
    Worker.register(
        name="w1", host="h", pid=1, queues=["default"], slots=1, jobs=["noop"], version="0"
    )
    operations.pause_queue("default")
    found = reason(program)
    assert "ago; queue default is paused (0 s ago)" in found.text
    assert found.needs_somebody


@pytest.mark.parametrize("queue", ["default", "reports"])
def test_another_queue_and_a_pause_that_is_over_are_not_named(queue: str) -> None:
    operations.pause_queue("reports")
    if queue == "reports":
        operations.resume_queue("reports")
    assert "paused" not in reason(create_program(["noop"], queue=queue)).text


def test_who_paused_a_queue_is_found_without_reading_what_was_done_to_programs(
    bookkeeping: str,
) -> None:
    """There may be millions of these: an index finds the few that are of no program."""
    program = create_program(["noop"])
    operations.pause_queue("default", by="ada")
    Operation.objects.bulk_create(
        Operation(program=program, subject=None, verb=Verb.STOP, by="eve") for _ in range(2000)
    )
    if connections[bookkeeping].vendor == "postgresql":
        with connections[bookkeeping].cursor() as cursor:
            cursor.execute(f"ANALYZE {Operation._meta.db_table}")
    done = Operation.objects.filter(program__isnull=True, subject="default")
    plan = done.filter(verb=Verb.PAUSE_QUEUE).order_by("-id")[:1].explain()
    by_index = (
        "Index Cond: (program_id IS NULL)",
        "(program_id=?)",
        " ref programs_operation_prog",
        " using programs_operation_prog",
    )
    assert any(words in plan for words in by_index)
    assert "by ada)" in reason(program).text
    assert fresh(program).state is State.WAITING

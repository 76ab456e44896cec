"""Why a program waits: one sentence, by the engine's own rules."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime, timedelta

import pytest

from programs import operations
from programs.inspection import Reason, waiting, why
from programs.models import Program, State, Worker
from programs.submission import create_program
from tests.running import SLOT, carry, claim, claimed, fresh, make_due, run

pytestmark = pytest.mark.usefixtures("bookkeeping")


def worker(*jobs: str, queues: tuple[str, ...] = ("default",)) -> None:
    """Let a live worker be known."""
    Worker.register(
        name=f"w{Worker.objects.count()}",
        host="host",
        pid=1,
        queues=queues,
        slots=8,
        jobs=jobs,
        version="0",
    )


def reason(program: Program) -> Reason:
    found = why(fresh(program))
    assert found is not None
    return found


def test_a_program_that_has_ended_waits_for_nothing() -> None:
    for ended in (run("noop"), operations.stop_program(create_program(["noop"]))):
        assert why(ended) is None


def test_a_running_one_tells_its_job_its_holder_and_the_end_of_the_lease() -> None:
    text = reason(claimed("noop", lease=60.0)).text
    assert text.startswith("job noop has run for 0 s; ")
    assert f"{SLOT} holds it, its lease ends in " in text


def test_one_whose_worker_is_silent_says_for_how_long_and_who_comes() -> None:
    program = claimed("noop")
    make_due(program)
    alone = reason(program)
    assert "has not been heard of: its lease ran out" in alone.text
    assert alone.text.endswith("no live worker serves queue default")
    assert alone.needs_somebody
    worker("noop")
    assert reason(program).text.endswith("another worker takes it over")


def test_a_retry_tells_which_of_how_many_and_when() -> None:
    program = run("behave", program_data={"how": "retry", "retry_after": 3600})
    found = reason(program)
    assert found.text.startswith("retry 1 of 3 at ")
    assert found.text.endswith(("(in 1 h 0 min)", "(in 59 min 59 s)", "(in 60 min 0 s)"))
    assert found.until == program.due_at


def test_one_for_later_tells_when_with_the_day_where_it_is_another() -> None:
    later = datetime.now(UTC) + timedelta(days=3)
    text = reason(create_program(["noop"], run_at=later)).text
    assert text.startswith(f"scheduled for {later:%Y-%m-%d %H:%M:%S} (in 2 d 23 h)") or (
        "(in 3 d 0 h)" in text
    )


def test_a_due_one_tells_that_nobody_serves_its_queue_or_knows_its_job() -> None:
    program = create_program(["noop"], queue="reports")
    assert "no live worker serves queue reports" in reason(program).text
    worker("count", queues=("reports",))
    found = reason(program)
    assert found.text.startswith("no live worker of queue reports knows job noop; due for ")
    assert found.needs_somebody


def test_a_due_one_tells_how_many_are_before_it() -> None:
    worker("noop")
    programs = [create_program(["noop"]) for _ in range(3)]
    for age, program in enumerate(reversed(programs), start=1):
        long_ago = datetime.now(UTC) - timedelta(minutes=age)
        Program.objects.filter(pk=program.pk).update(due_at=long_ago)
    assert "in queue default it is next" in reason(programs[0]).text
    assert "in queue default 2 before it" in reason(programs[2]).text


def test_a_due_one_with_losses_tells_why_others_overtake_it() -> None:
    worker("noop")
    program = create_program(["noop"])
    Program.objects.update(losses=2)
    assert reason(program).text.startswith("its worker was lost 2 times at this step: one such")


def test_one_whose_job_was_not_known_says_so_while_it_waits() -> None:
    program = create_program(["noop"])
    Program.objects.update(jobs=["nobody_knows_me"])
    held = claim(program)
    assert held is not None
    carry(held)
    assert "no live worker serves queue default; looked for again at " in reason(program).text


def test_a_paused_one_tells_by_whom() -> None:
    program = operations.pause_program(create_program(["noop"]), by="ada")
    found = reason(program)
    assert found.text == "paused 0 s ago by ada until it is resumed"
    assert found.needs_somebody


def test_a_running_one_that_is_to_be_paused_or_stopped_says_what_ends_first() -> None:
    program = claimed("noop")
    operations.pause_program(program, by="ada")
    assert "paused 0 s ago by ada; job noop has run for 0 s and ends first" in reason(program).text
    operations.resume_program(program)
    operations.stop_program(program, by="eve")
    assert fresh(program).state is State.STOPPING
    assert reason(program).text.startswith("asked to stop 0 s ago by eve; job noop has run for 0 s")


def test_a_row_of_another_program_waits_for_a_hint() -> None:
    program = Program.objects.create(jobs=["noop"], program_data={}, queue=None)
    assert "inserted by another program" in reason(program).text


def test_lengths_of_time_are_said_as_people_say_them() -> None:
    assert doctest.testmod(waiting).failed == 0

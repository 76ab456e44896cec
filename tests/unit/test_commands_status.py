"""`programsstatus`: what a monitor is told, and when it raises an alarm."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from programs import operations
from programs.models import Program, State, Worker
from programs.submission import create_program
from tests.commands import manage
from tests.console import program_in

pytestmark = pytest.mark.django_db


def add_worker(name: str = "w", *queues: str, **given: Any) -> None:
    facts = {"host": "h", "pid": 1, "slots": 8, "jobs": ["noop"], "version": "1", **given}
    Worker.register(name=name, queues=queues or ("default",), **facts)


def let_wait(seconds: float) -> None:
    Program.objects.update(due_at=datetime.now(UTC) - timedelta(seconds=seconds))


def test_where_nothing_is_due_all_is_well_without_a_worker() -> None:
    create_program(["noop"], run_at=datetime.now(UTC) + timedelta(hours=1))
    done = manage("programsstatus")
    assert (done.status, done.err) == (0, "")
    assert "  default: 0 due, 1 scheduled, 0 running, served by 0" in done.lines


def test_due_programs_that_no_worker_serves_are_an_alarm() -> None:
    create_program(["noop"], queue="reports")
    add_worker("w", "default")

    done = manage("programsstatus")

    assert done.status == 1
    assert done.err == "queue reports: 1 due, and no live worker serves it"


def test_a_worker_that_is_gone_serves_nothing() -> None:
    create_program(["noop"])
    add_worker()
    assert manage("programsstatus").status == 0

    Worker.sign_off("w")

    assert manage("programsstatus").status == 1


def test_a_worker_that_is_to_end_serves_nothing() -> None:
    create_program(["noop"])
    add_worker()

    operations.drain_worker("w")

    done = manage("programsstatus")
    assert (done.status, done.err) == (
        1,
        "queue default: 1 due, and no live worker serves it",
    )


def test_who_waits_for_too_long_is_an_alarm_if_that_is_asked_for() -> None:
    add_worker()
    create_program(["noop"])
    let_wait(90)

    assert manage("programsstatus").status == 0
    assert manage("programsstatus", "--max-wait", "300").status == 0
    done = manage("programsstatus", "--max-wait", "60")
    assert done.status == 1
    assert done.err.startswith("queue default: the oldest has waited for 1 min 3")
    assert done.err.endswith(", over 60 s")


def test_what_an_operator_has_paused_is_meant_to_wait() -> None:
    create_program(["noop"])
    let_wait(90)
    operations.pause_queue("default")

    done = manage("programsstatus", "--max-wait", "1")

    assert done.status == 0
    assert any(line.startswith("  default: 1 due") and "paused" in line for line in done.lines)


def test_it_tells_of_workers_and_of_their_slots() -> None:
    add_worker("w", "default", "reports")
    add_worker("x", slots=4)
    program_in(State.RUNNING)
    operations.drain_worker("x")

    lines = manage("programsstatus").lines

    assert lines[0] == "live workers: 2"
    assert "  w: 1 of 8 slots used, queues default, reports" in lines
    assert "  x: 0 of 4 slots used, queues default, draining" in lines


def test_it_counts_by_state() -> None:
    for state in State:
        program_in(state)
    lines = manage("programsstatus").lines
    assert lines[-len(State) :] == [f"  {state.label}: 1" for state in State]


def test_scripts_get_an_object_even_when_something_is_wrong() -> None:
    create_program(["noop"])
    let_wait(30)
    add_worker("w", "reports")

    done = manage("programsstatus", "--json")

    told = json.loads(done.out)
    assert done.status == 1
    assert told["problems"] == ["queue default: 1 due, and no live worker serves it"]
    assert [(worker["name"], worker["used"]) for worker in told["workers"]] == [("w", 0)]
    queue = told["queues"][0]
    assert (queue["name"], queue["due"]) == ("default", {"number": 1, "is_exact": True})
    assert 29 < queue["oldest_wait"] < 60
    assert told["states"]["waiting"] == {"number": 1, "is_exact": True}


def test_names_of_others_do_not_move_the_terminal() -> None:
    add_worker("w\x1b[2J", "a\nb")
    create_program(["noop"])
    Program.objects.update(queue="c\x1b[2J\nlive workers: 9")

    done = manage("programsstatus")

    assert "\x1b" not in done.out + done.err
    assert "live workers: 9" not in done.out.splitlines() + done.err.splitlines()


def test_it_takes_few_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(10):
        add_worker(f"w{number}")
        program_in(State.RUNNING)
    with django_assert_max_num_queries(23):
        manage("programsstatus")

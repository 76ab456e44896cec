"""What becomes of ticks that come late, or while an earlier program is open."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections

from programs import operations
from programs.models import Program, Schedule
from programs.scheduling import pause_schedule, run_schedule
from tests.running import on_server
from tests.scheduling import (
    Defined,
    define,
    due_since,
    fire,
    outcomes,
    scheduled,
    started,
    ticks,
)

__all__ = ["define"]

pytestmark = pytest.mark.usefixtures("bookkeeping")


# Late ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected", "count"),
    [
        ({"catch_up": "none"}, [("missed", 10)], 0),
        ({"catch_up": "last"}, [("missed", 9), ("started", 1)], 1),
        ({"catch_up": "all"}, [("started", 1)] * 10, 10),
        ({"catch_up": "all", "catch_up_limit": 3}, [("missed", 7), *[("started", 1)] * 3], 3),
    ],
)
def test_after_an_outage_ticks_are_caught_up_by_the_policy(
    define: Defined, given: dict[str, object], expected: list[tuple[str, int]], count: int
) -> None:
    define()
    schedule = scheduled(interval=3600, **given)
    first = due_since(schedule, 9 * 3600 + 1800)

    assert fire(schedule) == count

    assert [(tick.outcome, tick.count) for tick in ticks(schedule)] == expected
    assert ticks(schedule)[-1].at == first + timedelta(hours=9)
    assert Schedule.objects.get(pk=schedule.pk).next_at == first + timedelta(hours=10)


def test_what_was_missed_before_a_tick_that_is_in_time_is_not_caught_up(define: Defined) -> None:
    define()
    schedule = scheduled(interval=3600, catch_up="last")
    due_since(schedule, 2 * 3600 + 5)

    assert fire(schedule) == 1

    assert [(tick.outcome, tick.count) for tick in ticks(schedule)] == [
        ("missed", 2),
        ("started", 1),
    ]


def test_ticks_that_are_seconds_late_are_all_started(define: Defined) -> None:
    define()
    schedule = scheduled(interval=1, catch_up="none")
    due_since(schedule, 5.5)
    assert fire(schedule) == 6
    assert outcomes(schedule) == ["started"] * 6


def test_of_years_of_outage_a_bounded_number_of_rows_is_written(define: Defined) -> None:
    define()
    schedule = scheduled(interval=1, catch_up="all", catch_up_limit=5)
    due_since(schedule, 10 * 365 * 86_400)
    fire(schedule)
    missed = ticks(schedule)[0]
    assert missed.outcome == "missed"
    assert missed.count > 300_000_000
    assert len(ticks(schedule)) < 70


# Overlaps ------------------------------------------------------------------------------------


def test_a_tick_is_skipped_while_an_earlier_program_is_open(define: Defined) -> None:
    define()
    schedule = scheduled(overlap="skip")
    due_since(schedule, 1)
    fire(schedule)
    due_since(schedule, 0)
    assert fire(schedule) == 0
    assert outcomes(schedule) == ["started", "skipped"]
    (first,) = started(schedule)
    assert ticks(schedule)[1].message == f"program {first.run_id} is still open"

    operations.stop_program(first)
    due_since(schedule, 0)

    assert fire(schedule) == 1


def test_one_tick_waits_for_the_program_that_is_open_and_further_ones_do_not(
    define: Defined,
) -> None:
    define()
    schedule = scheduled(overlap="queue")
    for _ in range(3):
        due_since(schedule, 0)
        fire(schedule)
    assert outcomes(schedule) == ["started", "queued", "skipped"]
    assert fire(schedule) == 0

    operations.stop_program(started(schedule)[0])

    assert fire(schedule) == 1
    assert outcomes(schedule) == ["started", "started", "skipped"]
    assert fire(schedule) == 0
    assert Schedule.objects.get(pk=schedule.pk).queued_at is None
    due_since(schedule, 0)
    fire(schedule)
    assert outcomes(schedule)[-1] == "queued"  # behind the second one, now


@on_server
def test_a_tick_that_waits_is_started_once_however_many_look(define: Defined) -> None:
    define()
    schedule = scheduled(overlap="queue")
    for _ in range(2):
        due_since(schedule, 0)
        fire(schedule)
    operations.stop_program(started(schedule)[0])
    gate = threading.Barrier(4)

    def look() -> None:
        gate.wait()
        fire(schedule)
        connections.close_all()

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for looker in lookers:
        looker.start()
    for looker in lookers:
        looker.join()

    assert Program.objects.count() == 2


def test_a_tick_that_waits_is_skipped_when_its_schedule_is_paused(define: Defined) -> None:
    define()
    schedule = scheduled(overlap="queue")
    for _ in range(2):
        due_since(schedule, 0)
        fire(schedule)

    pause_schedule(schedule)
    operations.stop_program(started(schedule)[0])

    assert fire(schedule) == 0
    assert outcomes(schedule) == ["started", "skipped"]
    assert ticks(schedule)[1].message == "the schedule was paused"


def test_a_program_that_somebody_started_by_hand_counts_as_open(define: Defined) -> None:
    define()
    schedule = scheduled(overlap="skip")
    run_schedule(schedule, by="ada")
    due_since(schedule, 0)
    assert fire(schedule) == 0
    assert outcomes(schedule).count("skipped") == 1

"""Schedules in trouble: rows by others, clocks set back, and serializers that break."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connections
from rest_framework import serializers

from programs import operations
from programs.conf import settings
from programs.models import Program, Schedule, deadlines
from programs.models import tick as tick_module
from programs.scheduling import firing
from tests.running import on_server
from tests.scheduling import (
    Defined,
    define,
    due_since,
    fire,
    outcomes,
    scheduled,
    set_next,
    started,
    ticks,
)

__all__ = ["define"]

pytestmark = pytest.mark.usefixtures("bookkeeping")


def rewrite(schedule: Schedule, **columns: Any) -> None:
    """Write a row as somebody does by SQL."""
    Schedule.objects.filter(pk=schedule.pk).update(**columns)


@pytest.mark.parametrize(
    "columns",
    [
        {"interval": None},
        {"interval": 0},
        {"interval": -60},
        {"interval": None, "cron": "nonsense"},
        {"interval": None, "cron": "0 0 30 2 *"},
        {"interval": None, "cron": "* * * * *", "time_zone": ""},
        {"catch_up": "all", "catch_up_limit": -1},
    ],
)
@pytest.mark.timeout(20)
def test_a_row_that_somebody_wrote_wrongly_keeps_no_other_from_ticking(
    define: Defined, caplog: pytest.LogCaptureFixture, columns: dict[str, Any]
) -> None:
    define()
    broken, whole = scheduled(), [scheduled() for _ in range(5)]
    rewrite(broken, **columns)
    due_since(broken, 200)
    for schedule in whole:
        due_since(schedule, 1)

    for _ in range(2):
        fire(broken)

    assert [outcomes(schedule) for schedule in whole] == [["started"]] * 5
    assert sum(line.levelname == "ERROR" for line in caplog.records) <= 1  # not each second


def test_a_moment_that_has_ticked_is_passed_by_when_the_clock_was_set_back(
    define: Defined,
) -> None:
    define()
    schedule = scheduled(interval=20)
    at = due_since(schedule, 30)
    fire(schedule)
    assert outcomes(schedule) == ["started"] * 2

    set_next(schedule, at)  # the database's clock was behind, and the schedule changed meanwhile
    assert fire(schedule) == 0
    assert fire(schedule, at + timedelta(seconds=45)) == 1

    assert outcomes(schedule) == ["started"] * 3
    assert Program.objects.count() == 3


def test_a_tick_that_waits_is_left_to_workers_that_know_the_definition(
    define: Defined,
) -> None:
    define()
    schedule = scheduled(overlap="queue")
    for _ in range(2):
        due_since(schedule, 0)
        fire(schedule)
    operations.stop_program(started(schedule)[0])
    rewrite(schedule, definition="elsewhere")

    assert fire(schedule) == 0
    assert outcomes(schedule) == ["started", "queued"]

    rewrite(schedule, definition="nightly")
    assert fire(schedule) == 1
    assert outcomes(schedule) == ["started"] * 2


def test_a_tick_that_waits_for_a_definition_that_nobody_knows_is_refused_with_the_next(
    define: Defined,
) -> None:
    define()
    schedule = scheduled(overlap="queue")
    for _ in range(2):
        due_since(schedule, 70)
        fire(schedule)
    operations.stop_program(started(schedule)[0])
    rewrite(schedule, definition="elsewhere")
    due_since(schedule, 61)

    fire(schedule)

    assert outcomes(schedule)[-2:] == ["refused", "refused"]
    assert Schedule.objects.get(pk=schedule.pk).queued_at is None


def test_a_tick_that_waits_is_not_forgotten_however_many_come_after_it(
    define: Defined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tick_module, "KEPT", 3)
    define()
    schedule = scheduled(overlap="queue")
    for _ in range(8):
        due_since(schedule, 0)
        fire(schedule)
    operations.stop_program(started(schedule)[0])
    assert fire(schedule) == 1

    due_since(schedule, 0)

    assert fire(schedule) == 0  # the one that waited is seen to be open
    assert Program.objects.count() == 2


class AsksTheDatabase(serializers.Serializer[Any]):
    def validate(self, attrs: Any) -> Any:
        with connections[settings.DATABASE].cursor() as cursor:
            cursor.execute("SELECT missing FROM nowhere")
        return attrs


class Leaves(serializers.Serializer[Any]):
    def validate(self, attrs: Any) -> Any:
        raise SystemExit


class Ponders(serializers.Serializer[Any]):
    def validate(self, attrs: Any) -> Any:
        started = time.monotonic()
        while time.monotonic() - started < 1.5:
            deadlines.look()
            time.sleep(0.1)  # (it asks another machine, say)
        return attrs


def test_a_serializer_that_breaks_at_the_database_is_told_once_and_its_tick_refused(
    define: Defined, caplog: pytest.LogCaptureFixture
) -> None:
    definition = define()
    schedule, whole = scheduled(), scheduled()
    vars(definition)["data_class"] = AsksTheDatabase
    define("whole")
    rewrite(whole, definition="whole")
    at = due_since(schedule, 5)
    due_since(whole, 1)

    for _ in range(3):
        fire(schedule)
    assert outcomes(schedule) == []  # what is missing may be about to come: a migration
    assert outcomes(whole) == ["started"]
    fire(schedule, at + timedelta(seconds=62))

    assert "refused" in outcomes(schedule)
    assert "nowhere" in str(ticks(schedule)[-1].message)
    assert len([line for line in caplog.records if "did not tick" in line.message]) == 1


def test_a_serializer_that_leaves_the_process_does_not_end_the_clock(define: Defined) -> None:
    definition = define()
    schedule = scheduled()
    vars(definition)["data_class"] = Leaves
    due_since(schedule, 1)

    fire(schedule)

    assert outcomes(schedule) == ["refused"]


@on_server
def test_a_serializer_may_take_its_time(define: Defined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "LATE", 0.3)
    definition = define()
    schedule = scheduled()
    vars(definition)["data_class"] = Ponders
    due_since(schedule, 1)

    assert fire(schedule) == 1


def test_an_outage_is_told_once_and_what_was_due_ticks_behind_it(
    define: Defined, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    define()
    schedule = scheduled()
    due_since(schedule, 1)

    def refuse(*given: object) -> None:
        raise OperationalError("the database system is starting up")

    for expected in (1, 2):  # of the second outage it is told again
        with monkeypatch.context() as patched:
            patched.setattr(firing, "_due", refuse)
            assert [fire(schedule) for _ in range(3)] == [0] * 3
        told = [line for line in caplog.records if "trying again" in line.message]
        assert len(told) == expected
        fire(schedule)

    assert outcomes(schedule) == ["started"]

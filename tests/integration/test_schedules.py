"""Schedules that tick: once each, however many look, and whatever happens in between."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connections, transaction

from programs import operations
from programs.conf import settings as executor_settings
from programs.definition import find_definition
from programs.management.purging import purge
from programs.models import Program, Schedule, State
from programs.models import tick as tick_module
from programs.models.clock import instant
from programs.scheduling import firing, ticking
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


# One tick ------------------------------------------------------------------------------------


def test_a_tick_starts_a_program_of_the_definition_and_is_written_down(define: Defined) -> None:
    define("nightly", "noop", "count", program_data={"day": "today", "deep": {"a": 1}})
    schedule = scheduled(program_data={"day": "monday"}, job_data={"count": {"n": 7}})
    at = due_since(schedule, 1)

    assert fire(schedule) == 1

    (tick,) = ticks(schedule)
    assert (tick.outcome, tick.count, tick.message) == ("started", 1, None)
    assert tick.at == at
    program = tick.program
    assert program is not None
    assert program.jobs == ["noop", "count"]
    assert program.program_data == {"day": "monday", "deep": {"a": 1}}
    assert program.job_data == {"count": {"n": 7}}
    assert (program.definition, program.created_by) == ("nightly", str(schedule))
    assert program.state is State.WAITING
    moved_on = Schedule.objects.get(pk=schedule.pk)
    assert moved_on.next_at == at + timedelta(seconds=60)
    assert fire(schedule) == 0


def test_a_tick_does_not_come_before_its_time(define: Defined) -> None:
    define()
    schedule = scheduled()
    assert fire(schedule) == 0
    assert ticks(schedule) == []


@pytest.mark.timeout(20)
def test_one_look_fires_all_that_is_due_however_many_there_are(
    define: Defined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firing, "BATCH", 2)
    define()
    schedules = [scheduled() for _ in range(5)]
    for schedule in schedules:
        due_since(schedule, 1)

    assert fire(schedules[0]) == 5  # nor does a worker that ends when nothing is due leave any


def test_a_transaction_that_is_rolled_back_has_not_ticked(define: Defined) -> None:
    define()
    schedule = scheduled()
    at = due_since(schedule, 1)

    with transaction.atomic(using=schedule.alias):
        assert fire(schedule) == 1
        transaction.set_rollback(True, using=schedule.alias)

    assert (ticks(schedule), Program.objects.count()) == ([], 0)
    assert fire(schedule) == 1
    assert [tick.at for tick in ticks(schedule)] == [at]


@on_server
def test_of_many_that_look_at_once_one_starts_the_program(define: Defined) -> None:
    define()
    schedules = [scheduled() for _ in range(20)]
    for schedule in schedules:
        due_since(schedule, 1)
    counts: list[int] = []
    gate = threading.Barrier(4)

    def look() -> None:
        gate.wait()
        counts.append(fire(schedules[0]))
        connections.close_all()

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for looker in lookers:
        looker.start()
    for looker in lookers:
        looker.join()

    assert sum(counts) == 20
    assert [outcomes(schedule) for schedule in schedules] == [["started"]] * 20
    assert Program.objects.count() == 20


@on_server
@pytest.mark.parametrize("moment", ["moved on", "committed"])
def test_a_connection_that_dies_in_the_middle_doubles_and_loses_nothing(
    define: Defined, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    define()
    schedule = scheduled()
    due_since(schedule, 1)
    raw = connections[schedule.alias]

    def die(*arguments: object) -> int:
        raw.connection.close()
        return ticking.tick(*arguments)

    if moment == "moved on":
        monkeypatch.setattr(firing, "tick", die)
    else:  # its answer is lost: the commit itself was received
        commit = raw.commit

        def commit_and_die() -> None:
            commit()
            raw.connection.close()
            raise OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(raw, "commit", commit_and_die)
    fire(schedule)
    monkeypatch.undo()
    connections[schedule.alias].close()

    fire(schedule)

    assert outcomes(schedule) == ["started"]
    assert Program.objects.count() == 1


def test_a_change_of_the_timetable_meanwhile_lets_no_old_moment_tick(
    define: Defined, monkeypatch: pytest.MonkeyPatch
) -> None:
    define()
    schedule = scheduled()
    due_since(schedule, 1)

    def find_slowly(name: str, using: str) -> object:
        Schedule.objects.filter(pk=schedule.pk).update(interval=120)
        return find_definition(name, using)

    monkeypatch.setattr(firing, "find_definition", find_slowly)

    assert fire(schedule) == 0
    assert ticks(schedule) == []


def test_a_schedule_that_cannot_tick_here_keeps_no_other_from_ticking(
    define: Defined, caplog: pytest.LogCaptureFixture
) -> None:
    define()
    broken, whole = scheduled(), scheduled()
    Schedule.objects.filter(pk=broken.pk).update(time_zone="Mars/Olympus", cron="* * * * *")
    Schedule.objects.filter(pk=broken.pk).update(interval=None)
    due_since(broken, 2)
    due_since(whole, 1)

    assert [fire(whole), fire(whole)] == [1, 0]

    assert outcomes(broken) == []
    told = [line.message for line in caplog.records if "cannot tick here" in line.message]
    assert len(told) == 1  # not each second
    assert "is no time zone" in told[0]


# Definitions that are gone -------------------------------------------------------------------


def test_a_definition_that_is_not_known_here_is_left_to_others_for_a_minute(
    define: Defined,
) -> None:
    define()
    schedule = scheduled(interval=20)
    at = due_since(schedule, 50)
    Schedule.objects.filter(pk=schedule.pk).update(definition="elsewhere")
    assert fire(schedule) == 0
    assert ticks(schedule) == []

    assert fire(schedule, now=at + timedelta(seconds=61)) == 0

    (tick,) = ticks(schedule)
    assert (tick.outcome, tick.count, tick.program) == ("refused", 4, None)
    assert tick.message == "no worker that was there knows the definition 'elsewhere'"
    assert Schedule.objects.get(pk=schedule.pk).next_at == at + timedelta(seconds=80)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"jobs": ["gone"]}, "jobs: definition 'nightly' names the job 'gone', which neither"),
        ({"queue": ""}, "queue: must have 1 to 100 characters"),
    ],
)
def test_a_tick_of_which_no_program_can_be_made_is_refused_and_says_why(
    define: Defined, changed: dict[str, object], message: str
) -> None:
    definition = define("nightly", "noop")
    schedule = scheduled()
    due_since(schedule, 1)
    vars(definition).update(changed)

    assert fire(schedule) == 0

    (tick,) = ticks(schedule)
    assert tick.outcome == "refused"
    assert str(tick.message).startswith(message)
    assert Program.objects.count() == 0


# What is kept ---------------------------------------------------------------------------------


def test_older_ticks_are_forgotten_but_for_those_whose_program_is_open(
    define: Defined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tick_module, "KEPT", 3)
    define()
    schedule = scheduled(overlap="skip")
    for _ in range(6):
        due_since(schedule, 0)
        fire(schedule)
    assert outcomes(schedule) == ["started", *["skipped"] * 3]  # the first is not over

    operations.stop_program(started(schedule)[0])
    due_since(schedule, 0)
    fire(schedule)

    assert outcomes(schedule) == ["skipped", "skipped", "started"]


@pytest.mark.parametrize("way", ["deleted", "purged", "deleted by SQL"])
def test_a_tick_outlives_its_program(define: Defined, way: str) -> None:
    define()
    schedule = scheduled(overlap="skip")
    due_since(schedule, 1)
    fire(schedule)
    (program,) = started(schedule)
    operations.stop_program(program)
    if way == "deleted":
        program.delete()
    elif way == "purged":
        assert sum(purge(State.STOPPED, timedelta(seconds=-60))) == 1
    else:
        Program.objects.all()._raw_delete(schedule.alias)

    due_since(schedule, 0)

    assert fire(schedule) == 1
    assert outcomes(schedule) == ["started", "started"]
    if way != "deleted by SQL":
        assert ticks(schedule)[0].program is None


# Time zones -----------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Europe/Berlin"])
def test_a_project_without_time_zones_ticks_at_the_same_moments(
    define: Defined, settings, zone: str
) -> None:
    define()
    settings.USE_TZ = False
    settings.TIME_ZONE = zone
    alias = executor_settings.DATABASE
    attributes = ("timezone", "timezone_name")
    connections[alias].close()
    for attribute in attributes:
        vars(connections[alias]).pop(attribute, None)
    try:
        schedule = scheduled(cron="30 2 * * *", time_zone="Europe/Berlin")
        now = datetime(2026, 10, 24, 12, tzinfo=UTC)
        set_next(schedule, datetime(2026, 10, 24, 0, 30, tzinfo=UTC))
        for days in range(4):  # over the end of summer time
            fire(schedule, now + timedelta(days=days))
        moments = [instant(tick.at, alias) for tick in ticks(schedule)]
        assert [f"{moment:%m-%d %H:%M}" for moment in moments] == [
            "10-24 00:30",
            "10-25 00:30",
            "10-26 01:30",
            "10-27 01:30",
        ]

        hourly = scheduled(interval=1800, catch_up="all")
        set_next(hourly, datetime(2026, 10, 24, 22, 30, tzinfo=UTC))
        fire(hourly, datetime(2026, 10, 25, 4, tzinfo=UTC))
        found = Schedule.objects.get(pk=hourly.pk)
        assert found.next_at is not None
        assert instant(found.next_at, alias) == datetime(2026, 10, 25, 4, 30, tzinfo=UTC)
        assert len({tick.at for tick in ticks(hourly)}) == len(ticks(hourly)) >= 8
    finally:
        for attribute in attributes:
            vars(connections[alias]).pop(attribute, None)
        connections[alias].close()

"""Workers that are killed while schedules tick: each tick starts exactly one program."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.db import transaction

from programs.definition import save_definition
from programs.models import Program, Schedule, Tick
from programs.models.clock import Utc, database_now
from programs.scheduling import create_schedule, pause_schedule
from programs.scheduling.ticking import LATE
from programs.scheduling.timetable import Timetable
from tests.faults.arena import LONG, Arena, all_end, scaled
from tests.faults.conftest import Verdict
from tests.site import Worker

WORKERS = int(scaled(3, 10))
SCHEDULES = int(scaled(20, 200))
SECONDS = scaled(15, 600)
KILL_EVERY = scaled(2.5, 6.0)  # seconds


@pytest.mark.fault("workers killed while schedules tick")
@pytest.mark.timeout(scaled(120, 1_200))
def test_each_tick_starts_exactly_one_program_whoever_is_killed(
    arena: Arena, verdict: Verdict
) -> None:
    save_definition("nightly", ["behave"], program_data=arena.given("succeed"))
    workers = [start(arena) for _ in range(WORKERS)]
    for worker in workers:
        worker.started()
    schedules = [make(number) for number in range(SCHEDULES)]
    first = {schedule.pk: schedule.next_at for schedule in schedules}

    kills = 0
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        time.sleep(KILL_EVERY * arena.random.uniform(0.5, 1.0))  # (that is the fault, no waiting)
        victim = arena.random.randrange(WORKERS)
        if arena.random.random() < 0.5:
            arena.kill(workers[victim])
            workers[victim] = start(arena)
        elif workers[victim].children:
            arena.kill_child(workers[victim])
        kills += 1
    for worker in workers:
        worker.started()
    ended_at = {schedule.pk: pause(schedule) for schedule in schedules}
    all_end(within=120)

    verdict.audited(arena.audit())
    late = 0.0
    for schedule in schedules:
        late = max(late, judge(schedule, first[schedule.pk], ended_at[schedule.pk]))
    programs = Counter(Tick.objects.values_list("program", flat=True))
    assert set(programs.values()) == {1}, "two ticks have one program"
    assert set(programs) == set(Program.objects.values_list("pk", flat=True)), "no tick's program"
    verdict.says(f"{kills} kills", f"{len(programs)} ticks", f"at most {late:.1f} s late")


def start(arena: Arena) -> Worker:
    return arena.worker("--threads", "2")


def make(number: int) -> Schedule:
    """Make a schedule that ticks each second or other in the short form, each minute in the long.

    The intervals begin at different moments; the cron expressions all tick at once.
    """
    policies = {"overlap": "allow", "catch_up": "all", "catch_up_limit": 1000}
    if LONG and number % 2:
        return create_schedule("nightly", cron="* * * * *", **policies)
    interval = 60 if LONG else 1 + number % 2
    return create_schedule("nightly", interval=interval, **policies)


def pause(schedule: Schedule) -> datetime:
    """End it, and return the first moment that is not to tick any more."""
    rows = Schedule.objects.filter(pk=schedule.pk)
    with transaction.atomic(using=schedule.alias):
        rows.update(updated_at=Utc())  # locks it: no worker ticks it in between
        next_at = rows.get().next_at
        pause_schedule(schedule)
    assert next_at is not None
    assert next_at > database_now(schedule.alias) - LATE, "it has not ticked for a minute"
    return next_at


def judge(schedule: Schedule, first: datetime | None, end: datetime) -> float:
    """Hold the ticks against all moments that there were; return how late the latest was, in s."""
    assert first is not None
    timetable = Timetable(schedule.cron, schedule.interval, schedule.time_zone)
    wanted = timetable.until(first, end - timedelta(microseconds=1), 10_000)
    ticks = list(Tick.objects.filter(schedule=schedule).order_by("at"))
    assert [tick.at for tick in ticks] == wanted.last
    assert {tick.outcome for tick in ticks} == {"started"}
    return max((tick.created_at - tick.at).total_seconds() for tick in ticks)

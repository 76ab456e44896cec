"""Ticks: what becomes of the moments of a schedule, by its policies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import Error as DatabaseError

from programs import data
from programs.definition import start_program
from programs.errors import ProgramExecutorError
from programs.models import CatchUp, Overlap, Program, Schedule, Tick, TickOutcome
from programs.models.clock import storable
from programs.scheduling.timetable import Timetable

LATE = timedelta(seconds=60)  # beyond, a tick was missed, and is caught up or not
PROMPT = 61  # ticks that can come within that
MESSAGE_LENGTH = 255  # characters


@dataclass(frozen=True)
class Moments:
    """The moments of a schedule that have come, sorted by what is to become of them."""

    due: list[datetime]  # each is to start a program
    missed: int  # ones before those, that nobody starts
    missed_last: datetime | None  # the last of these
    total: int
    last: datetime
    highest: datetime  # of them all, as columns have it

    @classmethod
    def of(
        cls, schedule: Schedule, timetable: Timetable, first: datetime, now: datetime
    ) -> Moments:
        """Sort the moments from `first` to `now` by the schedule's policy."""
        limit = schedule.catch_up_limit if schedule.catch_up == CatchUp.ALL else 1
        total, last = timetable.until(first, now, PROMPT + limit + 1)
        highest, moments = storable(first, schedule.alias), list[datetime]()
        for moment in last:
            # Without USE_TZ an hour that comes twice is one in columns: each of its moments once.
            if moment == first or storable(moment, schedule.alias) > highest:
                moments.append(moment)
                highest = storable(moment, schedule.alias)
        prompt = [moment for moment in moments if now - moment <= LATE]
        late = moments[: len(moments) - len(prompt)]
        caught_up: list[datetime] = []
        if schedule.catch_up == CatchUp.ALL:
            caught_up = late[-limit:]
        elif schedule.catch_up == CatchUp.LAST and not prompt:
            caught_up = late[-1:]
        missed = late[: len(late) - len(caught_up)]
        due = [*caught_up, *prompt]
        missed_last = missed[-1] if missed else None
        return cls(due, total - len(due), missed_last, total, last[-1], highest)


def tick(schedule: Schedule, moments: Moments) -> int:
    """Write what becomes of these moments, and return how many programs were started.

    In the transaction that has moved the schedule on: nobody else ticks it meanwhile.
    """
    if moments.missed_last is not None:
        _write(
            schedule,
            moments.missed_last,
            TickOutcome.MISSED,
            f"no worker was there within {LATE.seconds} s",
            count=moments.missed,
        )
    return sum(_tick_once(schedule, moment) for moment in moments.due)


def refuse(schedule: Schedule, moments: Moments) -> None:
    """Write that nobody who was there knows the definition: one row, however many moments."""
    told = f"no worker that was there knows the definition {schedule.definition!r}"
    _write(schedule, moments.last, TickOutcome.REFUSED, told, count=moments.total)


def start_queued(schedule: Schedule) -> int:
    """Start the program of the tick that waits, once the one before has ended."""
    if _running(schedule) is not None:
        return 0
    same = Schedule.objects.using(schedule.alias).filter(pk=schedule.pk)
    if not same.filter(queued_at=schedule.queued_at).update(queued_at=None):
        return 0  # another worker was quicker, or an operator has paused it
    program, message = _start(schedule)
    ticks = Tick.objects.using(schedule.alias).filter(schedule=schedule)
    waiting = ticks.filter(outcome=TickOutcome.QUEUED)
    waiting.update(outcome=_outcome(program), program=program, message=message)
    return int(program is not None)


def run_now(schedule: Schedule, moment: datetime, by: str | None) -> Program:
    """Start a program beside all that are open, because somebody said so; raise what is wrong."""
    program = start_program(
        schedule.definition,
        schedule.program_data,
        schedule.job_data,
        created_by=by or str(schedule),
        using=schedule.alias,
    )
    _write(schedule, moment, TickOutcome.STARTED, program=program, by=by)
    return program


def _tick_once(schedule: Schedule, moment: datetime) -> bool:
    if schedule.overlap != Overlap.ALLOW:
        # Not before those of moments that came first: they may have started one just now.
        running = _running(schedule)
        if running is not None or schedule.queued_at is not None:
            _hold_back(schedule, moment, running)
            return False
    program, message = _start(schedule)
    _write(schedule, moment, _outcome(program), message, program=program)
    return program is not None


def _hold_back(schedule: Schedule, moment: datetime, running: Program | None) -> None:
    """Skip a moment, or let it wait for the program that is open."""
    told = f"program {running.run_id} is still open" if running else "an earlier tick still waits"
    if schedule.overlap == Overlap.QUEUE and schedule.queued_at is None:
        schedule.queued_at = storable(moment, schedule.alias)
        same = Schedule.objects.using(schedule.alias).filter(pk=schedule.pk)
        same.update(queued_at=schedule.queued_at)
        _write(schedule, moment, TickOutcome.QUEUED, f"{told}: it starts once that has ended")
    else:
        _write(schedule, moment, TickOutcome.SKIPPED, told)


def _running(schedule: Schedule) -> Program | None:
    """Return a program of an earlier tick that has not ended."""
    ticks = Tick.objects.using(schedule.alias).filter(schedule=schedule)
    tick = ticks.started().running().select_related("program").first()
    return None if tick is None else tick.program


def _start(schedule: Schedule) -> tuple[Program | None, str | None]:
    """Start a program of the schedule, or return what speaks against it."""
    try:
        program = start_program(
            schedule.definition,
            schedule.program_data,
            schedule.job_data,
            created_by=str(schedule),
            using=schedule.alias,
        )
    except DatabaseError:
        raise  # the whole tick is tried again
    except ProgramExecutorError as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 (a row that others wrote; the tick says what it was)
        return None, f"{type(error).__name__}: {error}"
    return program, None


def _outcome(program: Program | None) -> TickOutcome:
    return TickOutcome.REFUSED if program is None else TickOutcome.STARTED


def _write(
    schedule: Schedule,
    moment: datetime,
    outcome: TickOutcome,
    message: str | None = None,
    *,
    count: int = 1,
    program: Program | None = None,
    by: str | None = None,
) -> Tick:
    return Tick.objects.using(schedule.alias).create(
        schedule=schedule,
        at=storable(moment, schedule.alias),
        outcome=outcome,
        message=None if message is None else data.clean(message, MESSAGE_LENGTH),
        count=count,
        program=program,
        by=by,
    )

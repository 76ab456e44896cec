"""Ticks: what becomes of the moments of a schedule, by its policies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import Error as DatabaseError
from django.db import InternalError, transaction

from programs import data
from programs.definition import start_program
from programs.errors import ProgramExecutorError
from programs.models import CatchUp, Overlap, Program, Schedule, Tick, TickOutcome
from programs.models.clock import storable
from programs.models.persistence import is_outage
from programs.scheduling.checking import MOST_CAUGHT_UP
from programs.scheduling.timetable import Timetable

LATE = timedelta(seconds=60)  # beyond, a tick was missed, and is caught up or not
PATIENCE = timedelta(seconds=60)  # how long a tick that fails here is left to other workers
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
    is_late: bool  # beyond the patience with what other workers may do better

    @classmethod
    def of(
        cls, schedule: Schedule, timetable: Timetable, first: datetime, now: datetime
    ) -> Moments:
        """Sort the moments from `first` to `now` by the schedule's policy."""
        limit = max(1, min(schedule.catch_up_limit, MOST_CAUGHT_UP))  # (rows may be others' work)
        limit = limit if schedule.catch_up == CatchUp.ALL else 1
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
        is_late = now - first > PATIENCE
        return cls(due, total - len(due), missed_last, total, last[-1], highest, is_late)


def tick(schedule: Schedule, moments: Moments) -> int:
    """Write what becomes of these moments, and return how many programs were started.

    In the transaction that has moved the schedule on: nobody else ticks it meanwhile.
    """
    ticked = _ticked(schedule, moments)
    missed_last = moments.missed_last
    if missed_last is not None and storable(missed_last, schedule.alias) not in ticked:
        _write(
            schedule,
            missed_last,
            TickOutcome.MISSED,
            f"no worker was there within {LATE.seconds} s",
            count=moments.missed,
        )
    due = [each for each in moments.due if storable(each, schedule.alias) not in ticked]
    return sum(_tick_once(schedule, moment, is_late=moments.is_late) for moment in due)


def refuse(schedule: Schedule, moments: Moments) -> None:
    """Write that nobody who was there knows the definition: one row, however many moments."""
    told = f"no worker that was there knows the definition {schedule.definition!r}"
    if storable(moments.last, schedule.alias) not in _ticked(schedule, moments):
        _write(schedule, moments.last, TickOutcome.REFUSED, told, count=moments.total)
    if schedule.queued_at is not None and _running(schedule) is None and _take_queued(schedule):
        _settle_queued(schedule, None, told)


def start_queued(schedule: Schedule) -> int:
    """Start the program of the tick that waits, once the one before has ended."""
    if _running(schedule) is not None:  # before there is a transaction: it may be for hours
        return 0
    with transaction.atomic(using=schedule.alias):
        if not _take_queued(schedule):
            return 0  # another worker was quicker, or an operator has paused it
        program, message = _start(schedule)
        _settle_queued(schedule, program, message)
    return int(program is not None)


def _take_queued(schedule: Schedule) -> bool:
    same = Schedule.objects.using(schedule.alias).filter(pk=schedule.pk)
    return bool(same.filter(queued_at=schedule.queued_at).update(queued_at=None))


def _settle_queued(schedule: Schedule, program: Program | None, message: str | None) -> None:
    told = None if message is None else data.clean(message, MESSAGE_LENGTH)
    ticks = Tick.objects.using(schedule.alias).filter(schedule=schedule)
    waiting = ticks.filter(outcome=TickOutcome.QUEUED)
    waiting.update(outcome=_outcome(program), program=program, message=told)


def _ticked(schedule: Schedule, moments: Moments) -> set[datetime]:
    """Return which of these moments have ticks, as columns have them.

    None but where a clock was set back, or somebody has written `next_at` by hand.
    """
    first = min(each for each in (moments.missed_last, *moments.due) if each is not None)
    ticks = Tick.objects.using(schedule.alias).filter(schedule=schedule)
    same = ticks.filter(at__gte=storable(first, schedule.alias), at__lte=moments.highest)
    return set(same.values_list("at", flat=True))


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


def _tick_once(schedule: Schedule, moment: datetime, *, is_late: bool) -> bool:
    if schedule.overlap != Overlap.ALLOW:
        # Not before those of moments that came first: they may have started one just now.
        running = _running(schedule)
        if running is not None or schedule.queued_at is not None:
            _hold_back(schedule, moment, running)
            return False
    program, message = _start(schedule, is_late=is_late)
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


def _start(schedule: Schedule, *, is_late: bool = False) -> tuple[Program | None, str | None]:
    """Start a program of the schedule, or return what speaks against it.

    `is_late`: whether what the database refuses is to be told: else the whole tick is tried again.
    """
    try:
        with transaction.atomic(using=schedule.alias):  # serializers may ask the database, too
            program = start_program(
                schedule.definition,
                schedule.program_data,
                schedule.job_data,
                created_by=str(schedule),
                using=schedule.alias,
            )
    except ProgramExecutorError as error:
        return None, str(error)
    except BaseException as error:  # a row that others wrote, or a serializer that leaves
        if isinstance(error, DatabaseError) and (is_lost(error) or not is_late):
            raise
        return None, f"{type(error).__name__}: {error}"
    return program, None


def is_lost(error: DatabaseError) -> bool:
    """Tell whether it is the database's trouble, and not that of one schedule."""
    # An internal one: a transaction in which somebody has swallowed an error.
    return is_outage(error) and not isinstance(error, InternalError)


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

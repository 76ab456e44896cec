"""Firing: what each worker does so that schedules tick, once each, however many workers there are.

All that a tick does is one transaction: it moves the schedule on, if nobody else has done so, and
writes the tick's row and its program. A worker that dies in between has done nothing.
"""

from __future__ import annotations

import logging
import random
import threading
from datetime import UTC, datetime

from django.db import Error as DatabaseError
from django.db import connections, reset_queries, transaction

from programs.conf import settings
from programs.definition import find_definition
from programs.errors import InvalidSchedule
from programs.models import Schedule, Tick
from programs.models.clock import Utc, database_now, instant, storable
from programs.models.deadlines import answer_expected
from programs.models.persistence import TRANSIENT_ERRORS
from programs.scheduling.ticking import PATIENCE, Moments, is_lost, refuse, start_queued, tick
from programs.scheduling.timetable import Timetable

logger = logging.getLogger(__name__)

INTERVAL = 1.0  # seconds between two looks
LONGEST_PAUSE = 4.0  # seconds, while the database does not answer
BATCH = 500  # schedules that are read at a time

_told: dict[int | None, str] = {}  # by schedule (None: for all), what fails: told once


class Clock(threading.Thread):
    """The thread of a child that looks for ticks whose time has come."""

    def __init__(self) -> None:
        super().__init__(name="schedules", daemon=True)
        self._ended = threading.Event()

    def run(self) -> None:
        pause = INTERVAL
        while not self._ended.wait(pause * random.uniform(0.5, 1.0)):
            is_well = _fire_all(settings.DATABASE) is not None
            pause = INTERVAL if is_well else min(pause * 2, LONGEST_PAUSE)
        connections.close_all()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()


def fire_due(using: str | None = None, now: datetime | None = None) -> int:
    """Fire what is due, and return how many programs were started; never raises.

    `now`: a moment to take for the present, for tests; by default the database's clock tells.
    """
    return _fire_all(using or settings.DATABASE, now) or 0


def _fire_all(using: str, now: datetime | None = None) -> int | None:
    """Return how many programs were started, or None where it could not be told what is due."""
    try:
        total = 0
        while True:
            with answer_expected(using):
                due, moment = _due(using, now)
            started = 0
            for schedule in due:
                with answer_expected(using):
                    started += _fire_safely(schedule, moment, using)
            total += started
            if len(due) < BATCH or not started:  # else there are more: at midnight, say
                break
        _told.pop(None, None)
        return total
    except TRANSIENT_ERRORS as error:
        if _is_news(None, error):
            logger.warning(
                "the database does not say which schedules are due, trying again: %s",
                str(error).strip(),
                extra={"action": "schedules_failed"},
            )
    except Exception as error:  # (ours, or no tables yet: the thread must not die of it)
        if _is_news(None, error):
            logger.exception(
                "the schedules are not looked at", extra={"action": "schedules_failed"}
            )
    finally:
        reset_queries()  # with DEBUG, Django remembers them, by the thousand
    _close(using)
    return None


def _due(using: str, now: datetime | None) -> tuple[list[Schedule], datetime]:
    """Return the schedules that have something to do, and the present moment."""
    rows = Schedule.objects.using(using)
    found = list(rows.pending(None if now is None else storable(now, using))[:BATCH])
    # Each worker in an order of its own: they need not wait for each other's rows.
    random.shuffle(found)
    if now is None and found:
        now = instant(database_now(using), using)
    return found, now or datetime.now(UTC)


def _close(using: str) -> None:
    if not connections[using].in_atomic_block:
        connections[using].close()


def _fire_safely(schedule: Schedule, now: datetime, using: str) -> int:
    """Fire one schedule; an error of its own must not keep the others from ticking."""
    try:
        started = _fire(schedule, now, using)
    except InvalidSchedule as error:
        # A package or a time zone that is missing here: other workers may have it.
        if _is_news(schedule.pk, error):
            logger.error("%s cannot tick here: %s", schedule, error, extra=_extra(schedule))
    except Exception as error:  # (the database's, or of a row that somebody wrote by hand)
        if isinstance(error, DatabaseError):
            if is_lost(error):
                raise
            _close(using)
        if _is_news(schedule.pk, error):
            logger.exception("%s did not tick: %s", schedule, error, extra=_extra(schedule))
    else:
        _told.pop(schedule.pk, None)
        return started
    return 0


def _is_news(key: int | None, error: Exception) -> bool:
    """Note what fails, and tell whether it did not fail in the same way before."""
    told = f"{type(error).__name__}: {error}"
    before = _told.get(key)
    _told[key] = told
    return told != before


def _extra(schedule: Schedule) -> dict[str, object]:
    return {"action": "schedule_failed", "schedule": schedule.pk}


def _fire(schedule: Schedule, now: datetime, using: str) -> int:
    """Start what waits, then tick, each in a transaction of its own."""
    started = 0
    is_known = find_definition(schedule.definition, using) is not None
    if schedule.queued_at is not None and is_known:
        started += start_queued(schedule)
    if schedule.next_at is None or (first := instant(schedule.next_at, using)) > now:
        return started
    if not is_known and now - first <= PATIENCE:
        return started  # a worker with other code may know it
    timetable = Timetable(schedule.cron, schedule.interval, schedule.time_zone)
    moments = Moments.of(schedule, timetable, first, now)
    following = timetable.after(moments.last)
    while following is not None and storable(following, using) <= moments.highest:
        following = timetable.after(following)
    with transaction.atomic(using=using):
        if not _move_on(schedule, following, using):
            return started  # another worker was quicker, or an operator
        # As it is behind the lock: what waits, say, may have been started meanwhile.
        locked = Schedule.objects.using(using).get(pk=schedule.pk)
        if is_known:
            started += tick(locked, moments)
        else:
            refuse(locked, moments)
        Tick.forget_older(locked)
    return started


def _move_on(schedule: Schedule, following: datetime | None, using: str) -> bool:
    """Let the schedule tick next at `following`, unless it has been moved on or changed."""
    next_at = None if following is None else storable(following, using)
    same = Schedule.objects.using(using).filter(
        pk=schedule.pk,
        next_at=schedule.next_at,
        cron=schedule.cron,
        interval=schedule.interval,
        time_zone=schedule.time_zone,
    )
    return bool(same.update(next_at=next_at, updated_at=Utc()))

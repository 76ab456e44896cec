"""What happened lately: how many programs ended in each minute, and how long the jobs ran.

Each question is answered from a bounded part of the tables, and the answer tells which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from statistics import median
from typing import Any

from django.conf import settings as django_settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Count
from django.db.models.functions import TruncMinute
from django.db.models.sql.compiler import SQLCompiler

from programs.conf import settings
from programs.models import Attempt, Ending, Program, State
from programs.models.attempt import NOTHING_RAN
from programs.models.clock import now

ENDINGS_COUNTED = 100_000  # of each kind of ending: a day that has more is not counted whole
ATTEMPTS_READ = 10_000  # the newest ones

MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
MINUTES, QUARTERS = 60, 96  # an hour, and a day, the present minute and quarter among them

FAILURES = (Ending.RETRIED, Ending.ERRORED, Ending.IGNORED, Ending.LOST, Ending.ABANDONED)


class Minute(TruncMinute):
    """The minute of a moment. On SQLite it is how its text begins, in UTC.

    Django has Python cut each row's there: counting a day took almost twice as long.
    """

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, tuple[str | int, ...]]:
        text, params = compiler.compile(self.lhs)
        return f"SUBSTR({text}, 1, 16) || ':00'", tuple(params)

    def as_redshift(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, tuple[str | int, ...]]:
        # Its backend knows Django's call of before 4.2. Sessions are in UTC.
        moment, params = compiler.compile(self.lhs)
        return f"DATE_TRUNC('minute', {moment})", tuple(params)


@dataclass
class Period:
    """How many programs ended within one stretch of time."""

    start: datetime
    finished: int = 0
    errored: int = 0


@dataclass(frozen=True)
class Endings:
    """How many programs ended: by the minute and by the quarter of an hour, oldest first."""

    minutes: list[Period]
    quarters: list[Period]
    counted_from: datetime | None  # where the day had more endings than are counted


class Timed:
    """What has times, in seconds, sorted."""

    times: list[float]

    @property
    def median(self) -> float | None:
        return median(self.times) if self.times else None

    @property
    def percentile_95(self) -> float | None:
        """Return the time within which 95 of 100 ended."""
        return self.times[ceil(0.95 * len(self.times)) - 1] if self.times else None


@dataclass
class JobTimes(Timed):
    """What became of the attempts of one job."""

    job: str
    attempts: int = 0
    failures: int = 0
    times: list[float] = field(default_factory=list)

    @property
    def longest(self) -> float | None:
        return self.times[-1] if self.times else None


@dataclass(frozen=True)
class Recently:
    """What the newest attempts tell of the jobs."""

    jobs: list[JobTimes]
    attempts: int  # that were read
    since: datetime | None  # when the oldest of them ended


def endings(using: str | None = None) -> Endings:
    """Count the programs that finished and errored within the last hour and the last day."""
    alias = using or settings.DATABASE
    minute = now(alias).replace(second=0, microsecond=0)
    quarter = minute - timedelta(minutes=minute.minute % 15)
    minutes = [Period(minute - MINUTE * back) for back in reversed(range(MINUTES))]
    quarters = [Period(quarter - QUARTER * back) for back in reversed(range(QUARTERS))]
    starts = []
    for state, name in ((State.FINISHED, "finished"), (State.ERRORED, "errored")):
        counted, since = _per_minute(alias, state, quarters[0].start)
        starts.append(since)
        for at, number in counted.items():
            for periods, length in ((minutes, MINUTE), (quarters, QUARTER)):
                _add(periods, length, at, name, number)
    known = [since for since in starts if since is not None]
    return Endings(minutes, quarters, max(known, default=None))


def recent_attempts(using: str | None = None) -> Recently:
    """Return what the newest attempts, by their keys, tell of each job that ran."""
    rows = Attempt.objects.using(using or settings.DATABASE).order_by("-pk")
    newest = rows.values_list("job", "outcome", "started_at", "ended_at")[:ATTEMPTS_READ]
    jobs: dict[str, JobTimes] = {}
    read, since = 0, None
    for job, outcome, started_at, ended_at in newest:
        read, since = read + 1, ended_at
        if outcome in NOTHING_RAN:
            continue
        own = jobs.setdefault(job, JobTimes(job))
        own.attempts += 1
        own.failures += outcome in FAILURES
        if started_at is not None:
            own.times.append(max((ended_at - started_at).total_seconds(), 0.0))
    for own in jobs.values():
        own.times.sort()
    return Recently(list(jobs.values()), read, since)


def _per_minute(
    alias: str, state: State, since: datetime
) -> tuple[dict[datetime, int], datetime | None]:
    """Count those that ended in `state`, by minutes; and from when on, if not from `since`."""
    column = f"{state.value}_at"
    rows = Program.objects.using(alias).in_state(state).filter(**{f"{column}__gte": since})
    newest = rows.order_by(f"-{column}").values_list(column, flat=True)
    last = next(iter(newest[ENDINGS_COUNTED : ENDINGS_COUNTED + 1]), None)
    if last is not None:  # from the next minute on they are all counted
        last = last.replace(second=0, microsecond=0) + MINUTE
        rows = rows.filter(**{f"{column}__gte": last})
    # In UTC: no hour comes twice there.
    minute = Minute(column, tzinfo=UTC if django_settings.USE_TZ else None)
    grouped = rows.order_by().values_list(minute).annotate(number=Count("*"))
    return dict(grouped), last


def _add(
    periods: Sequence[Period], length: timedelta, at: datetime, name: str, number: int
) -> None:
    index = (at - periods[0].start) // length
    if 0 <= index < len(periods):
        setattr(periods[index], name, getattr(periods[index], name) + number)

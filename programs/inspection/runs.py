"""How the programs of one definition went: the newest ones, and what the last ended ones tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from django.db.models import Q, Subquery

from programs.conf import settings
from programs.inspection.statistics import Timed
from programs.models import Program
from programs.models.program import ProgramQuerySet

ENDED_READ = 100  # the last ones: what they tell is of today, and found quickly
RUNS_READ = 1_000  # the newest, among which ended ones are looked for
LARGE = ("program_data", "job_data", "jobs")  # columns that lists of runs do not read

# Of each run: when it began, and when it ended in one of three ways.
Moments = tuple[datetime | None, datetime | None, datetime | None, datetime | None]


@dataclass(frozen=True)
class Record(Timed):
    """What became of the last programs that ended; times in seconds, of those that finished."""

    finished: int
    errored: int
    stopped: int
    times: list[float]  # sorted

    @property
    def ended(self) -> int:
        return self.finished + self.errored + self.stopped

    @property
    def success_rate(self) -> float | None:
        """Return the share of those that finished, from 0 to 1; None where none has ended."""
        return self.finished / self.ended if self.ended else None


def newest_runs(definition: str, limit: int, using: str | None = None) -> list[Program]:
    """Return the newest programs of a definition, without their data."""
    return list(_runs(definition, using).defer(*LARGE)[:limit])


def last_runs(definitions: Iterable[str], using: str | None = None) -> dict[str, Program]:
    """Return the newest program of each of these definitions that has one, in one query."""
    # Not `pk__in`: MySQL takes no LIMIT inside of IN.
    newest = [Q(pk=Subquery(_runs(name, using).values("pk")[:1])) for name in definitions]
    if not newest:
        return {}
    rows = Program.objects.using(using or settings.DATABASE).filter(reduce(or_, newest))
    return {str(program.definition): program for program in rows.defer(*LARGE)}


def record_of(definition: str, using: str | None = None) -> Record:
    """Return what became of the last `ENDED_READ` that ended, among the newest `RUNS_READ`."""
    columns = ("started_at", "finished_at", "errored_at", "stopped_at")
    newest: Iterable[Moments] = _runs(definition, using).values_list(*columns)[:RUNS_READ]
    ended = [run for run in newest if any(run[1:])][:ENDED_READ]
    times = [_length(start, end) for start, end, _, _ in ended if start and end]
    return Record(
        finished=sum(run[1] is not None for run in ended),
        errored=sum(run[2] is not None for run in ended),
        stopped=sum(run[3] is not None for run in ended),
        times=sorted(times),
    )


def length_of(program: Program) -> timedelta | None:
    """Return how long a program that has ended took from its first job on."""
    ended_at = program.finished_at or program.errored_at or program.stopped_at
    return ended_at - program.started_at if ended_at and program.started_at else None


def _runs(definition: str, using: str | None) -> ProgramQuerySet:
    """Return its programs, the newest first: an index holds this order."""
    rows: ProgramQuerySet = Program.objects.using(using or settings.DATABASE)
    return rows.filter(definition=definition).order_by("-created_at", "-pk")


def _length(start: datetime, end: datetime) -> float:
    return max((end - start).total_seconds(), 0.0)

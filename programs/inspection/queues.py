"""The queues: what waits in each, for how long, who serves it, and what the broker says of it.

A queue exists by being named: by a worker, a program or an operator. Each is looked at by its own
stretch of an index, and counted no further than a page may.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from django.db.models import Count as CountRows
from django.db.models import Min

from programs.conf import settings
from programs.inspection.selection import Count
from programs.models import Program, Queue, Worker
from programs.models.clock import Utc
from programs.models.program import ProgramQuerySet

NAMES_AT_MOST = 50  # each takes three queries
COUNTED = 10_000  # programs of one queue; fewer where there are many queues
COUNTED_IN_ALL = 50_000
CLAIMS_AT_MOST = 10_000  # there are as many as slots
WORKERS_AT_MOST = 1_000


@dataclass(frozen=True)
class QueueFacts:
    """How one queue stands."""

    name: str
    due: Count  # that anyone may claim now: the left behind ones among them
    oldest_due_at: datetime | None
    scheduled: Count
    running: int
    workers: int  # live ones that serve it
    paused_at: datetime | None


@dataclass(frozen=True)
class Queues:
    """The queues by their names, or as many of them as one page shows."""

    shown: list[QueueFacts]
    are_all: bool


def queues(using: str | None = None) -> Queues:
    """Return the queues that live workers serve, that are paused, or that have open programs."""
    alias = using or settings.DATABASE
    paused = dict(
        Queue.objects.using(alias).paused().values_list("name", "paused_at")[: NAMES_AT_MOST + 1]
    )
    serving = _serving(alias)
    running = Counter(
        _claimed(alias).filter(due_at__gt=Utc()).values_list("queue", flat=True)[:CLAIMS_AT_MOST]
    )
    waiting = (name for name, _ in waiting_since(alias))
    found = dict.fromkeys(name for name in chain(paused, serving, running, waiting) if name)
    names = sorted(list(found)[:NAMES_AT_MOST])
    limit = min(COUNTED, COUNTED_IN_ALL // max(len(names), 1))
    shown = []
    for name in names:
        due, oldest = _due(alias, name, limit)
        shown.append(
            QueueFacts(
                name=name,
                due=due,
                oldest_due_at=oldest,
                scheduled=_scheduled(alias, name, limit),
                running=running[name],
                workers=serving[name],
                paused_at=paused.get(name),
            )
        )
    return Queues(shown, len(found) <= NAMES_AT_MOST)


def waiting_since(
    using: str | None = None, limit: int = NAMES_AT_MOST + 1
) -> Iterator[tuple[str, datetime]]:
    """Yield the queues of open programs, each with its first due time: past, or to come.

    From one entry of the index to the next queue's: the programs between them are not read.
    """
    rows = Program.objects.using(using or settings.DATABASE).filter(due_at__isnull=False)
    firsts = rows.order_by("queue", "due_at").values_list("queue", "due_at")
    name = ""
    for _ in range(limit):
        first = next(iter(firsts.filter(queue__gt=name)[:1]), None)
        if first is None or first[0] is None or first[1] is None:
            return
        name = first[0]
        yield name, first[1]


def _serving(alias: str) -> Counter[str]:
    """Count the workers that claim programs of each queue."""
    claiming = Worker.objects.using(alias).claiming().values_list("queues", flat=True)
    return Counter(name for names in claiming[:WORKERS_AT_MOST] for name in set(names))


def _claimed(alias: str) -> ProgramQuerySet:
    return Program.objects.using(alias).filter(worker__isnull=False).order_by()


def _due(alias: str, name: str, limit: int) -> tuple[Count, datetime | None]:
    ripe = Program.objects.using(alias).ripe(name)[: limit + 1]
    found = ripe.aggregate(number=CountRows("*"), oldest=Min("due_at"))
    return _count(found["number"], limit), found["oldest"]


def _scheduled(alias: str, name: str, limit: int) -> Count:
    rows = Program.objects.using(alias).unclaimed().filter(queue=name, due_at__gt=Utc())
    return _count(rows.order_by()[: limit + 1].count(), limit)


def _count(number: int, limit: int) -> Count:
    return Count(min(number, limit), number <= limit)

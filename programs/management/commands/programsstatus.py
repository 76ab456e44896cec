"""`manage.py programsstatus`: workers, queues and states, and whether something is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from programs import dialect
from programs.conf import settings
from programs.inspection import Count, counts, span
from programs.inspection.queues import CLAIMS_AT_MOST, WORKERS_AT_MOST, QueueFacts, Queues, queues
from programs.legibility import in_one_line
from programs.management.arguments import seconds
from programs.management.command import OperatorCommand
from programs.management.report import json_line
from programs.models import Program, State, Worker
from programs.models.clock import Utc, now
from programs.models.persistence import brief_transaction


@dataclass(frozen=True)
class Status:
    """How things stand at one moment."""

    at: datetime
    workers: list[Worker]
    used: Counter[str]  # slots that hold a program, by worker
    queues: Queues
    states: dict[State, Count]

    @classmethod
    def read(cls) -> Status:
        claims = Program.objects.filter(worker__isnull=False, due_at__gt=Utc()).order_by()
        slots = claims.values_list("worker", flat=True)[:CLAIMS_AT_MOST]
        return cls(
            at=now(settings.DATABASE),
            workers=list(Worker.objects.live().order_by("name").defer("jobs")[:WORKERS_AT_MOST]),
            used=Counter((slot or "").rpartition("/")[0] for slot in slots),
            queues=queues(),
            states=counts(),
        )

    def age(self, queue: QueueFacts) -> float | None:
        """Return for how many seconds the oldest due program of a queue has waited."""
        if queue.oldest_due_at is None:
            return None
        return max((self.at - queue.oldest_due_at).total_seconds(), 0.0)

    def problems(self, max_wait: float | None) -> Iterator[str]:
        """Yield what somebody must see to. What an operator has paused is meant to wait."""
        for queue in self.queues.shown:
            age = self.age(queue)
            if queue.paused_at is not None or age is None:
                continue
            name = in_one_line(queue.name)
            if dialect.node_executes(queue.name):
                yield f"queue {name}: {_shown(queue.due)} due, and not sent to Node yet"
            elif not queue.workers:
                yield f"queue {name}: {_shown(queue.due)} due, and no live worker serves it"
            if max_wait is not None and age > max_wait:
                yield f"queue {name}: the oldest has waited for {span(age)}, over {max_wait:g} s"


class Command(OperatorCommand):
    help = (
        "Tell of live workers, queues and states. Exit status: 0 all is well; 1 something is "
        "wrong, which standard error tells: programs are due in a queue that no live worker "
        "serves, or for longer than --max-wait; or the database does not answer."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="as a JSON object in one line")
        parser.add_argument(
            "--max-wait",
            type=seconds,
            metavar="SECONDS",
            help="how long a due program may wait, in a queue that is not paused",
        )

    def act(self, *, json: bool, max_wait: float | None, **options: Any) -> None:
        with brief_transaction(settings.DATABASE):
            status = Status.read()
        problems = list(status.problems(max_wait))
        if json:
            self.say(json_line(_facts(status, problems)))
        else:
            for line in _lines(status):
                self.say(line)
        if not status.queues.are_all:
            self.note(f"there are more queues than these {len(status.queues.shown)}")
        if problems:
            raise CommandError("\n".join(problems))


def _lines(status: Status) -> Iterator[str]:
    yield f"live workers: {len(status.workers)}"
    for worker in status.workers:
        queues = ", ".join(in_one_line(name) for name in worker.queues)
        draining = ", draining" if worker.drain_requested_at else ""
        used = f"{status.used[worker.name]} of {worker.slots} slots used"
        yield f"  {in_one_line(worker.name)}: {used}, queues {queues}{draining}"
    yield f"queues: {len(status.queues.shown)}"
    for queue in status.queues.shown:
        age = status.age(queue)
        parts = [
            f"{_shown(queue.due)} due",
            f"{_shown(queue.scheduled)} scheduled",
            f"{queue.running:,} running",
            f"served by {queue.workers}",
        ]
        if age is not None:
            parts.append(f"oldest waits for {span(age)}")
        if queue.paused_at is not None:
            parts.append("paused")
        yield f"  {in_one_line(queue.name)}: {', '.join(parts)}"
    yield "programs:"
    for state, number in status.states.items():
        yield f"  {state.label}: {_shown(number)}"


def _facts(status: Status, problems: list[str]) -> dict[str, Any]:
    return {
        "at": status.at,
        "problems": problems,
        "workers": [
            {
                "name": worker.name,
                "host": worker.host,
                "pid": worker.pid,
                "version": worker.version,
                "queues": worker.queues,
                "slots": worker.slots,
                "used": status.used[worker.name],
                "draining": worker.drain_requested_at is not None,
                "started_at": worker.started_at,
                "last_seen_at": worker.last_seen_at,
            }
            for worker in status.workers
        ],
        "queues": [
            {
                "name": queue.name,
                "due": queue.due._asdict(),
                "scheduled": queue.scheduled._asdict(),
                "running": queue.running,
                "workers": queue.workers,
                "oldest_wait": status.age(queue),
                "paused_at": queue.paused_at,
            }
            for queue in status.queues.shown
        ],
        "states": {state.value: count._asdict() for state, count in status.states.items()},
    }


def _shown(count: Count) -> str:
    return f"{count.number:,}" if count.is_exact else f"more than {count.number:,}"

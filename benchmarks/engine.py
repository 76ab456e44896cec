"""This project's worker on the tables of DATABASE_URL, which are emptied: give it no other."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import pika
from django.db import connection
from django.db.models import Max, Min

from programs.conf import settings
from programs.models import Attempt, Ending, Operation, Program
from programs.submission import create_programs
from programs.transport.publisher import flush
from programs.transport.topology import broker_queue, declare

PATIENCE = 300.0  # seconds for a whole run
BATCH = 5000  # programs of one call: the publisher keeps 10,000 hints
TABLES = (Attempt, Operation, Program)


@contextmanager
def worker(
    threads: int, processes: int = 1, at_most: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Have a worker run, and end it in good order."""
    command = [sys.executable, "manage.py", "runworker"]
    command += ["--threads", str(threads), "--processes", str(processes)]
    if at_most is not None:
        command += ["--max-programs", str(at_most)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=60)


def empty() -> None:
    """Forget all programs and their hints; what earlier runs have left slows down none."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(model._meta.db_table for model in TABLES)}")
    else:
        for model in TABLES:
            model._default_manager.all()._raw_delete(connection.alias)
    forget_hints()


def forget_hints() -> None:
    if settings.AMQP_URL is None:
        return
    given = pika.URLParameters(settings.AMQP_URL)
    with closing(pika.BlockingConnection(given)) as broker, closing(broker.channel()) as channel:
        declare(channel, "default")
        channel.queue_purge(broker_queue("default"))


def fill(many: int, jobs: list[str]) -> None:
    """Create so many programs, and wait until the broker has confirmed their hints."""
    for first in range(0, many, BATCH):
        create_programs([{"jobs": jobs}] * min(BATCH, many - first))
        if settings.AMQP_URL is not None and not flush(PATIENCE):
            sys.exit("the broker did not confirm the hints")


def wait_until_ended() -> None:
    deadline = time.monotonic() + PATIENCE
    while Program.objects.open().exists():
        if time.monotonic() > deadline:
            sys.exit(f"{Program.objects.open().count()} programs did not end in time")
        time.sleep(0.1)


@dataclass(frozen=True)
class Ended:
    """The programs that finished since this was made."""

    newest_attempt: int
    finished: int

    @classmethod
    def so_far(cls) -> Ended:
        newest = Attempt.objects.aggregate(newest=Max("id"))["newest"] or 0
        return cls(newest, Program.objects.filter(finished_at__isnull=False).count())

    def check(self, programs: int, jobs: int) -> None:
        """Fail unless so many programs finished since, and so many jobs ran, each once."""
        since = Ended.so_far().finished - self.finished
        ran = Attempt.objects.filter(id__gt=self.newest_attempt)
        steps = ran.filter(outcome=Ending.SUCCEEDED).values("program", "step").distinct().count()
        if (since, ran.count(), steps) != (programs, jobs, jobs):
            sys.exit(
                f"wrong outcome: {since} of {programs} programs finished, {ran.count()} attempts"
                f" of {jobs}, {steps} of them steps that succeeded"
            )

    def seconds(self) -> float:
        """Return the time from the first claim to the last finish, by the rows' own stamps."""
        ran = Attempt.objects.filter(id__gt=self.newest_attempt).values("program")
        rows = Program.objects.filter(pk__in=ran)
        spans = rows.aggregate(first=Min("started_at"), last=Max("finished_at"))
        return float((spans["last"] - spans["first"]).total_seconds())


def child_of(supervisor: int) -> int:
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    rows = (line.split() for line in listed.stdout.splitlines())
    return next(int(pid) for pid, parent in rows if int(parent) == supervisor)


def resident_memory(pid: int) -> float:
    """Return the megabytes that a process keeps in memory."""
    read = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True
    )
    return int(read.stdout) / 1024

"""The core's three figures: programs per second, latency on an idle system, memory of a child.

`make bench` runs it on the tests' servers. It empties the tables of the database that DATABASE_URL
names: give it no other.
Each figure is read from the rows that the worker wrote or from the operating system; a run whose
programs did not all finish, each job once, fails.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db.models import Max, Min

from programs.models import Attempt, Ending, Operation, Program
from programs.submission import create_program, create_programs
from programs.transport.publisher import flush

JOBS = ["noop", "noop", "noop"]
PATIENCE = 600.0  # seconds for a whole run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=3000, help="of a drain")
    parser.add_argument("--rounds", type=int, default=3, help="drains, of which all are printed")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--memory-programs", type=int, default=10_000)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    show("create_program to finished, idle, ms (median, 99th)", latency(300, options.threads))
    rates = [drain(options.programs, options.threads) for _ in range(options.rounds)]
    show(f"drain, {options.threads} threads, programs/s", rates)
    show("create_programs, programs/s", [creation(options.programs)])
    show("resident memory of the child, MB (half way, end)", memory(options))
    return 0


def show(name: str, values: list[float]) -> None:
    print(f"{name}: {', '.join(f'{value:.1f}' for value in values)}", flush=True)


def drain(many: int, threads: int) -> float:
    """Return programs per second, from the first claim to the last finish."""
    empty()
    create_programs([{"jobs": JOBS}] * many)
    flush(PATIENCE)
    with worker(threads):
        wait_until_ended()
    audit(many)
    spans = Program.objects.aggregate(first=Min("started_at"), last=Max("finished_at"))
    return many / float((spans["last"] - spans["first"]).total_seconds())


def creation(many: int) -> float:
    empty()
    started = time.perf_counter()
    create_programs([{"jobs": JOBS}] * many)
    return many / (time.perf_counter() - started)


def latency(many: int, threads: int) -> list[float]:
    """Return the median and the 99th percentile, in ms, by the database's own clock."""
    empty()
    with worker(threads):
        for _ in range(50):  # until all threads are connected, and the broker's consumer is there
            create_program(JOBS)
            time.sleep(0.05)
        wait_until_ended()
        empty()
        for _ in range(many):
            create_program(JOBS)
            time.sleep(0.02)  # the pace: the system is idle between two programs
        wait_until_ended()
    audit(many)
    spans = sorted(
        (finished - created).total_seconds() * 1000
        for created, finished in Program.objects.values_list("created_at", "finished_at")
        if finished is not None
    )
    return [statistics.median(spans), spans[int(len(spans) * 0.99)]]


def memory(options: argparse.Namespace) -> list[float]:
    """Return the child's resident memory after half of the programs and after all, in MB."""
    empty()
    readings = []
    with worker(options.threads) as process:
        for _ in range(2):
            create_programs([{"jobs": JOBS}] * (options.memory_programs // 2))
            flush(PATIENCE)
            wait_until_ended()
            readings.append(resident_memory(child_of(process.pid)))
    audit(options.memory_programs // 2 * 2)
    return readings


@contextmanager
def worker(threads: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "manage.py", "runworker", "--threads", str(threads)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=60)


def empty() -> None:
    for model in (Attempt, Operation, Program):
        model.objects.all()._raw_delete(model.objects.db)


def wait_until_ended() -> None:
    deadline = time.monotonic() + PATIENCE
    while Program.objects.open().exists():
        if time.monotonic() > deadline:
            sys.exit("the programs did not end in time")
        time.sleep(0.1)


def audit(many: int) -> None:
    """Fail unless every program finished and every job ran once."""
    finished = Program.objects.filter(finished_at__isnull=False).count()
    attempts = Attempt.objects.filter(outcome=Ending.SUCCEEDED).count()
    if (finished, attempts) != (many, many * len(JOBS)):
        sys.exit(f"wrong outcome: {finished} of {many} finished, {attempts} attempts")


def child_of(supervisor: int) -> int:
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    rows = (line.split() for line in listed.stdout.splitlines())
    return next(int(pid) for pid, parent in rows if int(parent) == supervisor)


def resident_memory(pid: int) -> float:
    read = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True
    )
    return int(read.stdout) / 1024


if __name__ == "__main__":
    sys.exit(main())

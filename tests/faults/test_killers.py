"""Jobs that take their process with them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator

import pytest

from programs.lease import lease_clock
from programs.models import Ending, Program, State
from programs.submission import create_program, create_programs
from tests.faults.arena import Arena, all_end
from tests.faults.conftest import Verdict
from tests.site import Worker
from tests.waiting import eventually

SLOTS = 8  # of each worker, in two children
SECONDS = 60.0  # that the rates are compared over
NAP = 0.25  # seconds that each of the neighbours' jobs takes
WAITING = SLOTS * 4  # programs of each queue at a time, running ones among them
MEGABYTES = 256  # that the glutton eats
LIMIT = 160  # megabytes of resident memory, above which a process is killed
RATE = 0.9  # of what a worker without a killer does

HAUNTED, QUIET = "haunted", "quiet"  # queues: with killers, and without


class MemoryGuard:
    """Kills children of a worker that take too much memory, as the kernel would."""

    def __init__(self, arena: Arena, worker: Worker) -> None:
        self._arena, self._worker = arena, worker
        self.kills = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @contextlib.contextmanager
    def on_duty(self) -> Iterator[MemoryGuard]:
        self._thread.start()
        try:
            yield self
        finally:
            self._over.set()
            self._thread.join(10)

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            for pid, megabytes in resident(self._worker).items():
                if megabytes > LIMIT:
                    self._arena.deaths[pid] = lease_clock()
                    os.kill(pid, signal.SIGKILL)
                    self.kills += 1


def resident(worker: Worker) -> dict[int, float]:
    """Return the megabytes of memory of each living child."""
    children = ",".join(map(str, worker.children))
    listed = subprocess.run(
        ["ps", "-o", "pid=,rss=", "-p", children or "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    rows = (line.split() for line in listed.stdout.splitlines())
    return {int(pid): int(kilobytes) / 1024 for pid, kilobytes in rows}


def keep_busy(arena: Arena, queues: Iterable[str]) -> None:
    """Let a few short programs wait in each queue, and not so many that killers wait for long."""
    given = arena.given("sleep", seconds=NAP)
    for queue in queues:
        missing = WAITING - Program.objects.open().filter(queue=queue).count()
        one = {"jobs": ["behave"], "program_data": given, "queue": queue}
        create_programs([one] * max(0, missing))


def killers(arena: Arena) -> list[Program]:
    """Create a program that kills its process at step 1, and one that eats memory there."""
    given = arena.given("succeed")
    return [
        create_program(["behave", "behave_too"], given, {"behave_too": own}, queue=HAUNTED)
        for own in ({"how": "kill_process"}, {"how": "eat_memory", "megabytes": MEGABYTES})
    ]


def are_open(ids: list[int]) -> bool:
    return Program.objects.open().filter(pk__in=ids).exists()


def finished(queue: str) -> int:
    return Program.objects.in_state(State.FINISHED).filter(queue=queue).count()


def note_suicides(arena: Arena, killer: Program) -> None:
    """Remember the processes that the killer has taken with it."""
    for line in arena.events():
        if line.run_id == killer.run_id and line.step == 1:
            arena.deaths[line.pid] = line.at


def quarantined(killer: Program) -> Program:
    """Hold that a killer was quarantined for its second step; return it as it is now."""
    ended = Program.objects.get(pk=killer.pk)
    assert ended.state is State.ERRORED
    assert ended.error_message == "worker lost 3 times at step 1"
    outcomes = [attempt.outcome for attempt in ended.attempts.filter(step=1)]
    assert outcomes == [Ending.LOST] * 3
    return ended


@pytest.mark.long  # `make test` has a quarantine in tests/acceptance/test_worker.py
@pytest.mark.fault("a job that kills its process, and one that eats memory until killed")
@pytest.mark.invariant(10)
@pytest.mark.timeout(240)
def test_killers_are_quarantined_and_their_neighbours_hardly_notice(
    arena: Arena, verdict: Verdict
) -> None:
    options = ("--threads", str(SLOTS // 2), "--processes", "2")
    queues = (HAUNTED, QUIET)
    workers = {queue: arena.worker("--queue", queue, *options) for queue in queues}
    keep_busy(arena, queues)
    eventually(lambda: min(map(finished, queues)) >= WAITING / 2, within=30)

    with MemoryGuard(arena, workers[HAUNTED]).on_duty() as guard:
        before, began = {queue: finished(queue) for queue in queues}, lease_clock()
        two = killers(arena)
        ids = [killer.pk for killer in two]
        while (passed := lease_clock() - began) < SECONDS or are_open(ids):
            assert passed < SECONDS + 60
            keep_busy(arena, queues)
            time.sleep(0.05)  # the pace of creation
        rates = {queue: (finished(queue) - before[queue]) / passed for queue in queues}
    all_end(within=60)

    ended = [quarantined(killer) for killer in two]
    assert guard.kills >= 2  # the first time, it may have died with the other one
    note_suicides(arena, two[0])
    verdict.audited(arena.audit(Program.objects.exclude(pk__in=ids)))
    took = max(each.updated_at - each.created_at for each in ended).total_seconds()
    verdict.says(f"quarantined after {took:.1f} s")
    ratio = rates[HAUNTED] / rates[QUIET]
    verdict.says(
        f"{rates[HAUNTED]:.1f} programs/s beside them, {rates[QUIET]:.1f} without: {ratio:.0%}"
    )
    assert ratio >= RATE

"""Processes that are killed, at the worst moments there are."""

from __future__ import annotations

import signal
import statistics
from collections import defaultdict
from itertools import cycle
from pathlib import Path

import pytest

from programs.lease import lease_clock
from programs.models import Program, State
from programs.submission import create_program
from tests.faults.arena import LEASE, Arena, all_end, scaled
from tests.faults.conftest import Verdict
from tests.faults.sabotage import POINTS, SIDES
from tests.site import Worker, wait_for
from tests.waiting import eventually

JOBS = ["behave", "behave_too", "behave_again"]
LANES = int(scaled(3, 12))
KILLS = int(scaled(1, 20))  # of children, at each point
WORKER_KILLS = int(scaled(1, 3))  # at each point
HEIRS = "heirs"


class Lane:
    """A queue with a worker of its own, which is to be killed."""

    def __init__(self, arena: Arena, name: str) -> None:
        self.arena = arena
        self.name = name
        self.folder: Path = arena.folder / name
        self.folder.mkdir()
        self.worker = self._start()

    def kill(self, point: str, side: str, victim: str = "child") -> tuple[Program, float]:
        """Run a program that is alone in this lane until `victim` dies at the point.

        Returns the program, and when that was. Where no supervisor is left that would care for
        it, or one that is about to end, the program is moved to the queue of the heirs.
        """
        if self.worker.process.poll() is not None:
            self.worker = self._start()
        self.worker.started()
        eventually(lambda: not Program.objects.open().filter(queue=self.name).exists(), within=60)
        file = self.arena.arm(self.folder, point, side, victim)
        program = self._create(point)
        if point == "drain":
            wait_for(program, State.RUNNING)
            self.worker.signal(signal.SIGTERM)
        fired = self.arena.fired(file)
        if point == "drain" or victim == "worker":
            Program.objects.filter(pk=program.pk).update(queue=HEIRS)
        return program, fired.at

    def _start(self) -> Worker:
        options = ("--queue", self.name, "--threads", "2")
        return self.arena.worker(*options, SABOTAGE=str(self.folder))

    def _create(self, point: str) -> Program:
        """Create a program whose first job passes the point."""
        how = ["retry", "sleep"] if point == "release" else "sleep"
        first = {"behave": {"seconds": LEASE / 3 + 1}} if point == "renewal" else None
        given = self.arena.given(how, seconds=0.1, retry_after=0.05)
        return create_program(JOBS, given, first, queue=self.name)


def went_on_after(arena: Arena, program: Program, death: float) -> float:
    """Return how long after a death the program went on: a job began, or it was seen finished."""

    def sign() -> float | None:
        for line in arena.events():
            if line.run_id == program.run_id and line.event == "start" and line.at > death:
                return line.at
        done = Program.objects.in_state(State.FINISHED).filter(pk=program.pk).exists()
        return lease_clock() if done else None

    found = eventually(sign, within=60, every=0.05)
    assert found is not None
    return found - death


def judge(arena: Arena, verdict: Verdict, delays: dict[str, list[float]], limit: float) -> None:
    """Hold what happened against what must be. `delays`: in seconds, by point."""
    all_end(within=60)
    findings = arena.audit()
    verdict.audited(findings)
    assert not findings.overlaps
    every = [delay for found in delays.values() for delay in found]
    verdict.says(
        f"{len(every)} kills",
        f"went on after {statistics.median(every):.2f} s median, {max(every):.2f} s longest",
    )
    slow = {point: max(found) for point, found in delays.items() if max(found) > limit}
    assert not slow, f"went on later than {limit} s after the kill: {slow}"


@pytest.mark.fault("SIGKILL of a child at each of nine points")
@pytest.mark.invariant(4)
@pytest.mark.timeout(600)
def test_a_child_killed_at_any_point_is_replaced_and_its_program_goes_on(
    arena: Arena, verdict: Verdict
) -> None:
    heirs = arena.worker("--queue", HEIRS, "--threads", "2")
    lanes = [Lane(arena, f"lane-{number}") for number in range(LANES)]
    heirs.started()
    delays = defaultdict(list)
    turns = cycle(lanes)
    for point in POINTS:
        sides = SIDES * (KILLS // 2) or [arena.random.choice(SIDES)]
        for side in sides:
            program, death = next(turns).kill(point, side)
            delays[point].append(went_on_after(arena, program, death))

    judge(arena, verdict, delays, limit=2.0)


@pytest.mark.fault("SIGKILL of a whole worker at each of nine points")
@pytest.mark.invariant(4)
@pytest.mark.timeout(300)
def test_a_worker_killed_at_any_point_is_inherited_by_another(
    arena: Arena, verdict: Verdict
) -> None:
    points = arena.random.sample(POINTS, int(scaled(3, len(POINTS))))
    heirs = arena.worker("--queue", HEIRS, "--threads", "2", "--processes", "2")
    lanes = [(Lane(arena, f"{point}-{n}"), point) for n in range(WORKER_KILLS) for point in points]
    heirs.started()
    killed = []
    for lane, point in lanes:
        killed.append((point, *lane.kill(point, arena.random.choice(SIDES), "worker")))

    delays = defaultdict(list)
    for point, program, death in killed:
        delays[point].append(went_on_after(arena, program, death))
    judge(arena, verdict, delays, limit=LEASE + 5.0)

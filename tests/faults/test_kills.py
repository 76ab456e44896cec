"""Processes that are killed, at the worst moments there are."""

from __future__ import annotations

import signal
import statistics
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
LANES = int(scaled(3, 8))
KILLS = int(scaled(1, 20))  # at each point
HEIRS = "heirs"


class Lane:
    """A queue with a worker of its own, which is to be killed."""

    def __init__(self, arena: Arena, name: str) -> None:
        self.arena = arena
        self.name = name
        self.folder: Path = arena.folder / name
        self.folder.mkdir()
        self.worker: Worker | None = None

    def serve(self) -> Worker:
        """Start the worker, unless it is there."""
        if self.worker is None or self.worker.process.poll() is not None:
            self.worker = self.arena.worker(
                "--queue", self.name, "--threads", "2", SABOTAGE=str(self.folder)
            )
        return self.worker

    def program(self, point: str, side: str, victim: str = "child") -> tuple[Program, Path]:
        """Create a program that is alone in this lane and in whose first step the point is armed.

        Returns with it the file that is there once the point has fired.
        """
        eventually(lambda: not Program.objects.open().filter(queue=self.name).exists(), within=60)
        how = ["retry", "sleep"] if point == "release" else "sleep"
        first = {"behave": {"seconds": LEASE / 3 + 1}} if point == "renewal" else None
        given = self.arena.given(how, seconds=0.1, retry_after=0.05)
        fired = self.arena.arm(self.folder, point, side, victim)
        return create_program(JOBS, given, first, queue=self.name), fired


def went_on(arena: Arena, program: Program, since: float) -> float:
    """Return how long after a death the program went on: a job began, or it was seen finished."""

    def sign() -> float | None:
        for line in arena.events():
            if line.run_id == program.run_id and line.event == "start" and line.at > since:
                return line.at
        done = Program.objects.in_state(State.FINISHED).filter(pk=program.pk).exists()
        return lease_clock() if done else None

    found = eventually(sign, within=60, every=0.05)
    assert found is not None
    return found - since


def move_to_heirs(program: Program) -> None:
    Program.objects.filter(pk=program.pk).update(queue=HEIRS)


@pytest.mark.fault("SIGKILL of a child at each of nine points")
@pytest.mark.timeout(600)
def test_a_child_killed_at_any_point_is_replaced_and_its_program_goes_on(
    arena: Arena, verdict: Verdict
) -> None:
    lanes = [Lane(arena, f"lane-{number}") for number in range(LANES)]
    heirs = arena.worker("--queue", HEIRS, "--threads", "2").started()
    for lane in lanes:
        lane.serve().started()
    kills = [(point, SIDES[kill % 2]) for point in POINTS for kill in range(KILLS)]
    if KILLS == 1:
        kills = [(point, arena.random.choice(SIDES)) for point in POINTS]
    delays: dict[str, list[float]] = {point: [] for point in POINTS}

    for number, (point, side) in enumerate(kills):
        lane = lanes[number % LANES]
        worker = lane.serve().started()
        program, fired_file = lane.program(point, side)
        if point == "drain":
            wait_for(program, State.RUNNING)
            worker.signal(signal.SIGTERM)
        fired = arena.fired(fired_file)
        if point == "drain":  # its own supervisor ends: another worker takes the program over
            move_to_heirs(program)
        delays[point].append(went_on(arena, program, fired.at))

    all_end(within=60)
    verdict.audited(arena.audit())
    assert heirs.process.poll() is None
    every = [delay for found in delays.values() for delay in found]
    verdict.says(
        f"{len(every)} kills",
        f"resumed after {statistics.median(every):.2f} s median, {max(every):.2f} s longest",
    )
    slow = {point: max(found) for point, found in delays.items() if max(found) > 2.0}
    assert not slow, f"resumed later than 2 s after the kill: {slow}"

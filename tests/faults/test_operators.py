"""Operators who act while programs run, end, and are acted upon by others."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from programs import operations
from programs.errors import OperationRefused
from programs.lease import lease_clock
from programs.models import Program, State
from programs.submission import create_program
from tests.faults import witness
from tests.faults.arena import Arena, all_end, scaled
from tests.faults.auditor import at_that_time
from tests.faults.conftest import Verdict
from tests.faults.witness import Change, moment
from tests.site import SITE

JOBS = ["behave", "behave_too", "behave_again"]
NAP = 0.03  # seconds that each job takes
SPAN = 0.15  # seconds after its creation, in which a program is acted upon: until after its end
RACES = int(scaled(100, 2000))
OPERATORS = 8  # at a time
MEDDLED_WITH = 4  # of so many programs one is acted upon by two operators
DEEDS = 4  # of each of the two
TOO_LATE = 1.0  # seconds after a stop, in which a job may still start


def race(arena: Arena, seed: float) -> str:
    """Create a program, and act upon it around its steps and its end; return its run id."""
    chance = random.Random(seed)
    program = create_program(JOBS, arena.given("sleep", seconds=NAP))
    if chance.randrange(MEDDLED_WITH):
        act(program, [operations.stop_program], chance)
    else:
        other = random.Random(chance.random())
        with ThreadPoolExecutor(1) as colleague:
            done = colleague.submit(closing_connections(meddle), program, other)
            meddle(program, chance)
            done.result(timeout=30)
    return program.run_id


def meddle(program: Program, chance: random.Random) -> None:
    """Do one thing and the other, whatever it may be."""
    verbs = [
        operations.stop_program,
        operations.retry_program,
        operations.pause_program,
        operations.resume_program,
    ]
    act(program, chance.choices(verbs, k=DEEDS), chance)


def act(program: Program, verbs: list[Callable[..., Program]], chance: random.Random) -> None:
    for verb in verbs:
        time.sleep(chance.uniform(0, SPAN))  # the moment that is raced for
        with contextlib.suppress(OperationRefused):  # it has ended, or somebody was quicker
            verb(program.run_id)


def closing_connections(work: Callable[..., object]) -> Callable[..., object]:
    """Let a thread's work leave no connection behind."""

    def works(*given: object) -> object:
        try:
            return work(*given)
        finally:
            connections[SITE].close()

    return works


def bring_to_an_end() -> None:
    """Resume what was left paused, until all have ended."""
    for program in Program.objects.in_state(State.PAUSED):
        operations.resume_program(program)
    all_end(within=60)


def starts_after_a_stop(arena: Arena) -> Iterator[float]:
    """Yield, for each job that began while a stop was asked for, how many seconds after that."""
    changes: dict[str, list[Change]] = {}
    for change in witness.testimony():
        changes.setdefault(change.run_id, []).append(change)
    for line in arena.events():
        if line.event == "start":
            started = line.at + time.time() - lease_clock()
            asked = at_that_time(changes[line.run_id], started).get("stop_requested_at")
            if asked:
                yield started - moment(asked)


@pytest.mark.fault("stop against finish, with retry, pause and resume among them")
@pytest.mark.invariant(8)
@pytest.mark.invariant(9)
@pytest.mark.timeout(400)
def test_a_stop_that_races_with_the_end_leaves_one_of_both(arena: Arena, verdict: Verdict) -> None:
    for worker in [arena.worker("--threads", "8") for _ in range(2)]:
        worker.started()
    seeds = [arena.random.random() for _ in range(RACES)]
    with ThreadPoolExecutor(OPERATORS) as operators:
        raced = [operators.submit(closing_connections(race), arena, seed) for seed in seeds]
        for done in raced:
            done.result(timeout=300)
    bring_to_an_end()

    states = Counter(program.state for program in Program.objects.all())
    late = list(starts_after_a_stop(arena))
    findings = arena.audit(Program.objects.in_state(State.FINISHED))
    assert states.keys() == {State.FINISHED, State.STOPPED}
    assert min(states.values()) > RACES / 10  # it was a race
    assert max(late, default=0) < TOO_LATE
    verdict.audited(findings)
    verdict.says(
        f"{states[State.FINISHED]} finished, {states[State.STOPPED]} stopped",
        f"{len(late)} jobs began after a stop, by {max(late, default=0):.3f} s at most",
    )

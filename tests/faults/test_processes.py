"""Processes that stand still, hold on, are told to end, or are wrong about the time."""

from __future__ import annotations

import json
import os
import signal
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from programs.lease import lease_clock
from programs.models import Attempt, Ending, Program, State
from programs.submission import create_program, create_programs
from tests.faults import witness
from tests.faults.arena import Arena, all_end, scaled
from tests.faults.conftest import Verdict
from tests.journal import Line
from tests.site import Worker, wait_for
from tests.waiting import eventually

LEASE = scaled(3, 15)  # seconds: in the short form even shorter than elsewhere
TAKE_OVER = LEASE + 5.0  # seconds, from the fault
ABANDON = 5.0  # seconds, from waking, within which a job that looks knows that it is too late

BRIEF = {"behave_too": {"how": "succeed"}}  # what each program's second step does


@pytest.fixture(autouse=True)
def brief_lease(arena: Arena) -> None:
    arena.environment["TEST_LEASE"] = str(LEASE)


def begun(arena: Arena, programs: Iterable[Program]) -> None:
    """Wait until the first job of each of these programs runs."""
    wanted = {program.run_id for program in programs}
    eventually(lambda: wanted <= {line.run_id for line in arena.events()}, within=30, every=0.05)


def first(arena: Arena, program: Program, event: str, since: float) -> Line | None:
    """Return the first line of this kind that the program's jobs wrote after `since`."""
    lines = (line for line in arena.events() if line.run_id == program.run_id)
    return next((line for line in lines if line.event == event and line.at > since), None)


def endings(program: Program) -> list[str]:
    return [attempt.outcome for attempt in program.attempts.all()]


# Standing still ----------------------------------------------------------------------------------

STOPPED = scaled(2 * LEASE, 40)  # seconds between SIGSTOP and SIGCONT

# The first jobs of programs. One that is tried again succeeds at once.
CHECKPOINTS = {"how": ["count_slowly", "succeed"], "to": 10_000, "every": 0.5}
LOOKS = {"how": ["watch_for_stop", "succeed"]}
COUNTS_TO_THE_END = {"how": "count_slowly", "to": 8, "every": 0.5}


@dataclass
class Victim:
    """A worker of which something will stand still, with the programs that it runs."""

    queue: str
    worker: Worker
    programs: list[Program]

    def stop(self, *pids: int) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)

    def refuses_an_outcome(self) -> bool:
        return "lease lost: the outcome (succeeded) is refused" in self.worker.output


def victim(arena: Arena, queue: str, *firsts: dict[str, object]) -> Victim:
    """Start a worker that runs one program for each of these first jobs."""
    worker = arena.worker("--queue", queue, "--queue", f"{queue}-alone", "--threads", "4")
    programs = [
        create_program(["behave", "behave_too"], arena.given(**given), BRIEF, queue=queue)
        for given in firsts
    ]
    return Victim(queue, worker, programs)


@pytest.mark.fault("SIGSTOP, later SIGCONT, of a worker, of a child, of a supervisor")
@pytest.mark.invariant(3)
@pytest.mark.timeout(180)
def test_what_stood_still_does_no_harm_when_it_wakes(arena: Arena, verdict: Verdict) -> None:
    gate, woken = arena.folder / "gate", arena.folder / "woken"
    ends_awake = {"how": ["wait_for_file", "succeed"], "file": str(woken)}
    whole = victim(arena, "whole", CHECKPOINTS, LOOKS, ends_awake)
    child = victim(arena, "child", COUNTS_TO_THE_END, ends_awake)
    orphan = victim(arena, "orphan", CHECKPOINTS, ends_awake)  # its supervisor will stand still
    lost = whole.programs + orphan.programs
    given = arena.given("wait_for_file", file=str(gate))
    alone = create_program(["behave", "behave_too"], given, BRIEF, queue="orphan-alone")
    begun(arena, [*whole.programs, *child.programs, *orphan.programs, alone])
    queues = [f"--queue={each.queue}" for each in (whole, child, orphan)]
    arena.worker(*queues, "--threads", "4", "--processes", "2").started()

    whole_pids = [whole.worker.process.pid, *whole.worker.children]
    with arena.disturbing(*whole.worker.children, *orphan.worker.children):
        whole.stop(*whole_pids)
        child.stop(*child.worker.children)
        orphan.stop(orphan.worker.process.pid)
        stopped_at = lease_clock()
        time.sleep(LEASE + 1)  # the orphan's lease is over, and it knows that
        gate.touch()
        time.sleep(stopped_at + STOPPED - lease_clock())  # the fault's length
        eventually(lambda: all(first(arena, program, "start", stopped_at) for program in lost))
        state_of_alone = Program.objects.get(pk=alone.pk).state
        arena.random.shuffle(whole_pids)
        for pid in (*whole_pids, *child.worker.children, orphan.worker.process.pid):
            os.kill(pid, signal.SIGCONT)
    woken_at = lease_clock()
    woken.touch()

    all_end(within=60)
    eventually(whole.refuses_an_outcome)
    eventually(orphan.refuses_an_outcome)
    taken_over = [first(arena, program, "start", stopped_at) for program in lost]
    delays = [line.at - stopped_at for line in taken_over if line is not None]
    assert len(delays) == len(taken_over)
    assert max(delays) < TAKE_OVER
    zombies = [first(arena, program, "raised", stopped_at) for program in whole.programs[:2]]
    waking = [line.at - woken_at for line in zombies if line is not None]
    assert len(waking) == len(zombies)
    assert max(waking) < ABANDON
    eventually(lambda: {endings(program)[0] for program in lost} == {Ending.ABANDONED})
    for program in child.programs:
        assert endings(program) == [Ending.SUCCEEDED, Ending.SUCCEEDED], program
    assert state_of_alone is State.FINISHED  # a living child goes on, under another claim
    assert [attempt.epoch for attempt in alone.attempts.all()] == [1, 2]
    verdict.audited(arena.audit())
    verdict.says(
        f"{STOPPED:g} s, taken over after {max(delays):.1f} s",
        f"abandoned {max(waking):.2f} s after waking",
    )
    for each in (whole, child, orphan):  # healed, without a restart
        wait_for(create_program(["noop"], queue=f"{each.queue}-alone"), State.FINISHED)


@pytest.mark.long
@pytest.mark.fault("a job that holds the interpreter lock for 60 s")
@pytest.mark.invariant(3)
@pytest.mark.timeout(180)
def test_a_job_that_holds_the_interpreter_lock_is_not_taken_over(
    arena: Arena, verdict: Verdict
) -> None:
    seconds = 60
    worker = arena.worker("--threads", "2").started()
    neighbour = create_program(["behave"], arena.given("count_slowly", to=50, every=0.1))
    eventually(lambda: Program.objects.get(pk=neighbour.pk).job_data)  # it has begun to count
    given = arena.given("hold_interpreter_lock", seconds=seconds)
    holder = create_program(["behave", "behave_too"], given, BRIEF)
    begun(arena, [holder])
    arena.worker("--threads", "2").started()

    all_end(within=seconds + 30)

    counted = [
        change.at
        for change in witness.testimony()
        if change.run_id == neighbour.run_id and change.data_changed
    ]
    silence = max(later - earlier for earlier, later in pairwise(counted))
    assert silence > seconds - 1  # it was held indeed
    attempts = Attempt.objects.values_list("worker", "outcome")
    assert [outcome for _, outcome in attempts] == [Ending.SUCCEEDED] * 3
    assert all(slot.startswith(worker.name) for slot, _ in attempts)
    verdict.audited(arena.audit())
    verdict.says(f"held for {silence:.1f} s, {silence / LEASE:.1f} leases")


# Told to end -------------------------------------------------------------------------------------

IN_FLIGHT = 50
TIMEOUT = 10.0  # seconds that running jobs may take
EXIT_MARGIN = 3.0  # seconds for killing, reaping and giving back on a busy machine
AT_ONCE = 2.0  # seconds from the end of the timeout


@pytest.mark.long  # `make test` has a shutdown's timeout in tests/acceptance/test_worker.py
@pytest.mark.fault(f"SIGTERM with {IN_FLIGHT} programs in flight")
@pytest.mark.timeout(120)
def test_a_worker_told_to_end_hands_on_what_takes_too_long(arena: Arena, verdict: Verdict) -> None:
    slots = ("--threads", str(IN_FLIGHT // 2), "--processes", "2")
    worker = arena.worker(*slots, "--shutdown-timeout", str(TIMEOUT)).started()
    given = arena.given(["sleep", "succeed"], seconds=600)
    running = create_programs(
        [{"jobs": ["behave", "behave_too"], "program_data": given, "job_data": BRIEF}] * IN_FLIGHT
    )
    begun(arena, running)
    arena.worker(*slots).started()
    arena.shut_down.update(worker.children)

    told_at = lease_clock()
    overdue_at = told_at + TIMEOUT
    arena.deaths.update(dict.fromkeys(worker.children, overdue_at))
    assert worker.terminate(within=TIMEOUT + EXIT_MARGIN) == 0
    took = lease_clock() - told_at
    losses = Program.objects.filter(losses__gt=0).count()

    all_end(within=30)
    carried_on = [first(arena, program, "start", told_at) for program in running]
    delays = [line.at - overdue_at for line in carried_on if line is not None]
    findings = arena.audit()
    assert took >= TIMEOUT  # they ran until then
    assert losses == 0
    interrupted = Attempt.objects.exclude(outcome=Ending.SUCCEEDED).values_list(
        "outcome", flat=True
    )
    assert list(interrupted) == [Ending.INTERRUPTED] * IN_FLIGHT
    assert findings.reruns == IN_FLIGHT
    assert not findings.overlaps
    verdict.audited(findings)
    verdict.says(
        f"exit {took - TIMEOUT:.2f} s after the timeout of {TIMEOUT:g} s",
        f"carried on {statistics.median(delays):.2f} s after it at the median, "
        f"{max(delays):.2f} s at the longest",
    )
    assert max(delays) < AT_ONCE


# Wrong about the time ----------------------------------------------------------------------------

MINUTES = 10
SOON = 3.0  # seconds from now: `run_at` of programs, and the delay of retries
LATE = 2.0  # seconds: one look of the sweep, and a busy machine


@dataclass
class Misled:
    """A worker whose clock is `ahead` seconds off, with the programs that it runs."""

    worker: Worker
    ahead: float
    long: Program
    telling: Program
    later: Program
    retried: Program


def start_misled(arena: Arena, queue: str, ahead: float) -> Worker:
    options = ("--queue", queue, "--queue", "shared", "--threads", "4")
    return arena.worker(*options, CLOCK_OFF=str(ahead), LOG_FORMAT="json")


def given_programs(arena: Arena, queue: str, worker: Worker, ahead: float) -> Misled:
    """Give such a worker one program of each kind."""
    long = arena.given("sleep", seconds=LEASE * 1.25)
    retried = arena.given(["retry", "succeed"], retry_after=SOON)
    soon = datetime.now(UTC) + timedelta(seconds=SOON)
    return Misled(
        worker,
        ahead,
        create_program(["behave"], long, queue=queue),
        create_program(["behave"], arena.given("tell_time"), queue=queue),
        create_program(["behave"], arena.given("succeed"), queue=queue, run_at=soon),
        create_program(["behave"], retried, queue=queue),
    )


@pytest.mark.fault("workers whose clocks are 10 minutes ahead and 10 minutes behind")
@pytest.mark.invariant(3)
@pytest.mark.timeout(120)
def test_workers_that_are_wrong_about_the_time_take_nothing_over_and_start_nothing_early(
    arena: Arena, verdict: Verdict
) -> None:
    ahead = {"fast": MINUTES * 60.0, "slow": -MINUTES * 60.0}
    started = {queue: start_misled(arena, queue, ahead[queue]) for queue in ahead}
    workers = [
        given_programs(arena, queue, worker.started(), ahead[queue])
        for queue, worker in started.items()
    ]
    begun(arena, [each.long for each in workers])
    for each in workers:  # each sees what the other one holds
        Program.objects.filter(pk=each.long.pk).update(queue="shared")

    all_end(within=LEASE + 45)

    delays = []
    for each in workers:
        assert is_misled(arena, each)
        start = first(arena, each.later, "start", 0)
        first_try = first(arena, each.retried, "raised", 0)
        assert start is not None
        assert first_try is not None
        second_try = first(arena, each.retried, "start", first_try.at)
        assert second_try is not None
        to_wall = time.time() - lease_clock()
        assert each.later.run_at is not None
        delays += [
            start.at + to_wall - each.later.run_at.timestamp(),
            second_try.at - first_try.at - SOON,
        ]
    findings = arena.audit()
    verdict.audited(findings)
    verdict.says(f"started {min(delays):.2f} to {max(delays):.2f} s after their time")
    assert findings.reruns == 0
    assert not findings.overlaps
    assert min(delays) >= 0
    assert max(delays) < LATE


def is_misled(arena: Arena, each: Misled) -> bool:
    """Tell whether child and supervisor saw the wrong time of day, and the right lease clock."""
    told = Program.objects.get(pk=each.telling.pk).job_data["behave"]
    line = first(arena, each.telling, "start", 0)
    assert line is not None
    true = line.at + time.time() - lease_clock()
    to_monotonic = time.monotonic() - lease_clock()
    each.worker.terminate()
    (ending,) = (line for line in each.worker.output.splitlines() if '"draining"' in line)
    seen = datetime.fromisoformat(json.loads(ending)["time"]).timestamp()
    return (
        abs(told["time"] - true - each.ahead) < 1
        and abs(told["monotonic"] - line.at - to_monotonic) < 1
        and abs(seen - time.time() - each.ahead) < 5
    )

"""A database that restarts, or throws everybody out, again and again, under load."""

from __future__ import annotations

import math
import time
from collections import Counter

import pytest
from django.db import Error as DatabaseError
from django.db import connections

from programs.lease import lease_clock
from programs.models import Program
from programs.submission import create_programs
from tests.faults.arena import Arena, all_end, finished, scaled
from tests.faults.conftest import Verdict
from tests.servers import Postgres
from tests.site import SITE, Worker

JOBS = ["behave", "behave_too", "behave_again"]
PROGRAMS = int(scaled(60, 2000))
WORKERS = 3
SECONDS = scaled(6, 180)  # of faults
RESTARTS_EVERY = (1, 2) if SECONDS < 60 else (5, 20)  # seconds
KILLS_EVERY = scaled(3, 15)  # seconds
BATCHES_EVERY = 0.5  # seconds
TERMINATIONS = int(scaled(4, 60))
BACK_WITHIN = 10.0  # seconds after the last fault, until programs end at their old pace


def create(arena: Arena, many: int) -> None:
    """Create programs, however often the database fails meanwhile."""
    given = arena.given(seconds=0.05)
    deadline = lease_clock() + 60
    while True:
        try:
            create_programs([{"jobs": JOBS, "program_data": given}] * many)
            return
        except DatabaseError:  # rolled back as a whole, or lost with its answer
            connections[SITE].close()
            assert lease_clock() < deadline
            time.sleep(0.2)


def start_worker(arena: Arena) -> Worker:
    return arena.worker("--threads", "4")


class Pace:
    """How many programs end in a second, from now on."""

    def __init__(self) -> None:
        self.since, self.then = lease_clock(), finished()

    def now(self) -> float:
        return (finished() - self.then) / (lease_clock() - self.since)


def schedule(arena: Arena) -> list[tuple[float, str]]:
    """Return what happens when, in seconds from the start; the last is a restart."""
    events = [(every * BATCHES_EVERY, "create") for every in range(int(SECONDS / BATCHES_EVERY))]
    events += [(every * KILLS_EVERY, "kill") for every in range(1, int(SECONDS / KILLS_EVERY))]
    at = 0.0
    while (at := at + arena.random.uniform(*RESTARTS_EVERY)) < SECONDS:
        events.append((at, arena.random.choice(["fast", "immediate"])))
    return sorted([*events, (SECONDS, "immediate")])


@pytest.mark.fault("database restarted every 5 to 20 s, workers killed every 15 s")
@pytest.mark.invariant(4)
@pytest.mark.timeout(600)
def test_nothing_is_lost_while_the_database_restarts_and_workers_are_killed(
    arena: Arena, verdict: Verdict, postgres: Postgres
) -> None:
    workers = [start_worker(arena).started() for _ in range(WORKERS)]
    before = Pace()
    create(arena, PROGRAMS // 10)
    all_end(within=60)
    usual = before.now()

    events = schedule(arena)
    counts = Counter(what for _, what in events)
    batch = (PROGRAMS - PROGRAMS // 10 - PROGRAMS // 4) // counts["create"] + 1
    began = lease_clock()
    for at, what in events:
        time.sleep(max(0.0, began + at - lease_clock()))  # the pace of the faults
        if what == "create":
            create(arena, batch)
        elif what == "kill":
            victim = arena.random.randrange(WORKERS)
            arena.kill(workers[victim])
            workers[victim] = start_worker(arena)
        else:
            postgres.restart("fast" if what == "fast" else "immediate")
            connections[SITE].close()
    last_fault = lease_clock()
    create(arena, PROGRAMS // 4)

    back_after = time_until_back(arena, usual, last_fault)
    all_end(within=180)

    assert finished() == Program.objects.count() >= PROGRAMS
    findings = arena.audit()
    verdict.audited(findings)
    assert not findings.overlaps
    verdict.says(
        f"{counts['fast'] + counts['immediate']} restarts, {counts['kill']} kills",
        f"{usual:.0f} programs/s before, back after {back_after:.1f} s",
    )
    assert back_after < BACK_WITHIN


def time_until_back(arena: Arena, usual: float, since: float) -> float:
    """Return how long after `since` a second came in which half as many ended as usual.

    Each second there is as much to do as usually ends in one: a pace that nothing is left
    for, or only what waits for the leases of the killed, says nothing of the workers.
    """
    while lease_clock() - since < 60:
        create(arena, math.ceil(usual))
        pace = Pace()
        time.sleep(1.0)  # what is measured
        if pace.now() >= usual / 2:
            return pace.since - since
    raise AssertionError(f"never again {usual / 2:.0f} programs/s")


@pytest.mark.fault("every database connection terminated once a second")
@pytest.mark.timeout(300)
def test_workers_live_on_while_all_connections_are_terminated_again_and_again(
    arena: Arena, verdict: Verdict, postgres: Postgres
) -> None:
    workers = [start_worker(arena).started() for _ in range(2)]
    children = [worker.children for worker in workers]

    terminated = []
    for _ in range(TERMINATIONS):
        create(arena, 20)
        terminated.append(terminate_all())
        time.sleep(1.0)  # the pace of the faults

    all_end(within=60)
    assert [worker.process.poll() for worker in workers] == [None, None]
    assert [worker.children for worker in workers] == children
    assert min(terminated) > 0
    findings = arena.audit()
    verdict.audited(findings)
    assert not findings.overlaps
    verdict.says(f"{sum(terminated)} connections terminated")


def terminate_all() -> int:
    """Terminate all connections to this database but the one that asks; return how many."""
    with connections[SITE].cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])

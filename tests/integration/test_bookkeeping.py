"""The keeper, the sweep, the crew and the ear of a child, each beside what disturbs it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest
from django.db import OperationalError, connections

from programs import execution, operations, signals
from programs.conf import settings as executor_settings
from programs.lease import Lease
from programs.models import Program, State
from programs.models.persistence import persist
from programs.models.transitions import Standing
from programs.submission import create_program, create_programs
from programs.worker.child import listen
from programs.worker.keeper import Keeper
from programs.worker.slots import Crew
from programs.worker.sweep import Sweep
from tests.running import (
    carry,
    claim,
    claimed,
    crew,
    fresh,
    listening,
    make_due,
    on_server,
    on_sqlite,
)
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("bookkeeping")


# The keeper --------------------------------------------------------------------------------


def keeper(slots: list[str], name: str = "tests") -> Keeper:
    return Keeper(name, ("default",), lambda: slots, lambda notice: None)


def lease_is_renewed(program: Program, within: float) -> bool:
    before = fresh(program).due_at
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if fresh(program).due_at != before:
            return True
        time.sleep(0.05)
    return False


@contextlib.contextmanager
def kept(own: Keeper):
    own.start()
    try:
        yield
    finally:
        own.end(10.0)


@on_server
def test_a_locked_row_of_a_dead_child_costs_no_living_neighbour_its_lease(settings) -> None:
    """A dead child's backend holds the row as long as its statement runs."""
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "LEASE": 3.0}
    lost, living = claimed("noop", slot="tests/1.1"), claimed("noop", slot="tests/2.1", lease=3.0)
    backend = connections[executor_settings.DATABASE].copy("backend")
    backend.set_autocommit(False)
    with backend.cursor() as cursor:
        cursor.execute("SELECT 1 FROM programs WHERE id = %s FOR UPDATE", [lost.pk])
    own = keeper(["tests/2.1"])
    own.release(["tests/1.1"], counted=True)
    try:
        with kept(own):
            renewed = lease_is_renewed(living, within=5.0)
            backend.rollback()
    finally:
        backend.close()
    assert renewed


@on_server
def test_a_slow_listener_in_the_supervisor_costs_nobody_a_lease(settings) -> None:
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "LEASE": 3.0, "LOSS_LIMIT": 1}
    claimed("noop", slot="tests/1.1")
    living = claimed("noop", slot="tests/2.1", lease=3.0)
    mailed = threading.Event()

    def mail(**sent: object) -> None:
        mailed.wait(6.0)  # a mail server that does not answer

    own = keeper(["tests/2.1"])
    own.release(["tests/1.1"], counted=True)
    with listening(signals.program_errored, mail), kept(own):
        renewed = lease_is_renewed(living, within=5.0)
        mailed.set()
    assert renewed


@on_server
def test_a_worker_that_cannot_be_listed_renews_its_leases_all_the_same() -> None:
    """The row informs people; no claim depends on it."""
    living = claimed("noop", slot="tests/2.1")
    with kept(keeper(["tests/2.1"], name="x" * 200)):
        assert lease_is_renewed(living, within=3.0)


@on_server
def test_a_listener_that_calls_sys_exit_ends_no_keeper() -> None:
    def leave(**sent: object) -> None:
        raise SystemExit(1)

    lost = claimed("noop", slot="tests/1.1")
    operations.stop_program(lost)
    own = keeper([])
    own.release(["tests/1.1"], counted=True)
    with listening(signals.program_stopped, leave), kept(own):
        deadline = time.monotonic() + 5.0
        while fresh(lost).state is not State.STOPPED and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.2)
        assert own.is_alive()


# The sweep against a row that a job's own transaction has locked ---------------------------


@on_server
def test_a_row_locked_by_its_jobs_transaction_holds_up_no_slot_that_looks_for_work() -> None:
    program = claimed("noop", slot="tests/2.1")
    make_due(program)  # the renewal passes over a locked row: the lease has run out
    backend = connections[executor_settings.DATABASE].copy("backend")
    backend.set_autocommit(False)
    with backend.cursor() as cursor:
        cursor.execute("UPDATE programs SET job_data = '{}' WHERE id = %s", [program.pk])
    fine = create_program(["noop"])
    found: list[Program | None] = []

    def look() -> None:
        found.append(
            Sweep("sweeper", ["default"], adaptive=True).claim("tests/1.1", 60.0, at_most=10)
        )
        connections.close_all()

    looking = threading.Thread(target=look)
    looking.start()
    looking.join(2.0)
    blocked = looking.is_alive()
    backend.rollback()
    backend.close()
    looking.join(5.0)
    assert not blocked
    assert found == [fine]


@on_server
def test_rows_locked_by_their_jobs_hide_no_other_program_from_the_sweep() -> None:
    """As many long transactions as the sweep fetches rows: it sees nothing else."""
    locked = [claimed("noop", slot=f"tests/2.{number}") for number in (1, 2)]
    for program in locked:
        make_due(program)
    backend = connections[executor_settings.DATABASE].copy("backend")
    backend.set_autocommit(False)
    with backend.cursor() as cursor:
        cursor.execute("SELECT 1 FROM programs FOR UPDATE")
    fine = create_program(["noop"])
    sweep = Sweep("sweeper", ["default"], adaptive=True)
    found = None
    try:
        for _ in range(5):
            sweep.hurry()
            found = found or sweep.claim("tests/1.1", 60.0, at_most=2)
    finally:
        backend.rollback()
        backend.close()
    assert found == fine


def test_a_suspect_found_twice_hides_nothing() -> None:
    create_programs([{"jobs": ["noop"]}] * 3)
    Program.objects.update(losses=1)
    fine = create_program(["noop"])
    sweep = Sweep("sweeper", ["default"], adaptive=True)
    assert sweep.claim("tests/1.1", 60.0, at_most=2) is not None
    found = None
    for _ in range(3):
        sweep.hurry()
        found = found or sweep.claim("tests/1.2", 60.0, at_most=2)
    assert found == fine


# Bursts and bounded workers ----------------------------------------------------------------


def test_a_burst_does_not_end_while_another_slot_is_about_to_run_what_it_found(monkeypatch) -> None:
    first = create_program(["noop"])
    own = crew(threads=2, burst=True)
    one, two = own._slots
    queryset = type(Program.objects.all())
    claim_now = queryset.claim

    def claim_slowly(self, slot, lease):
        program = claim_now(self, slot, lease)
        two._work()  # meanwhile the other slot looks and finds nothing
        return program

    monkeypatch.setattr(queryset, "claim", claim_slowly)
    one._work()
    assert fresh(first).state is State.FINISHED
    assert not own.closing.is_set()


def test_a_worker_of_one_program_claims_one() -> None:
    own = crew(threads=3, max_programs=1)
    assert [own.begin() for _ in range(3)] == [True, False, False]
    own.end("tests/1.1", claimed=False)  # it found nothing: another may look
    assert own.begin()
    assert not own.closing.is_set()
    own.end("tests/1.2", claimed=True)
    assert own.closing.is_set()


# The child's ear ---------------------------------------------------------------------------


def test_a_child_that_cannot_hear_its_supervisor_any_more_ends() -> None:
    """Its supervisor's end would not be noticed: it would go on without renewals."""
    orders, ours = os.pipe()
    os.write(ours, b"garbage\n")
    os.close(ours)
    pid = os.fork()
    if not pid:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
        try:
            listen(orders, crew())
        except BaseException:  # noqa: BLE001 (in the fork: nothing may reach pytest)
            os._exit(42)  # the thread dies, the process lives on
    os.close(orders)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


# Settings of projects ----------------------------------------------------------------------


def test_a_project_without_time_zones_can_create_a_delayed_program(settings) -> None:
    settings.USE_TZ = False
    settings.TIME_ZONE = "Asia/Tokyo"
    connections[executor_settings.DATABASE].close()
    for attribute in ("timezone", "timezone_name"):
        vars(connections[executor_settings.DATABASE]).pop(attribute, None)
    try:
        program = create_program(["noop"], run_at=datetime.now(UTC) + timedelta(hours=1))
        assert fresh(program).state is State.SCHEDULED
        assert claim(program) is None
        retried = claimed("behave", job_data={"behave": {"how": "retry", "retry_after": 60}})
        carry(retried)
        assert fresh(retried).state is State.SCHEDULED
    finally:
        for attribute in ("timezone", "timezone_name"):
            vars(connections[executor_settings.DATABASE]).pop(attribute, None)


@on_sqlite
@pytest.mark.parametrize("hinted", [True, False])
def test_an_idle_slot_looks_into_the_database_no_more_often_than_it_shall(
    hinted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("programs.worker.sweep.SLOWEST", 0.2)  # for a second
    own = crew(hinted=hinted)
    looks: list[float] = []
    look = own.sweep._look

    def counted(at_most: int, paused: frozenset[str]) -> None:
        looks.append(time.monotonic())
        look(at_most, paused)

    own.sweep._look = counted  # type: ignore[method-assign]
    for _ in range(16):
        assert own._slots[0]._next(Lease(60.0)) is None
    settled = looks[5:]  # the first come close together, where there is no broker
    assert min(later - earlier for earlier, later in pairwise(settled)) > 0.15


def left_by_a_dead_worker(many: int) -> list[Program]:
    programs = [claimed("noop", slot=f"dead/{many}.{number}") for number in range(many)]
    for program in programs:
        make_due(program)
    return programs


def finished(program: Program) -> bool:
    return fresh(program).state is State.FINISHED


def work_until_closed(own: Crew) -> None:
    for _ in range(200):
        if own.closing.is_set():
            return
        own._slots[0]._work()
    pytest.fail("the burst does not end")


def test_a_burst_runs_all_that_dead_workers_left_behind() -> None:
    left_by_a_dead_worker(3)
    own = crew(burst=True)
    work_until_closed(own)
    assert Program.objects.in_state(State.FINISHED).count() == 3


def test_a_burst_does_not_end_while_a_slot_in_trouble_holds_a_program(monkeypatch) -> None:
    program = create_program(["noop"])
    own = crew(threads=2, burst=True)
    one, two = own._slots

    def gone(*_: object) -> Standing:
        raise OperationalError("gone")

    monkeypatch.setattr(execution, "carry", gone)
    with pytest.raises(OperationalError):
        one._work()
    for _ in range(5):
        two._work()
    assert not own.closing.is_set()
    monkeypatch.undo()

    one._release_leftovers()
    own.rest(one.name)
    work_until_closed(own)

    assert fresh(program).state is State.FINISHED


@on_server
@pytest.mark.parametrize("left", [False, True], ids=["that waits", "left behind"])
def test_a_locked_row_holds_up_no_other_slot(left: bool) -> None:
    locked = left_by_a_dead_worker(1)[0] if left else create_program(["noop"])
    backend = connections[executor_settings.DATABASE].copy("backend")
    backend.set_autocommit(False)
    with backend.cursor() as cursor:
        cursor.execute("SELECT 1 FROM programs WHERE id = %s FOR UPDATE", [locked.pk])
    others = left_by_a_dead_worker(2) if left else [create_program(["noop"]) for _ in range(2)]
    own = crew(threads=2)
    own.start()
    try:
        for other in others:
            eventually(partial(finished, other))
    finally:
        backend.rollback()
        backend.close()
        own.drain()
        eventually(lambda: own.is_done(0.1))


@on_server
def test_a_locked_row_of_the_worker_itself_costs_no_lease(monkeypatch) -> None:
    monkeypatch.setattr("programs.models.persistence.STATEMENT_LIMIT", 200)
    living = claimed("noop", slot="tests/2.1")
    own = keeper(["tests/2.1"])
    own._renew()  # registers the worker
    backend = connections[executor_settings.DATABASE].copy("backend")
    backend.set_autocommit(False)
    with backend.cursor() as cursor:
        cursor.execute("SELECT 1 FROM programs_worker FOR UPDATE")
    try:
        with kept(own):
            for _ in range(2):
                assert lease_is_renewed(living, within=4.0)
    finally:
        backend.rollback()
        backend.close()


@on_sqlite
def test_what_migrate_did_not_make_is_not_waited_for() -> None:
    tries = []

    def write() -> None:
        tries.append(1)
        raise OperationalError("no such table: programs")

    with pytest.raises(OperationalError, match="no such table"):
        persist(write, executor_settings.DATABASE)
    assert len(tries) == 1

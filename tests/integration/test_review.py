"""Proofs of the review: each of these fails until what it is about is mended."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connections, transaction

from programs import execution, operations, registry, signals
from programs.conf import settings as executor_settings
from programs.errors import StopRequested
from programs.job import Job
from programs.lease import Lease
from programs.models import Ending, Program, State
from programs.models.columns import new_run_id
from programs.models.transitions import Standing
from programs.submission import create_program, create_programs
from programs.worker.child import listen
from programs.worker.control import Plan
from programs.worker.keeper import Keeper
from programs.worker.slots import Crew
from programs.worker.sweep import Sweep
from tests.running import carry, claim, claimed, fresh, make_due, run

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "postgresql"]),
    pytest.mark.usefixtures("bookkeeping"),
]

on_postgresql = pytest.mark.parametrize("bookkeeping", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("bookkeeping", ["default"], indirect=True)


@pytest.fixture
def job():
    """Register job classes for one test."""
    names: list[str] = []

    def make(name: str, execute, **attributes: object) -> str:
        body = {"name": name, "execute": execute, "__module__": __name__, **attributes}
        registry._jobs.pop(name, None)
        registry.register(type(name.title(), (Job,), body))
        names.append(name)
        return name

    yield make
    for name in names:
        registry._jobs.pop(name, None)


@contextlib.contextmanager
def listening(signal, listener):
    signal.connect(listener, weak=False)
    try:
        yield
    finally:
        signal.disconnect(listener)


def crew(threads: int = 1, **given: object) -> Crew:
    return Crew(Plan("tests/1", ("default",), threads, **given), hinted=False)


# Programs that are stuck for ever -----------------------------------------------------------


def test_errored_at_by_hand_on_a_program_of_a_dead_worker_lets_go_of_it() -> None:
    program = claimed("noop", slot="dead/1.1")
    Program.objects.filter(pk=program.pk).update(errored_at=datetime.now(UTC))
    make_due(program)  # nobody renews

    Sweep(["default"], adaptive=True).claim("tests/1.1", 60.0, at_most=10)

    after = fresh(program)
    assert (after.worker, after.due_at) == (None, None)
    assert operations.retry_program(after).state is State.WAITING


def test_errored_at_by_hand_on_programs_of_a_dead_worker_starves_nobody_else() -> None:
    for number in range(2):
        dead = claimed("noop", slot=f"dead/1.{number}")
        Program.objects.filter(pk=dead.pk).update(errored_at=datetime.now(UTC))
        make_due(dead)
    create_program(["noop"])
    sweep = Sweep(["default"], adaptive=True)
    for _ in range(5):
        sweep.hurry()
        if sweep.claim("tests/1.1", 60.0, at_most=2) is not None:
            return
    pytest.fail("two rows that nobody can claim keep the sweep from all the others")


def test_a_claim_of_a_suspect_that_the_database_refuses_keeps_no_suspect_from_running(
    monkeypatch,
) -> None:
    create_program(["noop"])
    Program.objects.update(losses=1)
    sweep = Sweep(["default"], adaptive=True)
    queryset = type(Program.objects.all())
    working = queryset.claim

    def broken(self, slot, lease):
        raise OperationalError("terminating connection due to administrator command")

    monkeypatch.setattr(queryset, "claim", broken)
    with pytest.raises(OperationalError):
        sweep.claim("tests/1.1", 60.0, at_most=10)
    monkeypatch.setattr(queryset, "claim", working)

    sweep.hurry()
    assert sweep.claim("tests/1.2", 60.0, at_most=10) is not None


def test_a_suspect_that_runs_long_does_not_keep_a_lost_program_from_being_stopped() -> None:
    create_program(["noop"])
    Program.objects.update(losses=1)
    sweep = Sweep(["default"], adaptive=True)
    assert sweep.claim("tests/1.1", 60.0, at_most=10) is not None  # it runs for hours
    lost = claimed("noop", slot="dead/1.1")
    operations.stop_program(lost)
    make_due(lost)

    sweep.hurry()
    sweep.claim("tests/1.2", 60.0, at_most=10)

    assert fresh(lost).state is State.STOPPED


def test_a_row_of_the_originals_that_was_paused_and_resumed_is_run() -> None:
    program = Program.objects.create(jobs=["noop"], queue=None)
    operations.pause_program(program)
    operations.resume_program(program)

    Program.objects.filter(pk=program.pk).adopt("default")  # a hint arrives

    assert claim(program) is not None


@pytest.mark.parametrize("breaking", ["transient", "fatal"])
def test_a_slot_that_ends_in_trouble_leaves_no_claim_behind(monkeypatch, breaking: str) -> None:
    """The child then says "done", and the supervisor releases nothing."""
    program = create_program(["noop"])
    own = crew()

    def carry(*_: object) -> Standing:
        own.drain()  # SIGTERM comes while the database is in trouble
        raise OperationalError("gone") if breaking == "transient" else RuntimeError("ours")

    monkeypatch.setattr(execution, "carry", carry)

    own._slots[0].run()

    assert fresh(program).worker is None


@pytest.mark.parametrize("when", ["program_started", "job_started", "job_finished"])
def test_a_listener_that_calls_sys_exit_ends_no_slot_and_strands_no_program(when: str) -> None:
    program = create_program(["noop"])
    own = crew(burst=True)

    def leave(**sent: object) -> None:
        raise SystemExit(1)

    with listening(getattr(signals, when), leave), contextlib.suppress(SystemExit):
        own._slots[0].run()

    assert fresh(program).worker is None


def test_a_row_that_a_stale_sweep_reads_finished_by_hand_is_not_run_again() -> None:
    program = create_program(["noop"])
    Program.objects.filter(pk=program.pk).update(finished_at=datetime.now(UTC))
    assert claim(program) is None


# Rows that come back for ever ---------------------------------------------------------------


def turns(program: Program, at_most: int = 4) -> int:
    """Run the program as slots would until it has ended; return how many turns that took."""
    own = crew()
    for turn in range(1, at_most + 1):
        own.sweep.hurry()
        slot = own._slots[0]
        try:
            slot._work()
        except Exception as error:
            slot._pause = 0.01
            slot._recover(error)
        if not Program.objects.open().filter(pk=program.pk).exists():
            return turn
    raise AssertionError(f"still {fresh(program).state} after {at_most} turns")


@on_postgresql
@pytest.mark.parametrize("jobs", [["x" * 300], [{"name": "x" * 300}], [7], None, "noop", {}, []])
def test_a_row_with_odd_jobs_from_somebody_else_ends_errored(jobs: object, settings) -> None:
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "UNKNOWN_JOBS": "skip"}
    program = create_program(["noop"])
    Program.objects.filter(pk=program.pk).update(jobs=jobs)
    turns(program)


@pytest.mark.parametrize("field", ["job_data", "program_data"])
@pytest.mark.parametrize("value", [None, [], "text", 7, {"count": 7}, {"count": None}])
def test_a_row_with_odd_data_ends(field: str, value: object) -> None:
    program = create_program(["count"])
    Program.objects.filter(pk=program.pk).update(**{field: value})
    turns(program)


def test_an_exception_that_cannot_be_described_ends_the_program(job) -> None:
    class Evil(Exception):
        @property
        def __notes__(self) -> list[str]:
            raise ValueError("no notes")

    def execute(self, message, job_data) -> None:
        raise Evil("evil")

    turns(create_program([job("evil", execute)]))


def test_an_exception_with_a_text_that_is_no_text_ends_the_program(job) -> None:
    def execute(self, message, job_data) -> None:
        raise SyntaxError("bad", ("file.py", 1, 1, b"bytes"))

    turns(create_program([job("evil", execute)]))


@pytest.mark.parametrize(
    "attributes",
    [
        {"retry_delay": timedelta(seconds=1)},
        {"retry_delay": None},
        {"max_retries": "3"},
        {"retry_backoff": "2"},
    ],
    ids=str,
)
def test_a_job_with_odd_attributes_ends_errored_and_runs_once(job, attributes) -> None:
    ran = []

    def execute(self, message, job_data) -> None:
        ran.append(message.attempt)
        error = ValueError("not yet")
        error.retryable = True
        raise error

    turns(create_program([job("odd", execute, **attributes)]))
    assert ran == [1]


@on_postgresql
@pytest.mark.parametrize(
    "statement",
    [
        "SET search_path TO pg_catalog",
        "SET default_transaction_read_only = on",
        "SET statement_timeout = 1",
        "SET TIME ZONE 'Asia/Tokyo'",
        "SET ROLE pg_monitor",
        "SET lock_timeout = 1",
    ],
)
def test_what_a_job_sets_for_its_session_harms_no_bookkeeping(job, statement: str) -> None:
    ran = []

    def execute(self, message, job_data) -> None:
        ran.append(message.attempt)
        with connections["postgresql"].cursor() as cursor:
            cursor.execute(statement)

    program = create_program([job("settles", execute), "noop"])
    turns(program)
    assert fresh(program).state is State.FINISHED
    assert ran == [1]


# Job data -----------------------------------------------------------------------------------


def test_job_data_that_was_rolled_back_does_not_come_back_with_the_next_step(job) -> None:
    def execute(self, message, job_data) -> None:
        with contextlib.suppress(RuntimeError), transaction.atomic(executor_settings.DATABASE):
            job_data.merge({"imported": True})
            raise RuntimeError("undo")

    program = run(job("rolls_back", execute), "count")

    assert program.job_data == {"count": {"n": 1}}


def test_a_job_told_to_end_because_its_lease_ran_out_does_not_end_the_program_errored(job) -> None:
    lease = Lease(60.0)

    def execute(self, message, job_data) -> None:
        lease._deadline = 0.0  # the database was away for longer than the lease
        if job_data.stop_requested:
            raise StopRequested

    program = claimed(job("polite", execute))

    execution.carry(program, lease, lambda: False)

    assert fresh(program).state is State.WAITING


def test_a_job_that_hands_back_a_coroutine_is_not_called_a_success(job) -> None:
    ran = []

    async def work() -> None:
        ran.append(1)

    def execute(self, message, job_data):
        return work()  # what a decorator around `async def execute` does

    program = run(job("wrapped", execute))
    assert ran == [1] or program.state is State.ERRORED


@on_sqlite
def test_a_second_claim_within_the_same_millisecond_is_no_first_claim() -> None:
    for _ in range(100):
        program = claimed("behave", job_data={"behave": {"how": ["ask_again", "succeed"]}})
        Program.objects.filter(pk=program.pk).update(job_data={"behave": {"how": "succeed"}})
        program.give_back()
        again = claim(program)
        assert again is not None
        if again.started_at == again.step_started_at:
            pytest.fail("taken for the first claim: attempts are numbered from 1 again")


# Idempotency --------------------------------------------------------------------------------


def test_a_key_given_to_create_programs_is_known_to_create_program() -> None:
    (first,) = create_programs([{"jobs": ["noop"], "idempotency_key": "k"}])
    assert create_program(["noop"], idempotency_key="k") == first


# Connections and transactions ---------------------------------------------------------------


@on_sqlite
def test_a_lost_connection_to_another_database_is_replaced_for_the_next_job(job) -> None:
    def execute(self, message, job_data) -> None:
        with connections["postgresql"].cursor() as cursor:
            cursor.execute("SELECT 1")

    name = job("queries", execute)
    own = crew()

    def run_one() -> State:
        program = create_program([name])
        own.sweep.hurry()
        own._slots[0]._work()
        return fresh(program).state

    assert run_one() is State.FINISHED
    pid = connections["postgresql"].connection.info.backend_pid
    other = connections["postgresql"].copy("other")
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    other.close()

    states = [run_one() for _ in range(3)]  # the first may fail: nobody could know

    connections["postgresql"].close()
    assert states[1:] == [State.FINISHED] * 2


@pytest.mark.parametrize("when", ["program_started", "job_started", "job_finished"])
def test_a_transaction_that_a_listener_leaves_open_swallows_no_outcome(when: str) -> None:
    alias = executor_settings.DATABASE
    left = []

    def leave_open(**sent: object) -> None:
        if not left:
            left.append(transaction.atomic(using=alias))
            left[0].__enter__()

    program = claimed("noop", "noop")
    with listening(getattr(signals, when), leave_open):
        carry(program)
    still_open = connections[alias].in_atomic_block
    if still_open:
        left[0].__exit__(RuntimeError, RuntimeError(), None)  # what happens when the slot ends

    assert not still_open
    assert fresh(program).state is State.FINISHED


# The keeper ---------------------------------------------------------------------------------


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
        own._deaths.clear()
        own.end(10.0)


@on_postgresql
def test_a_locked_row_of_a_dead_child_costs_no_living_neighbour_its_lease(settings) -> None:
    """A dead child's backend holds the row as long as its statement runs."""
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "LEASE": 3.0}
    lost, living = claimed("noop", slot="tests/1.1"), claimed("noop", slot="tests/2.1", lease=3.0)
    backend = connections["postgresql"].copy("backend")
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


@on_postgresql
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


@on_postgresql
def test_a_worker_that_cannot_be_listed_renews_its_leases_all_the_same() -> None:
    """The row informs people; no claim depends on it."""
    living = claimed("noop", slot="tests/2.1")
    with kept(keeper(["tests/2.1"], name="x" * 200)):
        assert lease_is_renewed(living, within=3.0)


@on_postgresql
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


# The sweep against a row that a job's own transaction has locked ------------------------------


@on_postgresql
def test_a_row_locked_by_its_jobs_transaction_holds_up_no_slot_that_looks_for_work() -> None:
    program = claimed("noop", slot="tests/2.1")
    make_due(program)  # the renewal passes over a locked row: the lease has run out
    backend = connections["postgresql"].copy("backend")
    backend.set_autocommit(False)
    with backend.cursor() as cursor:
        cursor.execute("UPDATE programs SET job_data = '{}' WHERE id = %s", [program.pk])
    fine = create_program(["noop"])
    found: list[Program | None] = []

    def look() -> None:
        found.append(Sweep(["default"], adaptive=True).claim("tests/1.1", 60.0, at_most=10))
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


# Bursts and bounded workers -------------------------------------------------------------------


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
    create_programs([{"jobs": ["noop"]}] * 3)
    own = crew(threads=3, max_programs=1)
    claims = [slot._next(Lease(60.0)) for slot in own._slots]  # all before the first is counted
    assert len([program for program in claims if program]) == 1


# The child's ear ------------------------------------------------------------------------------


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
        except BaseException:
            os._exit(42)  # the thread dies, the process lives on
    os.close(orders)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


# Settings of projects -------------------------------------------------------------------------


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

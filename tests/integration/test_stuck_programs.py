"""No program is stuck for ever, and none comes back for ever."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connections
from django.db.models import JSONField, Value

from programs import execution, operations, signals
from programs.conf import settings as executor_settings
from programs.errors import RetryableError
from programs.models import Program, State
from programs.models.transitions import Standing
from programs.submission import create_program
from programs.worker.sweep import Sweep
from tests.running import claim, claimed, crew, fresh, listening, make_due, on_postgresql, on_server
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("bookkeeping")


# Programs that are stuck for ever ----------------------------------------------------------


def test_errored_at_by_hand_on_a_program_of_a_dead_worker_lets_go_of_it() -> None:
    program = claimed("noop", slot="dead/1.1")
    Program.objects.filter(pk=program.pk).update(errored_at=datetime.now(UTC))
    make_due(program)  # nobody renews

    Sweep("sweeper", ["default"], adaptive=True).claim("tests/1.1", 60.0, at_most=10)

    after = fresh(program)
    assert (after.worker, after.due_at) == (None, None)
    assert operations.retry_program(after).state is State.WAITING


def test_errored_at_by_hand_on_programs_of_a_dead_worker_starves_nobody_else() -> None:
    for number in range(2):
        dead = claimed("noop", slot=f"dead/1.{number}")
        Program.objects.filter(pk=dead.pk).update(errored_at=datetime.now(UTC))
        make_due(dead)
    create_program(["noop"])
    sweep = Sweep("sweeper", ["default"], adaptive=True)
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
    sweep = Sweep("sweeper", ["default"], adaptive=True)
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
    sweep = Sweep("sweeper", ["default"], adaptive=True)
    assert sweep.claim("tests/1.1", 60.0, at_most=10) is not None  # it runs for hours
    lost = claimed("noop", slot="dead/1.1")
    operations.stop_program(lost)
    make_due(lost)

    def swept() -> bool:
        sweep.hurry()
        sweep.claim("tests/1.2", 60.0, at_most=10)
        return fresh(lost).state is State.STOPPED

    eventually(swept)  # expired claims are looked for once a second


def test_a_row_of_the_originals_that_was_paused_and_resumed_is_run() -> None:
    program = Program.objects.create(jobs=["noop"], queue=None)
    operations.pause_program(program)
    operations.resume_program(program)

    Program.objects.adopt(program.run_id, "default")  # a hint arrives

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


# Rows that come back for ever --------------------------------------------------------------


def turns(program: Program, at_most: int = 4) -> int:
    """Run the program as slots would until it has ended; return how many turns that took."""
    own = crew()
    for turn in range(1, at_most + 1):
        own.sweep.hurry()
        slot = own._slots[0]
        try:
            slot._work()
        except Exception as error:  # noqa: BLE001 (as Slot.run does)
            slot._pause = 0.01
            slot._recover(error)
        if not Program.objects.open().filter(pk=program.pk).exists():
            return turn
    raise AssertionError(f"still {fresh(program).state} after {at_most} turns")


@on_server
@pytest.mark.parametrize("jobs", [["x" * 300], [{"name": "x" * 300}], [7], None, "noop", {}, []])
def test_a_row_with_odd_jobs_from_somebody_else_ends_errored(jobs: object, settings) -> None:
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "UNKNOWN_JOBS": "skip"}
    program = create_program(["noop"])
    Program.objects.filter(pk=program.pk).update(jobs=Value(jobs, JSONField()))
    turns(program)


@pytest.mark.parametrize("field", ["job_data", "program_data"])
@pytest.mark.parametrize("value", [None, [], "text", 7, {"count": 7}, {"count": None}])
def test_a_row_with_odd_data_ends(field: str, value: object) -> None:
    program = create_program(["count"])
    Program.objects.filter(pk=program.pk).update(**{field: Value(value, JSONField())})
    turns(program)


def test_an_exception_that_cannot_be_described_ends_the_program(job) -> None:
    class Evil(Exception):
        @property
        def __notes__(self) -> list[str]:  # type: ignore[override]
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
        raise RetryableError.decorate(error)

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
        with connections[executor_settings.DATABASE].cursor() as cursor:
            cursor.execute(statement)

    program = create_program([job("settles", execute), "noop"])
    try:
        turns(program)
        assert fresh(program).state is State.FINISHED
        assert ran == [1]
    finally:
        connections[executor_settings.DATABASE].close()

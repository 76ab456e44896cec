"""What jobs and listeners do to data, keys, connections and transactions."""

from __future__ import annotations

import contextlib

import pytest
from django.db import connections, transaction

from programs import execution, signals
from programs.conf import settings as executor_settings
from programs.errors import ExecutionTimeExceeded, StopRequested
from programs.lease import Lease
from programs.models import State
from programs.submission import create_program, create_programs
from tests.running import (
    carry,
    claim,
    claimed,
    crew,
    fresh,
    listening,
    on_server,
    on_sqlite,
    run,
)

pytestmark = pytest.mark.usefixtures("bookkeeping")


# Job data ----------------------------------------------------------------------------------


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

    made = []

    def execute(self, message, job_data):
        made.append(work())
        return made[0]  # what a decorator around `async def execute` does

    program = run(job("wrapped", execute))
    made[0].close()
    assert ran == [1] or program.state is State.ERRORED


@on_sqlite
def test_a_second_claim_within_the_same_millisecond_is_no_first_claim(job) -> None:
    def execute(self, message, job_data) -> None:
        if message.attempt == 1:
            raise ExecutionTimeExceeded

    name = job("gives_way_once", execute)
    for _ in range(100):
        program = claimed(name)
        carry(program)
        again = claim(program)
        assert again is not None
        carry(again)
        assert list(again.attempts.values_list("number", flat=True)) == [1, 2]


# Idempotency -------------------------------------------------------------------------------


def test_a_key_given_to_create_programs_is_known_to_create_program() -> None:
    (first,) = create_programs([{"jobs": ["noop"], "idempotency_key": "k"}])
    assert create_program(["noop"], idempotency_key="k") == first


# Connections and transactions --------------------------------------------------------------


@on_sqlite  # the server is another database there
def test_a_lost_connection_to_another_database_is_replaced_for_the_next_job(job) -> None:
    def execute(self, message, job_data) -> None:
        with connections["server"].cursor() as cursor:
            cursor.execute("SELECT 1")

    name = job("queries", execute)
    own = crew()

    def run_one() -> State:
        program = create_program([name])
        own.sweep.hurry()
        own._slots[0]._work()
        return fresh(program).state

    assert run_one() is State.FINISHED
    pid = connections["server"].connection.info.backend_pid
    other = connections["server"].copy("other")
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    other.close()

    states = [run_one() for _ in range(3)]  # the first may fail: nobody could know

    connections["server"].close()
    assert states[1:] == [State.FINISHED] * 2


@on_server  # SQLite in memory goes with its connection
@pytest.mark.parametrize("when", ["program_started", "job_started", "job_finished"])
def test_a_transaction_that_a_listener_leaves_open_swallows_no_outcome(when: str) -> None:
    alias = executor_settings.DATABASE
    left: list[transaction.Atomic] = []

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

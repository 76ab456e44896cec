"""The data that a job keeps, and the odd endings that a job may find."""

from __future__ import annotations

import pytest

from programs import execution
from programs.errors import InvalidData, LeaseLost, StopRequested
from programs.job import JobData
from programs.lease import Lease
from programs.models import Ending, Program, State
from tests.running import claimed, fresh, make_due, run

pytestmark = pytest.mark.usefixtures("bookkeeping")


@pytest.fixture
def program() -> Program:
    return claimed("noop", "count")


@pytest.fixture
def job_data(program: Program) -> JobData:
    return JobData(program, "noop", Lease(60.0))


def test_get_gives_an_empty_object_where_nothing_is_stored(job_data: JobData) -> None:
    assert job_data.get() == {}


def test_set_replaces_and_merge_is_shallow(job_data: JobData, program: Program) -> None:
    job_data.set({"a": {"x": 1}, "b": 1})
    job_data.merge({"a": {"y": 2}})
    assert job_data.get() == {"a": {"y": 2}, "b": 1}
    assert fresh(program).job_data == {"noop": {"a": {"y": 2}, "b": 1}}


def test_what_get_returns_is_a_copy(job_data: JobData) -> None:
    job_data.set({"list": [1]})
    job_data.get()["list"].append(2)
    assert job_data.get() == {"list": [1]}


def test_the_data_of_other_jobs_stays_as_it_is(program: Program) -> None:
    JobData(program, "count", Lease(60.0)).set({"n": 1})
    JobData(program, "noop", Lease(60.0)).set({"m": 2})
    assert fresh(program).job_data == {"count": {"n": 1}, "noop": {"m": 2}}


@pytest.mark.parametrize(
    "data", [None, [], "text", {"x": float("nan")}, {"x": object()}, {"x": "y" * 1024 * 1024}]
)
def test_what_is_no_json_object_is_refused_and_loses_nothing(job_data, data) -> None:
    job_data.set({"kept": True})
    with pytest.raises(InvalidData):
        job_data.set(data)
    assert job_data.get() == {"kept": True}


@pytest.mark.invariant(3)
def test_a_slot_whose_claim_is_gone_stores_no_data(job_data, program) -> None:
    Program.objects.filter(pk=program.pk).update(epoch=9)
    for write in (job_data.set, job_data.merge, job_data.checkpoint):
        with pytest.raises(LeaseLost):
            write({"stale": True})
    assert fresh(program).job_data == {}
    assert job_data.stop_requested


@pytest.mark.invariant(9)
def test_a_checkpoint_stores_its_data_and_then_tells_of_a_stop(job_data, program) -> None:
    fresh(program).stop()
    job_data.merge({"n": 1})  # a merge stores, and does not tell
    with pytest.raises(StopRequested):
        job_data.checkpoint({"n": 2})
    assert fresh(program).job_data == {"noop": {"n": 2}}
    assert job_data.stop_requested


def test_data_written_in_a_transaction_that_is_rolled_back_is_not_kept() -> None:
    program = run("behave", job_data={"behave": {"how": "merge_and_roll_back"}})
    if program._state.db == "default":  # the job's transaction was on the programs' database
        assert program.job_data["behave"]["seen"] == ["how", "kept"]
        assert "lost" not in program.job_data["behave"]


def test_what_a_job_changes_in_the_program_data_no_other_job_sees() -> None:
    program = run("behave", "behave_too", program_data={"how": "wait_without_a_change"})
    assert program.state is State.FINISHED
    assert program.program_data == {"how": "wait_without_a_change"}


@pytest.mark.parametrize(
    "how",
    ["return_something", "close_connection", "run_subprocess", "fork", "fork_and_raise"],
)
def test_odd_but_harmless_jobs_succeed(how: str) -> None:
    program = run("behave", "noop", program_data={"how": how})
    assert program.state is State.FINISHED
    assert program.attempts.count() == 2


@pytest.mark.invariant(11)
def test_an_exception_whose_text_cannot_be_made_is_recorded() -> None:
    attempt = run("behave", program_data={"how": "fail_unprintably"}).attempts.get()
    assert attempt.error_class == "tests.jobs.Unprintable"
    assert attempt.message == "<the error's own text could not be made>"


def test_an_exception_with_a_huge_and_hostile_text_is_recorded_bounded() -> None:
    program = run("behave", program_data={"how": "fail_hugely"})
    attempt = program.attempts.get()
    assert program.state is State.ERRORED
    assert len(attempt.message or "") <= 64 * 1024
    assert len(attempt.traceback or "") <= 64 * 1024
    assert "\0" not in (attempt.message or "")
    assert len(program.error_message or "") <= 255


def test_a_fork_of_a_running_job_does_no_bookkeeping() -> None:
    program = run("behave", program_data={"how": "fork"})
    assert [attempt.outcome for attempt in program.attempts.all()] == [Ending.SUCCEEDED]


@pytest.mark.invariant(4)
def test_every_attempt_of_a_step_sees_the_same_idempotency_key() -> None:
    program = claimed("noop", "noop")
    first = execution.message_for(program, 1)
    make_due(program)
    second = execution.message_for(fresh(program), 2)
    assert first.idempotency_key == second.idempotency_key == f"{program.run_id}:0"
    assert (first.jobs, first.attempt, second.attempt) == (("noop", "noop"), 1, 2)


def test_a_message_holds_what_the_job_must_know() -> None:
    program = claimed("count", "noop", program_data={"day": "today"})
    message = execution.message_for(program, 1)
    assert (message.run_id, message.step, message.job) == (program.run_id, 0, "count")
    assert message.jobs == ("count", "noop")
    assert message.program_data == {"day": "today"}

"""What operators do: stop, pause, resume, retry, skip, edit."""

from __future__ import annotations

import contextlib
import threading

import pytest
from django.db import connections

from programs import operations
from programs.errors import InvalidProgram, OperationRefused, ProgramNotFound
from programs.models import Ending, Program, State, Verb
from programs.models.transitions import Standing
from programs.submission import create_program
from tests.running import carry, claim, claimed, fresh, on_server, run

pytestmark = pytest.mark.usefixtures("bookkeeping")


def errored(*jobs: str) -> Program:
    return run(*jobs, "behave", "noop", job_data={"behave": {"how": "fail"}})


@pytest.mark.invariant(9)
def test_stopping_a_waiting_program_is_immediate() -> None:
    program = create_program(["noop"])

    stopped = operations.stop_program(program.run_id, by="ada", reason="wrong day")

    assert stopped.state is State.STOPPED
    assert claim(program) is None
    deed = stopped.operations.get()
    assert (deed.verb, deed.by, deed.reason) == (Verb.STOP, "ada", "wrong day")
    assert deed.detail == {"from": "waiting", "to": "stopped"}


@pytest.mark.invariant(9)
def test_a_program_asked_to_stop_starts_no_further_job() -> None:
    program = claimed("noop", "noop")
    assert operations.stop_program(program).state is State.STOPPING

    assert carry(fresh(program)) is Standing.STOPPED

    assert fresh(program).attempts.count() == 0


@pytest.mark.invariant(9)
def test_a_stop_during_a_job_keeps_what_it_did_and_starts_no_next_one(tmp_path) -> None:
    program = claimed("noop", "noop")
    operations.stop_program(fresh(program))  # this slot has read the row before

    assert carry(program) is Standing.STOPPED

    stopped = fresh(program)
    assert stopped.state is State.STOPPED
    assert stopped.step == 1  # a retry carries on behind the step that was done
    assert [attempt.outcome for attempt in stopped.attempts.all()] == [Ending.SUCCEEDED]


@pytest.mark.invariant(9)
def test_the_running_job_is_told_at_its_next_checkpoint() -> None:
    given = {"how": "checkpoint_until_file", "file": "never"}
    program = claimed("behave", program_data=given)
    operations.stop_program(fresh(program))

    assert carry(program) is Standing.STOPPED

    stopped = fresh(program)
    assert stopped.job_data["behave"]["n"] == 1  # what the checkpoint held is kept
    assert [attempt.outcome for attempt in stopped.attempts.all()] == [Ending.STOPPED]


@pytest.mark.invariant(9)
def test_a_finished_last_step_beats_a_stop() -> None:
    program = claimed("noop")
    operations.stop_program(fresh(program))
    assert carry(program) is Standing.FINISHED
    assert fresh(program).state is State.FINISHED


@pytest.mark.invariant(9)
def test_a_stop_beats_a_retry() -> None:
    program = claimed("behave", program_data={"how": "retry"})
    operations.stop_program(fresh(program))
    assert carry(program) is Standing.STOPPED
    assert fresh(program).step_retry_count == 1


def test_pausing_a_waiting_program_parks_it_until_it_is_resumed() -> None:
    program = create_program(["noop"])

    paused = operations.pause_program(program)

    assert (paused.state, paused.due_at) == (State.PAUSED, None)
    assert claim(program) is None
    resumed = operations.resume_program(program)
    assert resumed.state is State.WAITING
    again = claim(program)
    assert again is not None
    assert carry(again) is Standing.FINISHED


def test_pausing_a_running_program_lets_its_job_end_and_then_parks_it() -> None:
    program = claimed("noop", "noop")
    operations.pause_program(fresh(program))

    assert carry(program) is Standing.PAUSED

    parked = fresh(program)
    assert (parked.state, parked.step, parked.worker) == (State.PAUSED, 1, None)
    assert operations.resume_program(program).state is State.WAITING


@pytest.mark.invariant(9)
def test_a_stop_that_comes_while_a_paused_program_is_being_parked_is_not_forgotten(
    monkeypatch,
) -> None:
    program = claimed("noop", "noop")
    operations.pause_program(fresh(program))
    read = Program._reread

    def stopped_once_read(self: Program, *given: float) -> object:
        row = read(self, *given)
        with contextlib.suppress(OperationRefused):
            operations.stop_program(program.run_id)
        return row

    monkeypatch.setattr(Program, "_reread", stopped_once_read)

    assert carry(program) is Standing.STOPPED

    assert fresh(program).state is State.STOPPED


def test_a_pause_keeps_a_retry_for_its_time() -> None:
    given = {"how": "retry", "retry_after": 3600}
    program = claimed("behave", program_data=given)
    operations.pause_program(fresh(program))

    carry(program)

    parked = fresh(program)
    assert (parked.due_at, parked.step_retry_count) == (None, 1)
    resumed = operations.resume_program(program)
    assert resumed.state is State.SCHEDULED
    assert resumed.due_at == parked.run_at


def test_resuming_undoes_a_pause_and_nothing_else() -> None:
    with pytest.raises(OperationRefused, match="is waiting: it cannot be resumed"):
        operations.resume_program(create_program(["noop"]))


@pytest.mark.invariant(8)
def test_a_retry_opens_an_errored_program_again_with_its_counters_cleared() -> None:
    program = errored()
    operations.edit_data(program, job_data={"behave": {"how": "succeed"}}, by="ada")

    retried = operations.retry_program(program, by="ada", reason="mended")

    assert retried.state is State.WAITING
    assert (retried.error_message, retried.losses, retried.step_retry_count) == (None, 0, 0)
    again = claim(program)
    assert again is not None
    assert carry(again) is Standing.FINISHED
    assert [a.number for a in fresh(program).attempts.filter(step=0)] == [1, 2]


def test_a_retry_from_an_earlier_step_runs_it_and_what_follows_again() -> None:
    program = errored("count")
    operations.edit_data(program, job_data={"count": {"n": 1}, "behave": {}})

    operations.retry_program(program, from_step=0)

    again = claim(program)
    assert again is not None
    carry(again)
    finished = fresh(program)
    assert finished.state is State.FINISHED
    assert finished.job_data["count"] == {"n": 2}


@pytest.mark.parametrize("step", [-1, 3, "1", 1.5, True])
def test_a_retry_from_a_step_that_is_none_names_the_field(step: object) -> None:
    with pytest.raises(InvalidProgram, match="from_step"):
        operations.retry_program(errored("noop"), from_step=step)


@pytest.mark.invariant(8)
def test_a_finished_program_is_neither_stopped_paused_retried_skipped_nor_edited() -> None:
    program = run("noop")
    for operate in (
        operations.stop_program,
        operations.pause_program,
        operations.resume_program,
        operations.retry_program,
        lambda p: operations.skip_step(p, reason="x"),
        lambda p: operations.edit_data(p, program_data={}),
    ):
        with pytest.raises(OperationRefused, match="is finished"):
            operate(program)
    assert fresh(program).operations.count() == 0


def test_retry_skip_and_edit_refuse_a_claimed_program() -> None:
    program = claimed("noop")
    for operate in (
        operations.retry_program,
        lambda p: operations.skip_step(p, reason="x"),
        lambda p: operations.edit_data(p, program_data={}),
    ):
        with pytest.raises(OperationRefused, match=r"is running, held by tests/1\.1: it cannot be"):
            operate(program)


@pytest.mark.invariant(2)
def test_skipping_goes_on_behind_the_step_and_needs_a_reason() -> None:
    program = errored()
    with pytest.raises(InvalidProgram, match="reason"):
        operations.skip_step(program, reason=" ")

    skipped = operations.skip_step(program, reason="not needed today", by="ada")

    assert (skipped.state, skipped.step) == (State.WAITING, 1)
    assert skipped.operations.get().detail["job"] == "behave"
    again = claim(program)
    assert again is not None
    assert carry(again) is Standing.FINISHED


def test_skipping_the_last_step_finishes_the_program() -> None:
    program = run("behave", program_data={"how": "fail"})
    skipped = operations.skip_step(program, reason="fine without")
    assert (skipped.state, skipped.errored_at) == (State.FINISHED, None)


def test_skipping_a_step_of_a_paused_program_leaves_it_paused() -> None:
    program = create_program(["noop", "noop"])
    operations.pause_program(program)
    skipped = operations.skip_step(program, reason="x")
    assert (skipped.state, skipped.step, skipped.due_at) == (State.PAUSED, 1, None)


def test_editing_data_keeps_what_was_there_in_the_history() -> None:
    program = create_program(["noop"], {"day": 1}, {"noop": {"n": 1}})

    edited = operations.edit_data(program, program_data={"day": 2})

    assert (edited.program_data, edited.job_data) == ({"day": 2}, {"noop": {"n": 1}})
    detail = edited.operations.get().detail
    assert (detail["before"], detail["after"]) == (
        {"program_data": {"day": 1}},
        {"program_data": {"day": 2}},
    )


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"program_data": []}, "program_data"),
        ({"job_data": {"other": {}}}, "job_data"),
        ({"job_data": {"noop": 1}}, "job_data.noop"),
        ({}, "program_data"),
    ],
)
def test_editing_to_what_is_no_data_names_the_field(given: dict, field: str) -> None:
    with pytest.raises(InvalidProgram) as refused:
        operations.edit_data(create_program(["noop"]), **given)
    assert refused.value.field == field


def test_a_program_that_is_not_there_is_said_so() -> None:
    with pytest.raises(ProgramNotFound, match="no such program"):
        operations.stop_program("no such program")


@pytest.mark.invariant(8)
@on_server
def test_of_a_stop_and_a_claim_at_once_one_wins_and_the_end_is_one() -> None:
    for _ in range(25):
        program = create_program(["noop", "noop", "noop"])
        start = threading.Barrier(2)

        def operate(program: Program = program, start: threading.Barrier = start) -> None:
            start.wait()
            with contextlib.suppress(OperationRefused):
                operations.stop_program(program)
            connections.close_all()

        operator = threading.Thread(target=operate)
        operator.start()
        start.wait()
        mine = claim(program)
        standing = carry(mine) if mine is not None else None
        operator.join()

        ended = fresh(program)
        assert ended.state in (State.FINISHED, State.STOPPED)
        assert (ended.worker, ended.due_at) == (None, None)
        assert (standing is Standing.FINISHED) == (ended.state is State.FINISHED)

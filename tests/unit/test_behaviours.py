"""The small jobs for trying things out."""

import pytest

from programs import operations
from programs.execution import carry
from programs.lease import Lease
from programs.models import Program, State
from programs.submission import create_program
from tests.ending import outcomes, run_to_end

pytestmark = pytest.mark.django_db


def test_succeed_succeeds_and_counts_its_runs() -> None:
    program = run_to_end(create_program(["succeed", "succeed"]))

    assert program.state is State.FINISHED
    assert program.job_data == {"succeed": {"runs": 2}}


def test_fail_fails_with_the_message_that_the_program_data_tells() -> None:
    program = run_to_end(create_program(["fail", "succeed"], {"message": "no more paper"}))

    assert program.error_message == "no more paper"
    assert outcomes(program) == [("fail", "errored")]


def test_ignore_ends_the_program_quietly() -> None:
    program = run_to_end(create_program(["ignore", "succeed"]))

    assert program.state is State.ERRORED
    assert outcomes(program) == [("ignore", "ignored")]


def test_retry_n_times_retries_as_often_as_told_and_then_succeeds() -> None:
    program = run_to_end(create_program(["retry_n_times"], {"times": 3, "delay": 0}))

    assert program.state is State.FINISHED
    assert [outcome for _, outcome in outcomes(program)] == [*["retried"] * 3, "succeeded"]


def test_sleep_takes_its_time() -> None:
    program = run_to_end(create_program(["sleep"], {"seconds": 0.2}))

    attempt = program.attempts.get()
    assert attempt.started_at is not None
    assert (attempt.ended_at - attempt.started_at).total_seconds() >= 0.2


def test_sleep_ends_when_an_operator_stops_its_program() -> None:
    program = create_program(["sleep", "succeed"], {"seconds": 60})
    claimed = Program.objects.due("default").claim("test/0.0", 60)
    assert claimed is not None
    operations.stop_program(program)
    lease = Lease(60)
    lease.request_stop()  # as the worker's renewal does

    carry(claimed, lease, lambda: False)

    program.refresh_from_db()
    assert program.state is State.STOPPED
    assert outcomes(program) == [("sleep", "stopped")]


def test_own_job_data_comes_before_program_data() -> None:
    program = create_program(["fail"], {"message": "of all"}, {"fail": {"message": "its own"}})

    assert run_to_end(program).error_message == "its own"


@pytest.mark.parametrize(
    ("job", "data", "told"),
    [
        ("sleep", {"seconds": "long"}, "seconds must be a number, not 'long'"),
        ("sleep", {"seconds": -1}, "seconds must be a number, not -1"),
        ("retry_n_times", {"times": True}, "times must be a number, not True"),
        ("fail", {"message": 7}, "message must be a text, not 7"),
    ],
)
def test_what_cannot_be_followed_is_named(job: str, data: dict[str, object], told: str) -> None:
    program = run_to_end(create_program([job], data))

    assert program.state is State.ERRORED
    assert told in str(program.error_message)
    assert "correct the data" in str(program.error_message)

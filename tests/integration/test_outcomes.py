"""What a step can end in: every outcome, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest

from programs import signals
from programs.models import Ending, Program, State
from programs.models.transitions import Standing
from tests.running import carry, claim, claimed, fresh, make_due, run

pytestmark = pytest.mark.usefixtures("bookkeeping")


def endings(program: Program) -> list[str]:
    return [attempt.outcome for attempt in program.attempts.all()]


def test_a_program_runs_its_jobs_in_order_and_finishes() -> None:
    program = run("noop", "count", "noop")
    assert program.state is State.FINISHED
    assert program.step == 2  # it stays at the last index, as in the original
    assert [(a.step, a.job, a.number) for a in program.attempts.all()] == [
        (0, "noop", 1),
        (1, "count", 1),
        (2, "noop", 1),
    ]
    assert program.worker is None
    assert program.due_at is None
    assert program.job_data == {"count": {"n": 1}}


def test_every_date_is_stamped_by_the_database_in_the_order_of_events() -> None:
    program = run("noop")
    attempt = program.attempts.get()
    assert program.started_at is not None
    assert attempt.started_at is not None
    assert program.created_at <= program.started_at <= attempt.ended_at
    assert attempt.started_at <= attempt.ended_at
    assert program.finished_at is not None
    # One transaction wrote both, but in two statements on SQLite.
    assert abs(program.finished_at - attempt.ended_at) < timedelta(seconds=1)


def test_a_name_that_occurs_twice_shares_its_data_and_counts_its_own_attempts() -> None:
    program = run("count", "noop", "count")
    assert program.job_data == {"count": {"n": 2}}
    assert [attempt.number for attempt in program.attempts.all()] == [1, 1, 1]


@pytest.mark.parametrize("how", ["fail", "exit", "raise_keyboard_interrupt"])
def test_an_unexpected_error_of_any_kind_ends_the_program_and_runs_nothing_more(how: str) -> None:
    program = run("behave", "noop", program_data={"how": how})
    assert program.state is State.ERRORED
    assert endings(program) == [Ending.ERRORED]
    assert program.step == 0


@pytest.mark.invariant(11)
def test_an_unexpected_error_is_kept_with_class_message_and_traceback() -> None:
    program = run("behave", program_data={"how": "fail", "text": "no such file"})
    attempt = program.attempts.get()
    assert program.error_message == "no such file"
    assert attempt.error_class == "RuntimeError"
    assert attempt.message == "no such file"
    assert attempt.traceback is not None
    assert 'raise RuntimeError(data.get("text"' in attempt.traceback


def test_an_unexpected_error_sends_the_signal_and_an_ignorable_one_does_not() -> None:
    heard = []

    def hear(**sent: object) -> None:
        heard.append(sent["error"])

    signals.program_errored.connect(hear)
    try:
        run("behave", program_data={"how": "ignore"})
        assert heard == []
        run("behave", program_data={"how": "fail"})
        assert [type(error) for error in heard] == [RuntimeError]
    finally:
        signals.program_errored.disconnect(hear)


def test_an_ignorable_error_ends_the_program_quietly() -> None:
    program = run("behave", "noop", program_data={"how": "ignore"})
    assert program.state is State.ERRORED
    assert program.error_message == "nothing to do"
    assert endings(program) == [Ending.IGNORED]


@pytest.mark.parametrize("how", ["retry", "retry_decorated", "retry_and_ignore"])
def test_a_retryable_error_runs_the_same_job_again_later(how: str) -> None:
    program = claimed("behave", "noop", job_data={"behave": {"how": [how, "succeed"]}})

    assert carry(program) is Standing.RELEASED

    waiting = fresh(program)
    assert waiting.step == 0
    assert waiting.step_retry_count == 1
    assert waiting.error_message
    assert waiting.errored_at is None
    assert waiting.run_at == waiting.due_at
    make_due(program)
    again = claim(program)
    assert again is not None
    assert carry(again) is Standing.FINISHED
    finished = fresh(program)
    assert finished.step_retry_count == 0
    assert endings(finished) == [Ending.RETRIED, Ending.SUCCEEDED, Ending.SUCCEEDED]
    assert [attempt.number for attempt in finished.attempts.all()] == [1, 2, 1]


def test_used_up_retries_end_the_program_as_an_unexpected_error() -> None:
    program = run("impatient", program_data={"how": "retry"})
    assert program.state is State.ERRORED
    assert program.error_message == "gave up after 0 retries: not yet"


def test_a_job_whose_time_is_used_up_carries_on_from_its_data() -> None:
    given = {"how": "count_slowly", "to": 3, "max_execution_time": 0.0}
    program = claimed("behave", job_data={"behave": given})

    standings = [carry(program)]
    while (again := claim(program)) is not None:
        standings.append(carry(again))

    assert standings == [Standing.YIELDED] * 3 + [Standing.FINISHED]
    finished = fresh(program)
    assert finished.job_data["behave"]["n"] == 3
    assert finished.step_retry_count == 0
    assert endings(finished) == [Ending.YIELDED] * 3 + [Ending.SUCCEEDED]


def test_an_async_job_works_like_any_other() -> None:
    assert run("asynchronous").job_data == {"asynchronous": {"n": 1, "checked": True}}
    failed = run("asynchronous", program_data={"how": "fail"})
    assert failed.error_message == "async failure"


def test_an_unknown_job_waits_for_a_worker_that_knows_it(settings) -> None:
    program = claimed("noop")
    Program.objects.filter(pk=program.pk).update(jobs=["of_another_release", "noop"])
    program.jobs = ["of_another_release", "noop"]

    assert carry(program) is Standing.RELEASED

    waiting = fresh(program)
    assert waiting.state is State.SCHEDULED
    assert waiting.step_retry_count == 0
    assert "no job named 'of_another_release' is registered here" in str(waiting.error_message)
    assert endings(waiting) == [Ending.UNKNOWN]


def test_an_unknown_job_ends_errored_after_the_limit(settings) -> None:
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "UNKNOWN_JOB_LIMIT": 0.0001}
    program = claimed("noop")
    Program.objects.filter(pk=program.pk).update(jobs=["of_another_release"])
    program.jobs = ["of_another_release"]
    carry(program)
    make_due(program)
    again = claim(program)
    assert again is not None

    assert carry(again) is Standing.ERRORED

    assert "gave up after" in str(fresh(program).error_message)


def test_an_unknown_job_is_skipped_where_the_setting_says_so(settings, caplog) -> None:
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "UNKNOWN_JOBS": "skip"}
    program = run("never_heard_of", "count")
    assert program.state is State.FINISHED
    assert endings(program) == [Ending.SKIPPED, Ending.SUCCEEDED]
    assert "job not run" in caplog.text


def test_what_the_job_logs_is_kept_with_its_attempt(caplog) -> None:
    caplog.set_level("INFO")
    program = run("behave", program_data={"how": "log"})
    log = program.attempts.get().log
    assert log is not None
    assert "INFO tests.jobs: hello from behave" in log


def test_a_long_log_is_kept_up_to_its_limit(caplog) -> None:
    caplog.set_level("INFO")
    program = run("behave", program_data={"how": "log_much"})
    log = program.attempts.get().log
    assert log is not None
    assert len(log) <= 64 * 1024 + 100
    assert log.splitlines()[-1].endswith("lines more, not kept (LOG_LIMIT)")


def test_signals_tell_the_life_of_a_program_and_a_failing_listener_changes_nothing() -> None:
    heard: list[str] = []
    named = {
        name: getattr(signals, name)
        for name in ("program_started", "job_started", "job_finished", "program_finished")
    }

    def listener(name: str):
        def hear(**sent: object) -> None:
            heard.append(name)
            raise RuntimeError("listener")

        return hear

    listeners = {name: listener(name) for name in named}
    for name, signal in named.items():
        signal.connect(listeners[name])
    try:
        assert run("noop", "noop").state is State.FINISHED
    finally:
        for name, signal in named.items():
            signal.disconnect(listeners[name])
    assert heard == [
        "program_started",
        *["job_started", "job_finished"] * 2,
        "program_finished",
    ]


def test_the_history_of_a_step_that_is_tried_without_end_is_bounded(settings) -> None:
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "ATTEMPTS_KEPT": 5}
    given = {"how": "count_slowly", "to": 40, "max_execution_time": 0.0}
    program = claimed("behave", job_data={"behave": given})
    carry(program)
    while (again := claim(program)) is not None:
        carry(again)
    kept = list(program.attempts.values_list("number", flat=True))
    assert kept[-1] == 41
    assert len(kept) <= 15


@pytest.mark.parametrize("jobs", [{}, [], 7, "noop", {"0": "noop"}])
def test_a_row_whose_jobs_were_broken_by_hand_ends_errored_and_does_not_come_back(jobs) -> None:
    program = claimed("noop", "noop")
    Program.objects.filter(pk=program.pk).update(jobs=jobs, step=1)
    broken = fresh(program)

    assert carry(broken) is Standing.ERRORED

    assert "cannot be run" in str(fresh(program).error_message)


def test_an_outcome_that_cannot_be_stored_ends_the_program(monkeypatch) -> None:
    program = claimed("noop", "noop")
    monkeypatch.setattr("programs.models.transitions.Transitions.advance", lambda *_: 1 / 0)

    assert carry(program) is Standing.ERRORED

    assert fresh(program).error_message == "cannot be run: division by zero"

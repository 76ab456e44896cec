"""What `programs.testing` gives to the tests of projects: programs that run inline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.test import TestCase, TransactionTestCase
from pytest_django.fixtures import Settings

from programs import operations, signals, testing
from programs.models import Ending, Program, State
from programs.submission import acreate_program, create_program, create_programs
from programs.testing import ProgramNeverEnds, run_due_programs, run_inline
from programs.transport import publisher
from tests.running import fresh, listening

FAIL = {"how": "fail"}


def outcomes(program: Program) -> list[str]:
    return [attempt.outcome for attempt in program.attempts.all()]


class Promises:
    """What holds whether or not the test runs in a transaction."""

    def test_a_program_has_ended_when_it_is_created(self) -> None:
        with run_inline():
            program = create_program(["count", "noop", "count"])
            ended = fresh(program)

        assert ended.state is State.FINISHED
        assert ended.job_data == {"count": {"n": 2}}

    def test_a_retry_is_not_waited_for(self) -> None:
        how = {"how": ["retry", "retry", "succeed"], "retry_after": 3600}
        with run_inline():
            program = create_program(["behave"], how)
            assert outcomes(program) == [Ending.RETRIED, Ending.RETRIED, Ending.SUCCEEDED]

    def test_an_async_job_runs_as_well(self) -> None:
        with run_inline():
            program = create_program(["asynchronous"])
            assert fresh(program).job_data == {"asynchronous": {"n": 1, "checked": True}}

    def test_a_failure_ends_as_it_does_in_production(self) -> None:
        with run_inline():
            program = create_program(["behave", "noop"], {"how": "fail", "text": "no paper"})

        assert (fresh(program).state, fresh(program).error_message) == (State.ERRORED, "no paper")

    def test_what_is_created_in_a_transaction_runs_at_its_commit(self) -> None:
        with run_inline():
            with transaction.atomic():
                with transaction.atomic():
                    program = create_program(["noop"])
                assert fresh(program).state is State.WAITING
            assert fresh(program).state is State.FINISHED

    def test_what_is_rolled_back_is_not_run(self) -> None:
        heard: list[object] = []
        with (
            listening(signals.program_finished, lambda **sent: heard.append(sent)),
            run_inline() as inline,
        ):
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                create_program(["noop"])
                raise ZeroDivisionError
            inline.run()

        assert not heard
        assert not Program.objects.exists()

    def test_many_run_and_each_is_told_of(self) -> None:
        created: list[Program] = []
        listener = lambda program, **sent: created.append(program)  # noqa: E731
        with listening(signals.program_created, listener), run_inline():
            programs = create_programs([{"jobs": ["noop"]}] * 3)
            assert [fresh(program).state for program in programs] == [State.FINISHED] * 3

        assert created == programs

    def test_what_an_operator_opens_again_runs_at_once(self) -> None:
        with run_inline():
            program = create_program(["behave"], {"how": ["fail", "succeed"]})
            operations.retry_program(program)
            assert fresh(program).state is State.FINISHED

    def test_a_paused_program_waits_for_its_resumption(self) -> None:
        with run_inline():
            with transaction.atomic():
                program = create_program(["noop"])
                operations.pause_program(program)
            assert fresh(program).state is State.PAUSED
            operations.resume_program(program)
            assert fresh(program).state is State.FINISHED

    def test_a_queue_that_is_paused_waits(self) -> None:
        operations.pause_queue("reports")
        with run_inline() as inline:
            program = create_program(["noop"], queue="reports")
            assert fresh(program).state is State.WAITING
            operations.resume_queue("reports")
            inline.run()
            assert fresh(program).state is State.FINISHED

    def test_a_program_waits_for_its_time_and_is_run_then(self) -> None:
        later = datetime.now(UTC) + timedelta(hours=1)
        with run_inline() as inline:
            program = create_program(["noop"], run_at=later)
            inline.run()
            assert fresh(program).state is State.SCHEDULED
            Program.objects.update(due_at=program.created_at)
            inline.run()
            assert fresh(program).state is State.FINISHED

    def test_a_program_that_a_listener_creates_runs_as_well(self) -> None:
        def follow(program: Program, **sent: object) -> None:
            if program.jobs == ["noop"]:
                create_program(["count"])

        with listening(signals.program_finished, follow), run_inline():
            create_program(["noop"])
            assert Program.objects.in_state(State.FINISHED).count() == 2

    def test_a_program_without_end_is_an_error_that_says_why(self) -> None:
        with (
            pytest.MonkeyPatch.context() as patched,
            pytest.raises(
                ProgramNeverEnds, match="not ended after 5 turns: job 'behave' .*not yet"
            ),
            run_inline(),
        ):
            patched.setattr(testing, "TURNS", 5)
            patched.setattr("tests.jobs.Behaviour.max_retries", None)
            create_program(["behave"], {"how": "retry"})

    def test_programs_that_create_programs_without_end_are_an_error(self) -> None:
        def breed(**sent: object) -> None:
            create_program(["noop"])

        with (
            pytest.MonkeyPatch.context() as patched,
            listening(signals.program_finished, breed),
            pytest.raises(ProgramNeverEnds, match="5 programs were run, and there are more"),
            run_inline(),
        ):
            patched.setattr(testing, "PROGRAMS", 5)
            create_program(["noop"])

    def test_what_is_due_gets_one_turn_by_hand(self) -> None:
        program = create_program(["behave"], {"how": ["retry", "succeed"], "retry_after": 3600})

        (ran,) = run_due_programs()
        assert (ran, ran.state, outcomes(ran)) == (program, State.SCHEDULED, [Ending.RETRIED])

        assert run_due_programs() == []  # the retry's time has not come

    def test_behind_it_nothing_runs_by_itself_any_more(self) -> None:
        with run_inline():
            pass
        assert fresh(create_program(["noop"])).state is State.WAITING


class InATransaction(Promises, TestCase):
    """A `TestCase`, whose own transaction never commits."""

    def test_an_error_in_a_users_hook_is_the_users(self) -> None:
        with pytest.raises(ZeroDivisionError), run_inline():
            transaction.on_commit(lambda: 1 / 0)

    def test_an_error_in_a_robust_hook_hinders_nothing(self) -> None:
        with run_inline():
            transaction.on_commit(lambda: 1 / 0, robust=True)
            assert fresh(create_program(["noop"])).state is State.FINISHED

    def test_hooks_of_before_are_left_alone(self) -> None:
        called: list[int] = []
        transaction.on_commit(lambda: called.append(1))
        with run_inline():
            transaction.on_commit(lambda: called.append(2))
        assert called == [2]

    def test_it_is_no_use_to_wait_for_what_is_not_run(self) -> None:
        with run_inline():
            program = create_program(["noop"])
            assert program.wait(timeout=0)
        with pytest.raises(transaction.TransactionManagementError, match="not ended, and cannot"):
            create_program(["noop"]).wait()


class Asynchronous(TestCase):
    """An async test, whose database is that of its `setUp`."""

    def setUp(self) -> None:
        self.enterContext(run_inline())

    async def test_a_program_has_ended_when_it_is_created(self) -> None:
        program = await acreate_program(["count", "asynchronous"])
        assert await program.await_end(timeout=0)
        assert program.state is State.FINISHED


class WithoutATransaction(Promises, TransactionTestCase):
    """A `TransactionTestCase`, in which transactions commit."""


@pytest.mark.django_db
def test_the_broker_is_not_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.PROGRAM_EXECUTOR = {
        **settings.PROGRAM_EXECUTOR,
        "AMQP_URL": "amqp://nobody@127.0.0.1:1/",
    }
    monkeypatch.setattr(publisher, "_current", None)

    with run_inline():
        program = create_program(["behave"], {"how": ["fail", "retry", "succeed"]})
        operations.retry_program(program)
    create_programs_due = create_programs([])
    run_due_programs()

    assert create_programs_due == []
    assert fresh(program).state is State.FINISHED
    assert publisher.state() == "idle"


@pytest.mark.django_db
def test_the_test_s_own_failure_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError), run_inline():
        raise ZeroDivisionError


@pytest.mark.django_db
def test_a_program_whose_row_is_deleted_has_ended() -> None:
    def purge(program: Program, **sent: object) -> None:
        Program.objects.filter(pk=program.pk).delete()

    with listening(signals.program_finished, purge):
        with run_inline():
            create_program(["noop"])
        gone, kept = create_programs(
            [{"jobs": ["noop"]}, {"jobs": ["behave"], "program_data": FAIL}]
        )
        turned = run_due_programs()

    assert (turned, list(Program.objects.all())) == ([kept], [kept])
    assert gone.state is State.WAITING


@pytest.mark.django_db
def test_an_unknown_job_waits_as_in_production(settings: Settings) -> None:
    with run_inline() as inline:
        program = create_program(["noop"], run_at=datetime.now(UTC) + timedelta(hours=1))
        Program.objects.update(jobs=["elsewhere"], due_at=program.created_at)
        inline.run()

    assert outcomes(program) == [Ending.UNKNOWN]
    assert fresh(program).state is State.SCHEDULED

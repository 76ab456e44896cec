"""Tasks of Django's framework, run as programs, on SQLite and on PostgreSQL."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from programs import operations
from programs.errors import (
    IgnorableError,
    InvalidProgram,
    OpenTransaction,
    StopRequested,
    WorkerLost,
)
from programs.models import Ending, Program, State
from programs.submission import create_program
from programs.tasks import ProgramsBackend
from programs.tasks.framework import (
    BaseTaskBackend,
    TaskResult,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_enqueued,
    task_finished,
    task_started,
)
from programs.tasks.result import of_success
from tests import tasks
from tests.running import carry, claim, fresh, listening, make_due, on_server

pytestmark = pytest.mark.usefixtures("bookkeeping")

READY, RUNNING = TaskResultStatus.READY, TaskResultStatus.RUNNING
FAILED, SUCCESSFUL = TaskResultStatus.FAILED, TaskResultStatus.SUCCESSFUL


def program_of(result: TaskResult[..., Any]) -> Program:
    return Program.objects.get(run_id=result.id)


def carry_on(program: Program) -> Program:
    """Claim the program and carry it, its time come, and return it as it then is."""
    make_due(program)
    held = claim(program)
    assert held is not None
    carry(held)
    return fresh(program)


def run(result: TaskResult[..., Any]) -> TaskResult[..., Any]:
    """Run the task to its end, and return its result as it then is."""
    program = program_of(result)
    for _ in range(20):
        if not Program.objects.open().filter(pk=program.pk).exists():
            result.refresh()
            return result
        carry_on(program)
    raise AssertionError(f"{program} has not ended")


@contextmanager
def signals_heard() -> Iterator[list[tuple[str, str, str, Any]]]:
    """Note which signals of tasks are sent, by whom, and with what result."""
    heard: list[tuple[str, str, str, Any]] = []

    def noting(name: str) -> Any:
        def note(sender: Any, task_result: TaskResult[..., Any], **sent: Any) -> None:
            assert sender is ProgramsBackend
            heard.append((name, task_result.id, task_result.status, task_result.attempts))

        return note

    with ExitStack() as stack:
        for name, signal in (
            ("enqueued", task_enqueued),
            ("started", task_started),
            ("finished", task_finished),
        ):
            stack.enter_context(listening(signal, noting(name)))
        yield heard


# Enqueuing ------------------------------------------------------------------------------------


def test_a_task_is_stored_as_a_program_of_one_job() -> None:
    result = tasks.add.enqueue(40, b=2)

    program = program_of(result)
    assert program.jobs == ["tests.tasks.add"]
    assert program.job_data == {"tests.tasks.add": {"args": [40], "kwargs": {"b": 2}}}
    assert program.state is State.WAITING
    assert (result.status, result.enqueued_at) == (READY, program.created_at)
    assert (result.attempts, result.is_finished, result.backend) == (0, False, "default")


def test_to_enqueue_a_task_costs_one_statement(bookkeeping: str) -> None:
    connection = connections[bookkeeping]
    with CaptureQueriesContext(connection) as queries:
        tasks.add.enqueue(1)
    # One more where Django does not return what the database made of the row.
    assert len(queries) == (1 if connection.features.can_return_columns_from_insert else 2)


def test_the_result_of_a_task_can_be_read_from_its_program() -> None:
    enqueued = tasks.add.enqueue(40, b=2)

    result = run(tasks.add.get_result(enqueued.id))

    program = program_of(result)
    attempt = program.attempts.get()
    assert program.state is State.FINISHED
    assert (result.status, result.return_value) == (SUCCESSFUL, 42)
    assert (result.args, result.kwargs, result.errors) == ([40], {"b": 2}, [])
    assert (result.worker_ids, result.attempts) == ([attempt.worker], 1)
    assert (result.started_at, result.last_attempted_at) == (attempt.started_at,) * 2
    assert result.finished_at == program.finished_at


def test_the_log_of_an_attempt_holds_what_the_task_logs_and_nothing_of_the_framework(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        result = run(tasks.log.enqueue())
    assert f"Task id={result.id} path=tests.tasks.log state=RUNNING" in caplog.text
    (kept,) = (program_of(result).attempts.get().log or "").splitlines()
    assert kept.endswith("INFO tests.tasks: hello from a task")


def test_an_async_task_runs_as_well() -> None:
    assert run(tasks.add_asynchronously.enqueue(1, 2)).return_value == 3


def test_tasks_are_enqueued_and_read_by_async_code() -> None:
    async def enqueue() -> TaskResult[..., Any]:
        enqueued = await tasks.add.aenqueue(1)
        await enqueued.arefresh()
        return await tasks.add.aget_result(enqueued.id)

    assert async_to_sync(enqueue)().status == READY


def test_a_task_waits_for_its_time_and_in_its_queue() -> None:
    later = datetime.now(UTC) + timedelta(hours=1)

    result = tasks.add.using(run_after=later, queue_name="mail").enqueue(1)

    program = program_of(result)
    assert (program.state, program.queue, program.run_at) == (State.SCHEDULED, "mail", later)
    read = tasks.add.get_result(result.id)
    assert (read.status, read.task.run_after, read.task.queue_name) == (READY, later, "mail")


@pytest.mark.invariant(1)
def test_a_task_belongs_to_the_transaction_that_it_is_enqueued_in(bookkeeping: str) -> None:
    with signals_heard() as heard:
        with pytest.raises(ZeroDivisionError), transaction.atomic(using=bookkeeping):
            lost = tasks.add.enqueue(1)
            raise ZeroDivisionError
        with transaction.atomic(using=bookkeeping):
            kept = tasks.add.enqueue(1)
            assert heard == []

    assert heard == [("enqueued", kept.id, READY, 0)]
    with pytest.raises(TaskResultDoesNotExist):
        tasks.add.get_result(lost.id)


def test_a_naive_time_is_meant_in_the_time_zone_of_the_project(settings: Settings) -> None:
    settings.USE_TZ = False
    settings.TIME_ZONE = "Asia/Tokyo"

    result = tasks.add.using(run_after=datetime(2100, 1, 1, 9)).enqueue(1)  # noqa: DTZ001 (it is about such ones)

    settings.USE_TZ = True
    assert program_of(result).run_at == datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("argument", "error", "told"),
    [
        (object(), TypeError, "Unsupported type"),
        (float("nan"), InvalidProgram, "job_data: holds a number that JSON has no form for"),
        ("x" * 2**21, InvalidProgram, "DATA_LIMIT"),
    ],
)
def test_arguments_that_cannot_be_stored_are_refused(
    argument: object, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        tasks.add.enqueue(argument)
    assert not Program.objects.exists()


# Outcomes -------------------------------------------------------------------------------------


def test_a_task_that_raises_has_failed_and_says_how() -> None:
    result = run(tasks.fail.enqueue(text="no paper"))

    (error,) = result.errors
    assert result.status == FAILED
    assert error.exception_class is RuntimeError
    assert "no paper" in error.traceback
    assert "in fail\n" in error.traceback
    with pytest.raises(ValueError, match="Task failed"):
        result.return_value  # noqa: B018 (it raises)
    assert program_of(result).error_message == "no paper"


def test_a_retryable_error_is_tried_again_and_every_error_is_told() -> None:
    enqueued = tasks.tell_attempt.enqueue(until=3)
    carry_on(program_of(enqueued))
    enqueued.refresh()
    assert (enqueued.status, enqueued.attempts, len(enqueued.errors)) == (READY, 1, 1)

    result = run(enqueued)

    assert result.return_value == {
        "id": result.id,
        "status": "RUNNING",
        "attempt": 3,
        "attempts": 3,
        "errors": 2,
        "key": f"{result.id}:0",
    }
    assert [error.exception_class_path for error in result.errors] == [
        "programs.errors.RetryableError"
    ] * 2


def test_a_task_may_say_how_often_it_is_tried_again() -> None:
    result = run(tasks.give_up.enqueue())
    assert [error.exception_class for error in result.errors] == [KeyError, KeyError]
    assert "gave up after 1 retries" in str(program_of(result).error_message)


def test_a_task_may_give_way_and_carry_on_from_its_data() -> None:
    result = run(tasks.count_to.enqueue(2))
    assert (result.return_value, result.attempts, result.errors) == (2, 3, [])


@pytest.mark.parametrize(
    ("task", "args", "told"),
    [
        (tasks.return_what_is_no_json, (), "TypeError: Unsupported type"),
        (tasks.return_much, (2**21,), "InvalidData: is 20"),
        (tasks.add, (), "missing 1 required positional argument: 'a'"),
    ],
)
def test_what_cannot_be_a_result_fails_the_task(task: Any, args: Any, told: str) -> None:
    result = run(task.enqueue(*args))
    assert result.status == FAILED
    assert told in result.errors[0].traceback


@on_server
def test_what_a_task_returns_from_an_open_transaction_is_lost_with_it() -> None:
    result = run(tasks.leave_transaction_open.enqueue())
    assert result.status == FAILED
    assert [error.exception_class for error in result.errors] == [OpenTransaction]
    assert "return_value" not in program_of(result).job_data[result.task.module_path]


def test_a_task_that_its_worker_died_with_too_often_has_failed() -> None:
    result = tasks.say_nothing.enqueue()
    program = program_of(result)
    for _ in range(3):
        make_due(program)
        held = claim(program)
        assert held is not None
        assert tasks.say_nothing.get_result(result.id).status == RUNNING
        held.lose(counted=True)

    result.refresh()

    assert (result.status, result.attempts) == (FAILED, 3)
    assert [error.exception_class for error in result.errors] == [WorkerLost] * 3


def test_a_task_that_an_operator_stops_has_failed_and_can_be_retried() -> None:
    result = tasks.add.enqueue(1)
    with signals_heard() as heard:
        operations.stop_program(result.id)
    result.refresh()

    assert (result.status, result.attempts, result.started_at) == (FAILED, 0, None)
    assert result.finished_at == program_of(result).stopped_at
    assert [error.exception_class_path for error in result.errors] == [
        "programs.errors.StopRequested"
    ]
    assert heard == [("finished", result.id, FAILED, 0)]

    operations.retry_program(result.id)
    assert run(result).return_value == 2
    assert result.errors == []


# Signals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "status"),
    [(tasks.say_nothing, SUCCESSFUL), (tasks.fail, FAILED), (tasks.ignore, FAILED)],
)
def test_the_frameworks_signals_tell_of_a_task_once(task: Any, status: str) -> None:
    with signals_heard() as heard:
        result = run(task.enqueue())
    assert heard == [
        ("enqueued", result.id, READY, 0),
        ("started", result.id, RUNNING, 1),
        ("finished", result.id, status, 1),
    ]


@pytest.mark.parametrize(
    ("task", "kind"),
    [(tasks.say_nothing, None), (tasks.fail, RuntimeError), (tasks.ignore, IgnorableError)],
)
def test_who_hears_of_a_failure_finds_its_error_as_the_one_that_is_handled(
    task: Any, kind: type[Exception] | None
) -> None:
    handled: list[Any] = []

    def note(**sent: Any) -> None:
        handled.append(sys.exc_info()[0])

    with listening(task_finished, note):
        run(task.enqueue())
        operations.stop_program(task.enqueue().id)

    assert handled == [kind, StopRequested]


def test_a_task_that_is_tried_again_has_not_finished() -> None:
    with signals_heard() as heard:
        result = run(tasks.tell_attempt.enqueue(until=2))
    assert [(name, attempts) for name, _, _, attempts in heard] == [
        ("enqueued", 0),
        ("started", 1),
        ("started", 2),
        ("finished", 2),
    ]
    assert heard[-1][1:3] == (result.id, SUCCESSFUL)


@pytest.mark.parametrize(
    "jobs", [["tests.tasks.tell_attempt"], ["count", "tests.tasks.tell_attempt"]]
)
def test_the_result_of_a_signal_is_the_one_that_can_be_read(jobs: list[str]) -> None:
    sent: list[TaskResult[..., Any]] = []

    def keep(task_result: TaskResult[..., Any], **rest: Any) -> None:
        sent.append(task_result)

    program = create_program(jobs, job_data={jobs[-1]: {"kwargs": {"until": 2}}})
    with listening(task_finished, keep):
        carry_on(program)
        carry_on(program)

    (told,) = sent
    read = tasks.tell_attempt.get_result(told.id)
    last = program.attempts.last()
    assert last is not None
    # The row was stamped in the same transaction, on SQLite by another statement.
    assert told.finished_at == last.ended_at
    object.__setattr__(told, "finished_at", read.finished_at)
    assert told == read


def test_a_program_that_is_gone_by_the_time_of_the_signal_has_no_result() -> None:
    program = program_of(run(tasks.say_nothing.enqueue()))
    key = program.pk
    program.delete()
    program.pk = key
    with pytest.raises(TaskResultDoesNotExist):
        of_success(program, 0)


def test_an_outcome_that_is_refused_is_not_told() -> None:
    result = tasks.say_nothing.enqueue()
    held = claim(program_of(result))
    assert held is not None
    Program.objects.filter(pk=held.pk).update(epoch=7, worker="another")

    with signals_heard() as heard:
        carry(held)

    assert [name for name, *_ in heard] == ["started"]


def test_a_listener_that_raises_changes_nothing() -> None:
    def rage(**sent: Any) -> None:
        raise RuntimeError("a listener's own fault")

    with listening(task_started, rage), listening(task_finished, rage):
        assert run(tasks.add.enqueue(1)).return_value == 2


# A task among other jobs ----------------------------------------------------------------------


def test_a_task_may_stand_in_a_program_among_other_jobs() -> None:
    program = create_program(
        ["count", "tests.tasks.tell_attempt", "count", "tests.tasks.fail"],
        job_data={"tests.tasks.fail": {"kwargs": {"text": "the last one"}}},
    )
    with signals_heard() as heard:
        ended = carry_on(program)

    second, last = f"{program.run_id}:1", f"{program.run_id}:3"
    assert (ended.state, ended.error_message) == (State.ERRORED, "the last one")
    assert ended.job_data["count"] == {"n": 2}
    assert heard == [
        ("started", second, RUNNING, 1),
        ("finished", second, SUCCESSFUL, 1),
        ("started", last, RUNNING, 1),
        ("finished", last, FAILED, 1),
    ]
    result = tasks.tell_attempt.get_result(second)
    assert (result.status, result.return_value["id"]) == (SUCCESSFUL, second)
    assert result.finished_at == ended.attempts.get(step=1).ended_at


def test_a_task_whose_program_ended_before_it_has_failed() -> None:
    program = create_program(["behave", tasks.add.module_path], {"how": "fail"})
    result = tasks.add.get_result(f"{program.run_id}:1")
    assert (result.status, result.args, result.finished_at) == (READY, [], None)

    ended = carry_on(program)

    result.refresh()
    assert (result.status, result.finished_at) == (FAILED, ended.errored_at)
    assert (result.started_at, result.errors) == (None, [])


def test_a_stop_between_the_steps_fails_the_task_that_was_next() -> None:
    program = create_program([tasks.say_nothing.module_path, tasks.add.module_path])
    held = claim(program)
    assert held is not None
    operations.stop_program(program)

    with signals_heard() as heard:
        carry(held)

    assert heard == [
        ("started", f"{program.run_id}:0", RUNNING, 1),
        ("finished", f"{program.run_id}:0", SUCCESSFUL, 1),
        ("finished", f"{program.run_id}:1", FAILED, 0),
    ]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"a": 1}, "has neither 'args' nor 'kwargs': is {'kwargs': {'a': ...}} meant?"),
        ({"args": {"a": 1}}, "must have a list as 'args'"),
        ({"kwargs": [1]}, "a dict as 'kwargs'"),
    ],
)
def test_arguments_in_the_wrong_form_are_told_of(data: Any, told: str) -> None:
    program = create_program(["tests.tasks.add"], job_data={"tests.tasks.add": data})
    ended = carry_on(program)
    assert ended.state is State.ERRORED
    assert told in str(ended.error_message)
    assert tasks.add.get_result(program.run_id).status == FAILED


# What is no result ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "result_id",
    ["", "nobody", "a\0b", "x" * 256, 7, None, "{}:", "{}:1", "{}:-1", "{}:²", "{}:0:0"],
)
def test_an_id_of_no_result_is_told_of(result_id: Any) -> None:
    result = tasks.add.enqueue(1)
    if isinstance(result_id, str):
        result_id = result_id.replace("{}", result.id)
    with pytest.raises(TaskResultDoesNotExist):
        tasks.add.get_result(result_id)


def test_programs_of_other_jobs_are_no_results() -> None:
    for jobs in (["noop"], ["noop", "tests.tasks.add"]):
        program = create_program(jobs)
        with pytest.raises(TaskResultDoesNotExist):
            tasks.add.get_result(program.run_id)
        with pytest.raises(TaskResultDoesNotExist, match="no task that this process knows"):
            tasks.add.get_result(f"{program.run_id}:0")


def test_rows_of_others_are_results_as_far_as_they_go() -> None:
    row = Program.objects.create(run_id="other", jobs=["tests.tasks.add"], job_data=[])
    assert tasks.add.get_result("other").status == READY
    Program.objects.filter(pk=row.pk).update(jobs="nonsense")
    with pytest.raises(TaskResultDoesNotExist):
        tasks.add.get_result("other")


def test_a_result_can_be_read_when_its_queue_is_no_longer_allowed(settings: Settings) -> None:
    result = tasks.add.using(queue_name="mail").enqueue(1)
    settings.TASKS = {"default": {"BACKEND": "programs.tasks.ProgramsBackend"}}
    assert tasks.add.get_result(result.id).task.queue_name == "mail"


# Other backends -------------------------------------------------------------------------------


def test_a_task_of_another_backend_can_be_sent_to_this_one(settings: Settings) -> None:
    framework = BaseTaskBackend.__module__.partition(".backends")[0]
    settings.TASKS = {
        "default": {"BACKEND": f"{framework}.backends.immediate.ImmediateBackend"},
        "durable": {"BACKEND": "programs.tasks.ProgramsBackend"},
    }
    with signals_heard() as heard:
        result = run(tasks.tell_attempt.using(backend="durable").enqueue())

    assert (result.status, result.backend) == (SUCCESSFUL, "durable")
    assert len(heard) == 3
    assert program_of(result).attempts.get().outcome == Ending.SUCCEEDED

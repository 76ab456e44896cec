"""The framework's signals of tasks, sent when the engine tells of their steps and programs."""

from __future__ import annotations

from typing import Any

from django.dispatch import Signal

from programs import signals
from programs.errors import StopRequested
from programs.job import Job
from programs.message import Message
from programs.models import Ending, Program
from programs.models.deadlines import answer_expected
from programs.models.transitions import Standing
from programs.outcomes import Outcome
from programs.tasks import result
from programs.tasks.framework import TaskResult, task_finished, task_started

REFUSED = (Standing.LOST, Standing.DISCARDED)  # the outcome is not what became of the step


def listen(task_job: type[Job]) -> None:
    """Hear of the steps of a task's job, and of no other's: those would pay for being told."""
    signals.job_started.connect(job_started, sender=task_job, dispatch_uid=__name__)
    signals.job_finished.connect(job_finished, sender=task_job, dispatch_uid=__name__)


def job_started(program: Program, message: Message, **sent: Any) -> None:
    """A task begins: at the first attempt of a first step, the slot's instance knows all of it."""
    if message.step == 0 and message.attempt == 1:
        _send(task_started, result.of(program, message.step, []))
    else:
        _send(task_started, result.read(message.idempotency_key))


def job_finished(
    program: Program, message: Message, outcome: Outcome, standing: Standing, **sent: Any
) -> None:
    """A task has succeeded, or failed without an alarm: of alarms `program_ended` hears."""
    is_end = outcome.ending in (Ending.SUCCEEDED, Ending.IGNORED) and standing not in REFUSED
    if not is_end:
        return
    if standing in (Standing.HELD, Standing.FINISHED):
        _send(task_finished, result.of_success(program, message.step))  # as nearly always
    else:
        error = None if outcome.failure is None else outcome.failure.error
        _send_finished(result.read(message.idempotency_key), error)


def program_ended(program: Program, error: BaseException | None = None, **sent: Any) -> None:
    """A program errored or was stopped, at a task perhaps, and not always in an attempt of it."""
    jobs = program.jobs if isinstance(program.jobs, list) else []
    if not any(result.task_named(job) is not None for job in jobs):
        return
    with answer_expected(program.alias):
        # The slot's own instance may not know the step that the end was written at.
        row = Program.objects.using(program.alias).filter(pk=program.pk).first()
    if row is not None and result.task_named(row.job) is not None:
        task_result = result.of(row, row.step, result.attempts_of(row, row.step))
        _send_finished(task_result, error or StopRequested())


def _send_finished(task_result: TaskResult[..., Any], error: BaseException | None) -> None:
    """Send it while the error is handled, as the framework does: listeners ask for exc_info."""
    if error is None:
        _send(task_finished, task_result)
        return
    traceback = error.__traceback__
    try:
        raise error
    except BaseException:  # noqa: BLE001 (it was raised for that alone)
        _send(task_finished, task_result)
    finally:
        error.__traceback__ = traceback


def _send(signal: Signal, task_result: TaskResult[..., Any]) -> None:
    signal.send_robust(type(task_result.task.get_backend()), task_result=task_result)


signals.program_errored.connect(program_ended, dispatch_uid=__name__)
signals.program_stopped.connect(program_ended, dispatch_uid=__name__)

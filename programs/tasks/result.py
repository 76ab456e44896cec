"""A program as the result of a task: read from its row and its attempts, kept nowhere else.

The result of a task that was enqueued has the run id of its program as its id. Of one that stands
among other jobs it is `<run id>:<step>`, the idempotency key of that step.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from inspect import getdoc
from typing import Any

from django.db.models import IntegerField

from programs import registry
from programs.conf import settings
from programs.data import JsonObject
from programs.errors import ProgramExecutorError, StopRequested, WorkerLost
from programs.models import Attempt, Ending, Program
from programs.models.attempt import NOTHING_RAN
from programs.models.columns import DEFAULT_QUEUE
from programs.models.compiled import Given, Rows, kept
from programs.models.deadlines import answer_expected
from programs.tasks.framework import (
    BaseTaskBackend,
    Task,
    TaskError,
    TaskResult,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_backends,
)

RETURN_VALUE = "return_value"  # its key in the job data
ID_LENGTH = 255  # characters


def read(result_id: str, backend: str | None = None) -> TaskResult[..., Any]:
    """Return the result of this id, as the database has it now.

    `backend`: the alias that the result names; None: the one that runs the task. Raises
    `TaskResultDoesNotExist`, also for a task whose code is not known in this process.
    """
    if not isinstance(result_id, str) or not result_id.isprintable() or len(result_id) > ID_LENGTH:
        raise TaskResultDoesNotExist(result_id)
    run_id, colon, digits = result_id.partition(":")
    with answer_expected(settings.DATABASE):
        program = Program.objects.filter(run_id=run_id).first()
    jobs = program.jobs if program is not None and isinstance(program.jobs, list) else []
    if colon:
        step = int(digits) if digits.isascii() and digits.isdecimal() else -1
    else:
        step = 0 if len(jobs) == 1 else -1
    if program is None or not 0 <= step < len(jobs):
        raise TaskResultDoesNotExist(result_id)
    return of(program, step, attempts_of(program, step), backend)


def attempts_of(program: Program, step: int) -> list[Attempt]:
    """Return the attempts of a step in which a job ran, the first one first."""

    using = program.alias
    with answer_expected(using):
        return kept(using, __name__, lambda: _attempts(using)).fetch((program.pk, step))


def _attempts(using: str) -> Rows[Attempt]:
    """Compile the query for the attempts of a program's step; each task that ends asks it."""
    number = IntegerField()
    its = Attempt.objects.using(using).filter(program_id=Given(0, number), step=Given(1, number))
    ran = its.exclude(outcome__in=NOTHING_RAN)
    return Rows(ran.defer("message", "log").order_by("id"))


def of(
    program: Program, step: int, attempts: Sequence[Attempt], backend: str | None = None
) -> TaskResult[..., Any]:
    """Return the result that this row and these attempts make; see `read`."""
    task = task_named(program.jobs[step])
    if task is None:
        raise TaskResultDoesNotExist(
            f"step {step} of program {program.run_id} is no task that this process knows: "
            f"{registry.unknown(program.jobs[step])}"
        )
    status = status_of(program, step)
    is_running = status == TaskResultStatus.RUNNING
    started = [attempt.started_at for attempt in attempts]
    if is_running:
        started.append(program.step_started_at)
    given = data_of(program, program.jobs[step])
    alias = backend or backend_of(task).alias
    result: TaskResult[..., Any] = TaskResult(
        task=as_enqueued(task, program, alias),
        id=program.run_id if len(program.jobs) == 1 else f"{program.run_id}:{step}",
        status=status,
        enqueued_at=program.created_at,
        started_at=started[0] if started else None,
        last_attempted_at=started[-1] if started else None,
        finished_at=ended_at(program, step, attempts) if status in ENDED else None,
        args=given.get("args", []),
        kwargs=given.get("kwargs", {}),
        backend=alias,
        errors=errors_of(program, step, attempts),
        worker_ids=[
            *(attempt.worker for attempt in attempts),
            *([program.worker] if is_running and program.worker else []),
        ],
    )
    if status == TaskResultStatus.SUCCESSFUL:
        object.__setattr__(result, "_return_value", given.get(RETURN_VALUE))
    return result


def of_success(program: Program, step: int) -> TaskResult[..., Any]:
    """Return the result of a step that has just succeeded, by the slot's own instance.

    All that this does not know is when the program finished: when its last attempt ended.
    """
    attempts = attempts_of(program, step)
    if not attempts:  # somebody has deleted the program meanwhile
        raise TaskResultDoesNotExist(program.run_id)
    if program.step == step:
        program = copy.copy(program)
        program.finished_at = attempts[-1].ended_at
    return of(program, step, attempts)


# The parts of a result ------------------------------------------------------------------------

ENDED = (TaskResultStatus.SUCCESSFUL, TaskResultStatus.FAILED)


def data_of(program: Program, job: str) -> JsonObject:
    """Return the job data; rows may be others' work, and hold anything."""
    given = program.job_data.get(job) if isinstance(program.job_data, dict) else None
    return given if isinstance(given, dict) else {}


def status_of(program: Program, step: int) -> TaskResultStatus:
    """Return how the task at `step` stands; one that its program ended before has failed, too."""
    if program.step > step or program.finished_at is not None:
        return TaskResultStatus.SUCCESSFUL
    if program.errored_at is not None or program.stopped_at is not None:
        return TaskResultStatus.FAILED
    if program.step == step and program.worker is not None:
        return TaskResultStatus.RUNNING
    return TaskResultStatus.READY


def ended_at(program: Program, step: int, attempts: Sequence[Attempt]) -> datetime | None:
    """Return when the task at `step` ended: within its program, with its last attempt."""
    if program.step > step:
        return attempts[-1].ended_at if attempts else None
    return program.finished_at or program.errored_at or program.stopped_at


def errors_of(program: Program, step: int, attempts: Sequence[Attempt]) -> list[TaskError]:
    """Return what went wrong: an error for each attempt that failed, and one for a stop."""
    errors = []
    for attempt in attempts:
        if attempt.outcome == Ending.LOST:
            errors.append(own_error(WorkerLost))
        elif attempt.error_class is not None:
            kind = attempt.error_class
            path = kind if "." in kind else f"builtins.{kind}"
            errors.append(TaskError(exception_class_path=path, traceback=attempt.traceback or kind))
    if program.stopped_at is not None and program.step <= step:
        errors.append(own_error(StopRequested))
    return errors


def own_error(kind: type[ProgramExecutorError]) -> TaskError:
    """Return an error that no code raised: its docstring stands for a traceback."""
    return TaskError(
        exception_class_path=f"{kind.__module__}.{kind.__qualname__}",
        traceback=getdoc(kind) or kind.__name__,
    )


def as_enqueued(task: Task[..., Any], program: Program, alias: str) -> Task[..., Any]:
    """Return the task as `using` made it for this program.

    Not by `using`, which asks whether it could be enqueued now: `QUEUES` may be others by now.
    """
    changed = {
        "backend": alias,
        "priority": 0,
        "queue_name": program.queue or DEFAULT_QUEUE,
        "run_after": program.run_at,
    }
    same = object.__new__(type(task))
    for field in fields(task):
        object.__setattr__(same, field.name, changed.get(field.name, getattr(task, field.name)))
    return same


# The tasks and their backends -----------------------------------------------------------------


def task_named(job: Any) -> Task[..., Any] | None:
    """Return the task whose job has this name, where this process knows it as one."""
    found = getattr(registry.find(job), "task", None) if isinstance(job, str) else None
    return found if isinstance(found, Task) else None


def backend_of(task: Task[..., Any]) -> BaseTaskBackend:
    """Return the backend that runs the task: its own, or the first that runs programs."""
    own = task.get_backend()
    if runs_programs(own):
        return own
    return next(filter(runs_programs, task_backends.all()), own)


def runs_programs(backend: object) -> bool:
    """Tell whether this is a `ProgramsBackend`, which stands on top of this file."""
    return getattr(backend, "runs_programs", False) is True

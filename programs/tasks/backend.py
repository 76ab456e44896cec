"""The backend: `TASKS = {"default": {"BACKEND": "programs.tasks.ProgramsBackend"}}`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

from django.core import checks
from django.db import transaction
from django.utils import timezone

from programs.errors import InvalidJob
from programs.specification import QUEUE_NAME_LENGTH
from programs.submission import create_program
from programs.tasks import result
from programs.tasks.framework import (
    BaseTaskBackend,
    InvalidTask,
    Task,
    TaskResult,
    TaskResultStatus,
    task_enqueued,
)
from programs.tasks.job import TaskJob, know

ID = "programs."  # of checks, whose numbers stand in docs/settings.md

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

_warned_of: set[str] = set()  # tasks, each once a process


class ProgramsBackend(BaseTaskBackend):
    """Runs each task as a program of one job, whose run id is the id of the task's result."""

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = False  # give what is urgent a queue, and the queue a worker

    runs_programs = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self._given_queues = params.get("QUEUES", [])

    def validate_task(self, task: Task[..., Any]) -> None:
        """Refuse a task that cannot run here by `InvalidTask`; register the job of one that can."""
        super().validate_task(task)
        try:
            know(task)
        except InvalidJob as error:
            raise InvalidTask(str(error)) from error

    def enqueue(
        self, task: Task[P, R], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> TaskResult[P, R]:
        """Store a program that runs the task, in the caller's transaction.

        Raises `InvalidTask`, `TypeError` and `ValueError` for arguments that are no JSON, and
        `InvalidProgram` for what cannot be stored, such as more than `DATA_LIMIT` bytes.
        """
        self.validate_task(task)
        _warn_of_hidden(know(task))
        enqueued: TaskResult[P, R] = TaskResult(
            task=task,
            id="",
            status=TaskResultStatus.READY,
            enqueued_at=None,
            started_at=None,
            last_attempted_at=None,
            finished_at=None,
            args=list(args),
            kwargs=dict(kwargs),
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )
        run_at = task.run_after
        if run_at is not None and timezone.is_naive(run_at):
            run_at = timezone.make_aware(run_at)  # a project without USE_TZ
        program = create_program(
            [task.module_path],
            job_data={task.module_path: {"args": enqueued.args, "kwargs": enqueued.kwargs}},
            queue=task.queue_name,
            run_at=run_at,
        )
        object.__setattr__(enqueued, "id", program.run_id)
        object.__setattr__(enqueued, "enqueued_at", program.created_at)

        def tell() -> None:
            task_enqueued.send_robust(type(self), task_result=enqueued)

        transaction.on_commit(tell, using=program.alias, robust=True)
        return enqueued

    def get_result(self, result_id: str) -> TaskResult[..., Any]:
        """Return the result of this id, as the database has it now."""
        return result.read(result_id, self.alias)

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """E012: there are no such options, E013: no such queues."""
        found: list[checks.CheckMessage] = []
        place = f"TASKS[{self.alias!r}]"
        if self.options:
            found.append(
                checks.Error(
                    f"{place}['OPTIONS'] has {sorted(map(str, self.options))}, "
                    "but ProgramsBackend has no options.",
                    hint="Leave OPTIONS out; what can be set stands in PROGRAM_EXECUTOR.",
                    id=f"{ID}E012",
                )
            )
        given = self._given_queues
        if not isinstance(given, (list, tuple, set, frozenset)) or not all(map(_is_queue, given)):
            found.append(
                checks.Error(
                    f"{place}['QUEUES'] must be a list of names of queues, each of at most "
                    f"{QUEUE_NAME_LENGTH} characters, not {given!r:.100}.",
                    hint='For example: "QUEUES": ["default", "mail"]; [] allows any.',
                    id=f"{ID}E013",
                )
            )
        return found


def _is_queue(name: object) -> bool:
    is_text = isinstance(name, str) and name.isprintable() and bool(name.strip())
    return is_text and len(str(name)) <= QUEUE_NAME_LENGTH


def _warn_of_hidden(job: type[TaskJob]) -> None:
    """Say once that workers may not know the task: its module was imported after the start."""
    if job.is_known_at_start or job.name in _warned_of:
        return
    _warned_of.add(job.name)
    logger.warning(
        "task %s stands in a module that is not imported at the start: workers may not know it. "
        "Name the module in PROGRAM_EXECUTOR['JOB_MODULES'], or move it to the app's tasks.py.",
        job.name,
        extra={"action": "task_hidden"},
    )

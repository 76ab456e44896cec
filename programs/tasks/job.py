"""A task as a job: its name is the path of its function, its job data holds the arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar, TypeVar

from django.apps import apps

from programs import registry
from programs.data import JsonObject
from programs.errors import InvalidData, InvalidJob
from programs.job import Job, JobData
from programs.message import Message
from programs.tasks import listeners, result
from programs.tasks.framework import Task, TaskContext, normalize_json

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

POLICY = "_programs_retries"  # where `retries` leaves its word, at the function


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramContext(TaskContext):  # type: ignore[type-arg,misc]  # its stub is not frozen; it is
    """The context of a task: that of the framework, and what any job is given.

    The job data holds the arguments of the task: merge into it, and never set it.
    """

    message: Message
    job_data: JobData

    @property
    def attempt(self) -> int:
        """1 for the first try."""
        return self.message.attempt


class TaskJob(Job):
    """Runs one task."""

    task: ClassVar[Task[..., Any]]
    is_known_at_start: ClassVar[bool]  # so that a worker of the same code knows it, too

    def execute(self, message: Message, job_data: JobData) -> None:
        """Call the task's function, and keep what it returns for its result."""
        args, kwargs = arguments(job_data.get(), message)
        if self.task.takes_context:
            task_result = result.read(f"{message.run_id}:{message.step}")
            args = [
                ProgramContext(task_result=task_result, message=message, job_data=job_data),
                *args,
            ]
        value = normalize_json(self.task.call(*args, **kwargs))
        if value is not None or result.RETURN_VALUE in job_data.get():
            job_data.merge({result.RETURN_VALUE: value})


def arguments(given: JsonObject, message: Message) -> tuple[list[Any], dict[str, Any]]:
    """Return what a task is to be called with; raise `InvalidData` where that is not said so."""
    args, kwargs = given.get("args", []), given.get("kwargs", {})
    place = f"job_data[{message.job!r}]"
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise InvalidData(f"{place} must have a list as 'args' and a dict as 'kwargs'")
    if given and message.attempt == 1 and not given.keys() & {"args", "kwargs"}:
        example = f"{{'kwargs': {{{next(iter(given))!r}: ...}}}}"
        raise InvalidData(f"{place} has neither 'args' nor 'kwargs': is {example} meant?")
    return args, kwargs


def retries(
    *,
    max_retries: int | None = Job.max_retries,
    retry_delay: float = Job.retry_delay,
    retry_backoff: float = Job.retry_backoff,
) -> Callable[[FunctionT], FunctionT]:
    """Say how a task is tried again after retryable errors; to be used below `@task`.

    The arguments mean what they mean at a `Job`. Raises `InvalidJob` for what cannot be meant.
    """
    if max_retries is not None and (type(max_retries) is not int or max_retries < 0):
        raise InvalidJob(f"max_retries must be a number from 0 on, or None, not {max_retries!r}")
    for name, value in (("retry_delay", retry_delay), ("retry_backoff", retry_backoff)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
            raise InvalidJob(f"{name} must be a number from 0 on, not {value!r}")

    def leave_word(function: FunctionT) -> FunctionT:
        if isinstance(function, Task):
            raise InvalidJob("retries stands above @task: put it below, at the function itself")
        policy = {
            "max_retries": max_retries,
            "retry_delay": retry_delay,
            "retry_backoff": retry_backoff,
        }
        setattr(function, POLICY, policy)
        return function

    return leave_word


def know(task: Task[..., Any]) -> type[TaskJob]:
    """Register the job of a task, if that was not done yet, and return it.

    Raises `InvalidJob` when its path is too long, or the name of another job.
    """
    known = registry.find(task.module_path)
    if known is not None and issubclass(known, TaskJob) and known.task.func is task.func:
        return known
    body = {
        "__doc__": task.func.__doc__,
        "__module__": task.func.__module__,
        "__qualname__": task.func.__qualname__,
        "name": task.module_path,
        "task": task,
        "is_known_at_start": not apps.ready,
        **getattr(task.func, POLICY, {}),
    }
    job = registry.register(type(task.name, (TaskJob,), body))
    listeners.listen(job)
    return job


def know_all(modules: Iterable[ModuleType]) -> None:
    """Register the tasks of these modules; those of other backends too, for `using` sends them."""
    for module in modules:
        for value in list(vars(module).values()):
            if isinstance(value, Task):
                with suppress(InvalidJob):  # who enqueues it is told
                    know(value)

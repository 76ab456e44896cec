"""Tasks for tests, as a project would write them: each does what its name says."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from django.db import transaction

from programs.conf import settings
from programs.errors import IgnorableError, RetryableError
from programs.models import Program
from programs.tasks import retries
from programs.tasks.framework import task

logger = logging.getLogger(__name__)


@task
def add(a: Any, b: Any = 1) -> Any:
    """Adds two numbers.

    The console shows this.
    """
    return a + b


@task
async def add_asynchronously(a: int, b: int) -> int:
    return a + b + await Program.objects.filter(run_id="nobody").acount()


@task
def say_nothing() -> None:
    pass


@task
def log() -> None:
    logger.info("hello from a task")


@task(takes_context=True)
def tell_attempt(context: Any, until: int = 1) -> dict[str, Any]:
    """Fails until this attempt, then tells what its context says."""
    if context.attempt < until:
        raise RetryableError(f"not before attempt {until}", retry_after=0.01)
    return {
        "id": context.task_result.id,
        "status": context.task_result.status,
        "attempt": context.attempt,
        "attempts": context.task_result.attempts,
        "errors": len(context.task_result.errors),
        "key": context.message.idempotency_key,
    }


@task(takes_context=True)
def count_to(context: Any, to: int) -> int:
    """Counts with a checkpoint each, and gives way after each."""
    n = context.job_data.get().get("n", 0)
    if n < to:
        context.job_data.checkpoint({"n": n + 1}, max_execution_time=0)
    return int(n)


@task
def fail(text: str = "it broke") -> None:
    raise RuntimeError(text)


@task
def ignore() -> None:
    raise IgnorableError("nothing to do")


@task
@retries(max_retries=1, retry_delay=0.01)
def give_up() -> None:
    raise RetryableError.decorate(KeyError("never"))


@task
def return_what_is_no_json() -> object:
    return object()


@task
def return_much(characters: int) -> str:
    return "x" * characters


@task
def leave_transaction_open() -> str:
    transaction.atomic(using=settings.DATABASE).__enter__()
    return "lost"


@task(queue_name="mail")
def wait_for_file(path: str) -> str:
    while not Path(path).exists():
        time.sleep(0.005)
    return Path(path).read_text()

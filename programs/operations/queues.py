"""What operators do to a whole queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction

from programs.conf import settings
from programs.errors import InvalidProgram, OperationRefused
from programs.models import Operation, Queue, Verb
from programs.models.queue import QueueQuerySet
from programs.signature import Signature, told

NAME_LENGTH = 100  # characters
DEEDS: dict[str, str] = {Verb.PAUSE_QUEUE: "paused", Verb.RESUME_QUEUE: "resumed"}


def pause_queue(
    name: str, *, by: str | None = None, reason: str = "", using: str | None = None
) -> Queue:
    """Let no worker start or carry on a program of this queue, from about a second from now.

    Jobs that run end first. The queue need not exist: what is created in it later waits as well.
    """
    return _turn(name, Verb.PAUSE_QUEUE, QueueQuerySet.pause, by, reason, using)


def resume_queue(
    name: str, *, by: str | None = None, reason: str = "", using: str | None = None
) -> Queue:
    """Let workers take up the programs of this queue again, within about a second."""
    return _turn(name, Verb.RESUME_QUEUE, QueueQuerySet.resume, by, reason, using)


def _turn(
    name: str,
    verb: Verb,
    act: Callable[[QueueQuerySet], bool],
    by: str | None,
    reason: str,
    using: str | None,
) -> Queue:
    """Change the queue if it is not so already; record who did it and why."""
    using = using or settings.DATABASE
    name, signature = _checked(name), Signature.of(by, reason)
    same = Queue.objects.using(using).filter(name=name)
    before, after = "paused", "open"
    if verb is Verb.PAUSE_QUEUE:
        before, after = after, before
        Queue.objects.using(using).get_or_create(name=name)
    with transaction.atomic(using=using):
        if done := act(same):
            Operation.objects.using(using).create(
                subject=name,
                verb=verb,
                by=signature.by,
                reason=signature.reason,
                detail={"from": before, "to": after},
            )
    queue = same.first()
    if queue is None or not done:
        last = queue.last_operation() if queue is not None else None
        who = told(last, DEEDS[last.verb]) if last is not None else ""
        raise OperationRefused(f"queue {name} is {after}{who}: it cannot be {DEEDS[verb]}")
    return queue


def _checked(name: Any) -> str:
    if not isinstance(name, str):
        raise InvalidProgram("queue", f"must be a text, not {type(name).__name__}")
    if not name.strip() or len(name) > NAME_LENGTH:
        length = len(name.strip())
        raise InvalidProgram("queue", f"must have 1 to {NAME_LENGTH} characters, not {length}")
    if not name.isprintable():
        raise InvalidProgram("queue", "holds characters that cannot be printed")
    return name

"""What operators do to a worker."""

from __future__ import annotations

from django.db import transaction

from programs.conf import settings
from programs.errors import OperationRefused
from programs.models import Operation, Verb, Worker
from programs.signature import Signature, told


def drain_worker(worker: Worker | str, *, by: str | None = None, reason: str = "") -> Worker:
    """Let a worker end in good order: it claims nothing more, and its running jobs end first.

    It hears of that with its next heartbeat (every third of a lease), and does then what it does
    at its first SIGTERM. Takes the worker or its name.
    """
    using = worker.alias if isinstance(worker, Worker) else settings.DATABASE
    name = worker.name if isinstance(worker, Worker) else worker
    signature = Signature.of(by, reason)
    rows = Worker.objects.using(using)
    with transaction.atomic(using=using):
        done = rows.filter(name=name).ask_to_drain()
        if done:
            Operation.objects.using(using).create(
                subject=name,
                verb=Verb.DRAIN_WORKER,
                by=signature.by,
                reason=signature.reason,
                detail={"from": "live", "to": "draining"},
            )
    row = rows.filter(name=name).first()
    if row is None:
        raise OperationRefused(f"there is no worker named {name!r}: it cannot be drained")
    if not done:
        raise OperationRefused(f"worker {name} {_circumstances(row)}: it cannot be drained")
    return row


def _circumstances(worker: Worker) -> str:
    if worker.stopped_at is not None:
        return "has ended"
    if not Worker.objects.using(worker.alias).live().filter(pk=worker.pk).exists():
        return "has not been heard of for over a lease"
    return f"is draining{told(worker.last_drain(), 'drained')}"

"""Telling at once: what listens to the signals of ends, in workers and in web processes."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from django.db.models.signals import post_delete, post_save

from programs import signals
from programs.models import Program, Webhook
from programs.models.deadlines import answer_expected
from programs.webhooks.ends import End, deliver

INTERVAL = 5.0  # seconds from one reading of the active webhooks to the next, where one is needed

_known: dict[str, tuple[float, list[Webhook]]] = {}  # by database: when they were read, and which


def active(using: str) -> list[Webhook]:
    """Return the active webhooks, as they were at most a few seconds ago.

    Another process's new ones are missed for so long: who catches up finds what ended meanwhile.
    """
    read_at, found = _known.get(using, (float("-inf"), []))
    if monotonic() - read_at >= INTERVAL:
        _known[using] = (monotonic(), found)  # first: of many threads, and in an outage, one asks
        with answer_expected(using):
            found = list(Webhook.objects.using(using).active())
        _known[using] = (monotonic(), found)
    return found


def forget(**sent: object) -> None:
    """Read the webhooks again: this process has changed one."""
    _known.clear()


def _telling(event: str) -> Callable[..., None]:
    """Return what creates deliveries when a program ends in `event`."""

    def tell(program: Program, **sent: Any) -> None:
        using = program.alias
        webhooks = [webhook for webhook in active(using) if webhook.tells(event)]
        if not webhooks:
            return
        # The slot's own instance does not know the moment that the database has stamped.
        rows = Program.objects.using(using).defer("program_data", "job_data")
        with answer_expected(using):
            row = rows.filter(pk=program.pk).first()
        end = None if row is None else End.of(row, event)
        for webhook in webhooks:
            if end is not None:
                deliver(webhook, [end], using)

    return tell


signals.program_finished.connect(_telling("finished"), weak=False, dispatch_uid=__name__)
signals.program_errored.connect(_telling("errored"), weak=False, dispatch_uid=__name__)
signals.program_stopped.connect(_telling("stopped"), weak=False, dispatch_uid=__name__)
post_save.connect(forget, sender=Webhook, dispatch_uid=__name__)
post_delete.connect(forget, sender=Webhook, dispatch_uid=__name__)

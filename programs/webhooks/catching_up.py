"""Catching up: what ended, and nobody was told of, since its worker died in between.

A worker's child looks every half minute, and so does each other one: the first of them finds
what there is, the others find that it was done. All the same: each delivery exists once.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.db import connections, reset_queries
from django.db.models import Q

from programs.conf import settings
from programs.models import Program, State, Webhook
from programs.models.clock import Utc
from programs.models.deadlines import answer_expected
from programs.models.persistence import TRANSIENT_ERRORS
from programs.models.webhook import EVENTS
from programs.webhooks.ends import End, deliver

logger = logging.getLogger(__name__)

INTERVAL = 30.0  # seconds between two looks
OVERLAP = 120.0  # seconds: an end is stamped when it is written, and seen once it is committed
BATCH = 500  # programs of one statement
PATIENCE = 60.0  # seconds that one look goes on; the next one carries on from there


class CatchUp(threading.Thread):
    """The thread of a child that catches up; its connection lasts only while it looks."""

    def __init__(self) -> None:
        super().__init__(name="webhooks", daemon=True)
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(INTERVAL * random.uniform(0.5, 1.0)):  # noqa: S311 (jitter)
            catch_up()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()


def catch_up() -> int:
    """Create what deliveries are missing, and return how many; never raises."""
    using = settings.DATABASE
    created = 0
    try:
        with answer_expected(using):
            # Whoever switches one on, and be it by SQL: what ended before is not told.
            Webhook.objects.inactive().behind(INTERVAL / 2).start()
            stale = list(Webhook.objects.active().behind(INTERVAL / 2))
        for webhook in stale:
            created += _catch_up_with(webhook, using)
    except TRANSIENT_ERRORS as error:
        logger.warning(
            "the database does not say which webhooks to tell, trying again: %s",
            str(error).strip(),
            extra={"action": "webhooks_failed"},
        )
    except Exception:  # (ours: the thread must not die of it)
        logger.exception("the webhooks are not told", extra={"action": "webhooks_failed"})
    finally:
        if not connections[using].in_atomic_block:
            connections[using].close()
            reset_queries()
    return created


def _catch_up_with(webhook: Webhook, using: str) -> int:
    """Look through what ended since the webhook's cursor, and put the cursor behind it."""
    began = monotonic()
    created, reached = 0, list[datetime]()
    for event in filter(webhook.tells, EVENTS):
        for ends in _ends(webhook, event, using):
            created += deliver(webhook, ends, using)
            if monotonic() - began > PATIENCE:
                reached.append(ends[-1].ended_at)
                break
    same = Webhook.objects.using(using).filter(pk=webhook.pk)
    # By the database's clock, as it was before the first look.
    with answer_expected(using):
        same.reach(min(reached) if reached else Utc(after=began - monotonic() - 1.0))
    if created:
        logger.info(
            "%s: %d deliveries that were missing are created",
            webhook,
            created,
            extra={"action": "webhooks_caught_up"},
        )
    return created


def _ends(webhook: Webhook, event: str, using: str) -> Iterator[list[End]]:
    """Yield what ended in `event` since the cursor, in batches, oldest first: by an index."""
    column = f"{event}_at"
    rows = Program.objects.using(using).in_state(State(event)).order_by(column, "pk")
    rows = rows.filter(**{f"{column}__gte": _from(webhook)})
    last: tuple[Any, int] | None = None
    while True:
        batch = rows
        if last is not None:
            moment, pk = last
            behind = Q(**{f"{column}__gt": moment}) | Q(**{column: moment, "pk__gt": pk})
            batch = rows.filter(behind, **{f"{column}__gte": moment})
        with answer_expected(using):
            programs = list(batch.defer("program_data", "job_data")[:BATCH])
        ends = [end for program in programs if (end := End.of(program, event)) is not None]
        if ends:
            yield ends
            last = ends[-1].ended_at, ends[-1].program.pk
        if len(programs) < BATCH:
            return


def _from(webhook: Webhook) -> datetime:
    return max(webhook.since, webhook.seen_at - timedelta(seconds=OVERLAP))

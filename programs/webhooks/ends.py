"""Ends of programs, and the deliveries that tell of them: one for each webhook and end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from programs import registry
from programs.conf import settings
from programs.data import JsonObject
from programs.errors import IdempotencyConflict, InvalidProgram
from programs.models import Program, Webhook
from programs.models.clock import instant
from programs.models.columns import DEFAULT_QUEUE, NAME_LENGTH
from programs.models.deadlines import answer_expected
from programs.submission import create_program, create_programs

logger = logging.getLogger(__name__)

JOB = "programs.webhook"
JOBS_TOLD = 100  # names of jobs in one call: receivers want small bodies


@dataclass(frozen=True)
class End:
    """One end of one program. A program that is retried may have several."""

    program: Program
    event: str
    ended_at: datetime

    @classmethod
    def of(cls, program: Program, event: str) -> End | None:
        """Return how this row ended, or None where it has not ended so."""
        ended_at = getattr(program, f"{event}_at")
        return None if ended_at is None else cls(program, event, ended_at)

    @property
    def is_told(self) -> bool:
        """Whether anybody is told of it: of the engine's own programs nobody is.

        A delivery that was told of would be told of, and so on for ever.
        """
        return not registry.is_internal(self.program.jobs)

    def key(self, webhook: Webhook) -> str:
        """Return the idempotency key of the delivery of this end to `webhook`.

        By the moment of the end, not by the epoch: who edits an ended program's data raises that.
        """
        moment = f"{self.ended_at:%Y%m%d%H%M%S%f}"
        return f"{JOB} {webhook.pk} {self.program.pk} {self.event} {moment}"

    def told(self) -> JsonObject:
        """Return what the receiver is told, all but which delivery it is."""
        program = self.program
        names = program.jobs if isinstance(program.jobs, list) else []
        return {
            "type": f"program.{self.event}",
            "timestamp": self._instant(self.ended_at),
            "event": self.event,
            "run_id": program.run_id,
            "state": self.event,
            "jobs": [str(name)[:NAME_LENGTH] for name in names[:JOBS_TOLD]],
            "step": program.step,
            "error_message": program.error_message,
            "queue": program.queue,
            "created_by": program.created_by,
            "created_at": self._instant(program.created_at),
            "ended_at": self._instant(self.ended_at),
        }

    def delivery(self, webhook: Webhook) -> dict[str, Any]:
        """Return the arguments that create the delivery to `webhook`; its secret is not in them."""
        return {
            "jobs": [JOB],
            "program_data": {"webhook": webhook.pk, "body": self.told()},
            "queue": settings.WEBHOOK_QUEUE or self.program.queue or DEFAULT_QUEUE,
            "idempotency_key": self.key(webhook),
            "created_by": str(webhook),
        }

    def _instant(self, moment: datetime) -> str:
        """Return a moment in UTC, whether or not the project uses time zones."""
        return instant(moment, self.program.alias).isoformat().replace("+00:00", "Z")


def deliver(webhook: Webhook, ends: Sequence[End], using: str) -> int:
    """Create the deliveries of these ends that there are none of yet; return how many.

    Who else does so at the same moment creates the same ones: each exists once, by its key.
    """
    specifications = {end.key(webhook): end.delivery(webhook) for end in ends if end.is_told}
    with answer_expected(using):
        known = Program.objects.using(using).filter(idempotency_key__in=list(specifications))
        for key in known.values_list("idempotency_key", flat=True):
            specifications.pop(str(key), None)
        if not specifications:
            return 0
        try:
            return len(create_programs(specifications.values(), using=using))
        except (IdempotencyConflict, InvalidProgram):  # of one: the others shall be told of
            return sum(_is_created(each, using) for each in specifications.values())


def _is_created(specification: dict[str, Any], using: str) -> bool:
    try:
        return create_program(**specification, using=using).was_created
    except IdempotencyConflict:  # in another queue, by other settings: it exists
        return False
    except InvalidProgram as error:  # another program inserted the row, with a strange queue, say
        logger.error(
            "no webhook can be told of an end: %s: %s",
            specification["idempotency_key"],
            error,
            extra={"action": "webhooks_failed"},
        )
        return False

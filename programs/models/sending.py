"""What becomes of a program on its way to the original, which executes it.

Its `due_at` says when it is to be sent, and is empty once RabbitMQ has confirmed that it was. Who
sends it puts that off first: whoever else comes finds nothing to send, unless the first is gone.
"""

from __future__ import annotations

from typing import Any

from django.db.models import F

from programs.models.clock import Utc
from programs.models.columns import Columns
from programs.models.state import OPEN

SENDING = 60.0  # seconds after which one that was taken to be sent, and is not, is taken again


class Sending(Columns):
    """The verbs of the relay."""

    class Meta:
        abstract = True

    def take_to_send(self) -> bool:
        """Keep others from sending it; tell whether it is this caller's to send."""
        if (
            not self._as_taken()
            .filter(OPEN, due_at__lte=Utc())
            .update(due_at=Utc(after=SENDING), epoch=F("epoch") + 1)
        ):
            return False
        self.epoch += 1
        return True

    def note_sent(self) -> bool:
        """Note that RabbitMQ has it."""
        return bool(self._as_taken().update(due_at=None))

    def refuse_to_send(self, reason: str) -> bool:
        """End a program of which no message can be made."""
        return bool(
            self._as_taken().update(
                errored_at=Utc(), error_message=reason[:255], due_at=None, updated_at=Utc()
            )
        )

    def _as_taken(self) -> Any:
        rows = type(self)._default_manager.using(self.alias)
        return rows.filter(pk=self.pk, epoch=self.epoch, queue=self.queue)

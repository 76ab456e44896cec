"""What an operator does to a program, whoever holds it.

Each verb is conditional on what the operator's side has read (the epoch and the claim). It
returns False when that has changed: read again, decide again. On an unclaimed program it raises
the epoch, so that of two operators, or an operator and a claim, one wins and the other knows.
"""

from __future__ import annotations

from typing import Any

from django.db.models import F, Value
from django.db.models.functions import Coalesce, Greatest

from programs.data import JsonObject
from programs.models.clock import Utc
from programs.models.columns import DEFAULT_QUEUE, Columns
from programs.models.state import OPEN

# A row that another program inserted becomes ours once an operator sets it going.
ADOPTED = {"queue": Coalesce(F("queue"), Value(DEFAULT_QUEUE))}

STOPPED_BY_HAND = "stopped by an operator"

REOPENED = {
    **ADOPTED,
    "errored_at": None,
    "error_message": None,
    "stopped_at": None,
    "stop_requested_at": None,
    "step_retry_count": 0,
    "losses": 0,
}


class Steering(Columns):
    """The verbs of the operators."""

    class Meta:
        abstract = True

    def stop(self) -> bool:
        """End an unclaimed program now; ask the slot that holds a claimed one to end it.

        One that the original executes, or has inserted, is ended in its own way: it throws away
        what has errored.
        """
        if self.is_nodes or self.queue is None:
            return self._steer(errored_at=Utc(), error_message=STOPPED_BY_HAND, due_at=None)
        asked = {"stop_requested_at": Coalesce(F("stop_requested_at"), Utc())}
        if self.worker is None:
            return self._steer(**asked, stopped_at=Utc(), due_at=None)
        return self._steer(**asked)

    def pause(self) -> bool:
        """Park an unclaimed program; a claimed one is parked by its next outcome."""
        if self.worker is None:
            return self._steer(paused_at=Utc(), due_at=None)
        return self._steer(paused_at=Utc())

    def resume(self) -> bool:
        """Undo a pause: the program is due when it would have been."""
        if self.worker is None:
            due_at = Greatest(Coalesce(F("run_at"), Utc()), Utc())
            return self._steer(**ADOPTED, paused_at=None, due_at=due_at)
        return self._steer(paused_at=None)

    def reopen(self, from_step: int) -> bool:
        """Open an errored or stopped program again, at `from_step`, with its counters cleared."""
        return self._steer_ended(
            **REOPENED, paused_at=None, step=from_step, run_at=None, due_at=Utc()
        )

    def skip(self) -> bool:
        """Go on as if the current step had succeeded; behind the last one the program finishes."""
        if self.is_last_step:
            passed = {**REOPENED, "paused_at": None, "finished_at": Utc(), "due_at": None}
        else:
            passed = {**REOPENED, "step": self.step + 1, "run_at": None, "due_at": Utc()}
            if self.paused_at is not None:
                passed["due_at"] = None
        return self._steer_ended(**passed)

    def replace_data(
        self, program_data: JsonObject | None = None, job_data: JsonObject | None = None
    ) -> bool:
        """Put other data in the place of what is stored; None leaves it as it is."""
        changes: dict[str, Any] = {}
        if program_data is not None:
            changes["program_data"] = program_data
        if job_data is not None:
            changes["job_data"] = job_data
        return self._steer_ended(**changes)

    def _steer(self, **changes: Any) -> bool:
        return self._write_as_read(self._as_read().filter(OPEN), changes)

    def _steer_ended(self, **changes: Any) -> bool:
        """Write to a program that has ended, or waits: never to one that a slot holds."""
        return self._write_as_read(
            self._as_read().filter(worker__isnull=True, finished_at__isnull=True), changes
        )

    def _as_read(self) -> Any:
        rows = type(self)._default_manager.using(self.alias)
        return rows.filter(pk=self.pk, epoch=self.epoch, worker=self.worker, step=self.step)

    def _write_as_read(self, rows: Any, changes: dict[str, Any]) -> bool:
        if self.worker is None:
            changes = {**changes, "epoch": F("epoch") + 1}
        return bool(rows.update(**changes, updated_at=Utc()))

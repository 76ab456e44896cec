"""What a slot does to the program that it has claimed: every outcome is written here.

Each write is fenced: it filters on the epoch and worker of this instance's claim and on the step
that the outcome belongs to. A slot whose claim is gone matches no row and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Expression, F, Q

from programs.conf import settings
from programs.data import JsonObject
from programs.models.attempt import Ending, Record
from programs.models.clock import NOW, Utc
from programs.models.columns import Columns
from programs.models.deadlines import answer_expected
from programs.models.operation import Verb
from programs.models.persistence import PATIENCE, persist
from programs.models.writing import write

Changes = Mapping[str, Any]
T = TypeVar("T")

ERROR_MESSAGE_LENGTH = 255  # characters, as in the original's table
TURNS = 100  # tries to write an outcome while operators change the program in between


class Standing(Enum):
    """How a program stands once an outcome is written."""

    HELD = "held"  # still claimed by this slot: the next step follows
    RELEASED = "released"  # waits for its time, for any slot
    YIELDED = "yielded"  # due now, behind all that are due already
    FINISHED = "finished"
    ERRORED = "errored"
    STOPPED = "stopped"
    PAUSED = "paused"
    DISCARDED = "discarded"  # somebody set errored_at by hand: the original's way to stop one
    LOST = "lost"  # the claim is not ours any more; nothing was written


RELEASED: Changes = {"worker": None}
PARKED: Changes = {"worker": None, "due_at": None}
UNDISTURBED: Changes = {"stop_requested_at__isnull": True, "paused_at__isnull": True}


class Transitions(Columns):
    """The verbs of the slot that holds this program."""

    class Meta:
        abstract = True

    def advance(self, attempt: Record) -> Standing:
        """Go on to the next step, under the same claim."""
        progress = {
            "step": self.step + 1,
            "step_retry_count": 0,
            "losses": 0,
            "step_started_at": NOW,
        }
        return self._leave_open(attempt, progress, {}, Standing.HELD)

    def finish(self, attempt: Record) -> Standing:
        """End the program well. The step stays at the last index, as in the original."""
        changes = {"finished_at": NOW, "step_retry_count": 0, "losses": 0}
        return self._end(attempt, changes, Standing.FINISHED)

    def fail(self, attempt: Record, message: str) -> Standing:
        """End the program errored: the jobs that remain are not run."""
        changes = {"errored_at": NOW, "error_message": message[:ERROR_MESSAGE_LENGTH]}
        return self._end(attempt, changes, Standing.ERRORED)

    def retry_later(self, attempt: Record, message: str, delay: float) -> Standing:
        """Try the same step again in `delay` seconds, counted as a retry."""
        progress = {
            "step_retry_count": self.step_retry_count + 1,
            "losses": 0,
            "error_message": message[:ERROR_MESSAGE_LENGTH],
            "run_at": Utc(after=delay),
        }
        release = {**RELEASED, "due_at": Utc(after=delay)}
        return self._leave_open(attempt, progress, release, Standing.RELEASED)

    def postpone(self, attempt: Record, message: str, delay: float) -> Standing:
        """Let any slot look at the same step again in `delay` seconds; no retry is counted."""
        progress = {"error_message": message[:ERROR_MESSAGE_LENGTH]}
        release = {**RELEASED, "due_at": Utc(after=delay)}
        return self._leave_open(attempt, progress, release, Standing.RELEASED)

    def give_back(self, attempt: Record | None = None) -> Standing:
        """Go to the back of the queue; with an attempt: its job carries on from its data."""
        progress = {"losses": 0} if attempt else {}
        release = {**RELEASED, "due_at": NOW}
        return self._leave_open(attempt, progress, release, Standing.YIELDED)

    def lose(self, *, counted: bool, expired: bool = False) -> Standing:
        """Release the claim of a slot that is gone, and quarantine a job that keeps killing.

        `counted`: its process died with the job; the third such loss on one step ends the
        program. `expired`: only if the lease has run out and was not renewed meanwhile.
        """
        with answer_expected(self.alias):
            number = self.attempts.numbers().get(self.step, 0) + 1
        attempt = Record(
            program_id=self.pk,
            step=self.step,
            job=self.job or "(none)",
            number=number,
            epoch=self.epoch,
            worker=self.worker or "",
            started_at=self.step_started_at,
            ended_at=NOW,
            outcome=Ending.LOST if counted else Ending.INTERRUPTED,
        )
        needs: Changes = {"due_at__lte": NOW} if expired else {}
        losses = self.losses + counted
        if losses >= settings.LOSS_LIMIT:
            message = f"worker lost {losses} times at step {self.step}"
            changes = {"errored_at": NOW, "error_message": message, "losses": losses}
            return self._end(attempt, changes, Standing.ERRORED, needs)
        release = {**RELEASED, "due_at": NOW}
        return self._leave_open(attempt, {"losses": losses}, release, Standing.YIELDED, needs)

    def hold(self, lease: float, patience: float) -> bool:
        """Renew this claim for `lease` seconds; tell whether it was still ours.

        Raises one of `TRANSIENT_ERRORS` when the database does not answer for `patience` seconds.
        """
        return self._write(None, {"due_at": Utc(after=lease)}, {}, patience)

    def survive(self) -> None:
        """Take back the loss that was counted for this claim while its process was alive.

        Only until the slot that took over lets go of it: later, the losses may be others'.
        """
        lost = self.attempts.filter(step=self.step, epoch=self.epoch, outcome=Ending.LOST)

        def once() -> None:
            with transaction.atomic(using=self.alias):
                if lost.update(outcome=Ending.ABANDONED):
                    released = Q(epoch=self.epoch)
                    held_by_heir = Q(epoch=self.epoch + 1, worker__isnull=False)
                    same_step = self._rows(id=self.pk, step=self.step, losses__gt=0)
                    same_step.filter(released | held_by_heir).update(losses=F("losses") - 1)

        self._persist(once)

    def save_job_data(
        self, job: str, data: JsonObject, *, checkpoint: bool = False, patience: float = PATIENCE
    ) -> Standing:
        """Store the data of one job; a checkpoint also forgets losses and tells of a stop.

        Raises one of `TRANSIENT_ERRORS` when the database does not answer for `patience` seconds.
        """
        kept = {**self.job_data, job: data}
        changes: dict[str, Any] = {"job_data": kept}
        needs: Changes = {}
        if checkpoint:
            changes["losses"] = 0
            needs = {"stop_requested_at__isnull": True, "errored_at__isnull": True}
        standing = Standing.HELD
        if not self._write(None, changes, needs, patience):
            current = self._reread(patience)
            if current is None or not self._write(None, changes, {}, patience):
                return Standing.LOST
            if current.errored_at is not None:
                standing = Standing.DISCARDED
            elif current.stop_requested_at is not None:
                standing = Standing.STOPPED
        self._note(changes)
        return standing

    def throw_away(self) -> None:
        """Take a program that somebody ended by setting errored_at by hand out of the queue.

        Nobody runs it: it was not claimed, or its lease has run out.
        """
        by_hand = {"errored_at__isnull": False, "due_at__lte": NOW}
        same = self._rows(id=self.pk, epoch=self.epoch, worker=self.worker, **by_hand)
        same.update(**PARKED, updated_at=NOW)

    def end_if_asked(self) -> Standing:
        """Stop or park a program that was asked to while nobody ran it; else keep holding it."""
        if self.stop_requested_at is None and self.paused_at is None:
            return Standing.HELD
        return self._leave_open(None, {}, {}, Standing.HELD)

    def waited_for_job(self) -> tuple[int, bool]:
        """Return how often the current step's job was not known, and whether for too long.

        Counted since an operator last opened the program again.
        """
        missed = self.attempts.filter(step=self.step, outcome=Ending.UNKNOWN)
        opened = self.operations.filter(verb__in=(Verb.RETRY, Verb.SKIP)).last()
        if opened is not None:
            missed = missed.filter(ended_at__gt=opened.created_at)
        long_ago = Utc(after=-settings.UNKNOWN_JOB_LIMIT)
        return missed.count(), missed.filter(ended_at__lte=long_ago).exists()

    # How an outcome is written -------------------------------------------------------------

    def _leave_open(
        self,
        attempt: Record | None,
        progress: Changes,
        release: Changes,
        standing: Standing,
        needs: Changes | None = None,
    ) -> Standing:
        """Write progress and release; a stop or pause that came meanwhile decides the release."""
        needs = {**(needs or {}), "errored_at__isnull": True}
        for _ in range(TURNS):  # each further turn needs another operator's change in between
            if self._write(attempt, {**progress, **release}, {**needs, **UNDISTURBED}):
                self._note(progress)
                return standing
            current = self._reread()
            if current is None:
                return Standing.LOST
            if current.errored_at is not None:
                return self._discard(attempt)
            if current.stop_requested_at is not None:
                if self._write(attempt, {**progress, **PARKED, "stopped_at": NOW}, needs):
                    return Standing.STOPPED
            elif current.paused_at is not None:
                # A stop that came since must be seen, or nobody would look at this row again.
                as_read = {**needs, "paused_at__isnull": False, "stop_requested_at__isnull": True}
                if self._write(attempt, {**progress, **PARKED}, as_read):
                    return Standing.PAUSED
            if len(needs) > 1:
                return Standing.LOST  # the lease was renewed meanwhile: nothing to take over
        raise RuntimeError(f"the row of program {self.run_id} takes no outcome")

    def _end(
        self,
        attempt: Record,
        changes: Changes,
        standing: Standing,
        needs: Changes | None = None,
    ) -> Standing:
        """Write the one terminal state. A finished or failed last word beats stop and pause."""
        ending = {**changes, **PARKED}
        if self._write(attempt, ending, {**(needs or {}), "errored_at__isnull": True}):
            self._note(changes)
            return standing
        current = self._reread()
        if current is None or current.errored_at is None:
            return Standing.LOST
        return self._discard(attempt)

    def _discard(self, attempt: Record | None) -> Standing:
        """Let go of a program whose errored_at somebody set by hand; that is its last word."""
        return Standing.DISCARDED if self._write(attempt, PARKED, {}) else Standing.LOST

    def _write(
        self,
        attempt: Record | None,
        changes: Changes,
        needs: Changes,
        patience: float = PATIENCE,
    ) -> bool:
        """Write the row and the attempt in one transaction, if the fence and `needs` hold."""
        conditions = {
            "id": self.pk,
            "epoch": self.epoch,
            "worker": self.worker,
            "step": self.step,
            **needs,
        }
        changes = {**changes, "updated_at": NOW}

        def once() -> bool:
            if write(self, changes, conditions, attempt):
                return True
            # A repetition after a commit whose answer was lost finds the attempt written.
            # (A take-over's row for the same epoch tells of a loss: another outcome.)
            return attempt is not None and self._has(attempt)

        return self._persist(once, patience)

    def _has(self, attempt: Record) -> bool:
        same = {"step": attempt.step, "epoch": attempt.epoch, "outcome": attempt.outcome}
        return bool(self.attempts.filter(**same).exists())

    def _persist(self, once: Callable[[], T], patience: float = PATIENCE) -> T:
        return persist(once, self.alias, patience)

    def _reread(self, patience: float = PATIENCE) -> Columns | None:
        """Return the row as it is now, or None if this claim no longer holds it."""
        mine = self._rows(id=self.pk, epoch=self.epoch, worker=self.worker, step=self.step)
        current: Columns | None = self._persist(mine.first, patience)
        return current

    def _rows(self, **conditions: Any) -> Any:
        return type(self)._default_manager.using(self.alias).filter(**conditions)

    def _note(self, changes: Changes) -> None:
        """Carry what was written over to this instance, where it is a plain value."""
        for name, value in changes.items():
            if not isinstance(value, Expression):
                setattr(self, name, value)

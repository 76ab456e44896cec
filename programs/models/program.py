"""Programs: an ordered list of jobs with its data and its progress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connections, models, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from programs.conf import settings
from programs.models import compiled
from programs.models.claiming import adopting, claiming
from programs.models.clock import Utc
from programs.models.compiled import Rows
from programs.models.persistence import again_if_victim, brief_transaction
from programs.models.sending import Sending
from programs.models.state import CLAIMED, OPEN, State, where
from programs.models.steering import Steering
from programs.models.transitions import Transitions
from programs.models.waiting import Waiting


class Holding(NamedTuple):
    """What one slot holds, as the database sees it."""

    slot: str
    program: int  # its primary key
    epoch: int
    renewed: bool
    stop_requested: bool


class ProgramQuerySet(models.QuerySet["Program"]):
    def open(self) -> ProgramQuerySet:
        """Those that have not ended."""
        return self.filter(OPEN)

    def in_state(self, state: State) -> ProgramQuerySet:
        """Those that are in this state now."""
        return self.filter(where(state))

    def ripe(self, queue: str) -> ProgramQuerySet:
        """Those of one queue whose time has come, oldest first: an index holds this order."""
        return self.filter(queue=queue, due_at__lte=Utc()).order_by("due_at")

    def oldest(self, queue: str, most: int, losses_below: int | None = None) -> list[Program]:
        """Return the first `most` that wait in `queue`, or a few more, without their data."""
        most += -most % 8  # few numbers, for each is a statement of its own

        def rows() -> ProgramQuerySet:
            waiting = self.ripe(queue).unclaimed().defer("jobs", "program_data", "job_data")
            if losses_below is not None:
                waiting = waiting.filter(losses__lt=losses_below)
            return waiting[:most]

        key = ("oldest", queue, most, losses_below)
        return compiled.kept(self.db, key, lambda: Rows(rows())).fetch()

    def due(self, *queues: str) -> ProgramQuerySet:
        """Those that anyone may claim now: their time has come, or their lease has run out."""
        return self.filter(OPEN, queue__in=queues, due_at__lte=Utc())

    def unblemished(self) -> ProgramQuerySet:
        """Those that no worker was lost with: neither counted losses nor a claim left behind."""
        return self.unclaimed().filter(losses=0)

    def unclaimed(self) -> ProgramQuerySet:
        """Those that no slot has claimed, alive or not."""
        return self.filter(worker__isnull=True)

    def left_behind(self, worker: str) -> ProgramQuerySet:
        """Those that a slot of any worker but `worker` has claimed.

        The claims of its own dead children are the supervisor's, who knows that they are dead.
        """
        return self.filter(worker__isnull=False).exclude(worker__startswith=f"{worker}/")

    def held_by(self, slots: Sequence[str]) -> ProgramQuerySet:
        """Those claimed by these slots, whether or not the lease has run out."""
        return self.filter(worker__in=slots)

    def adoptable(self, into: Any = None) -> ProgramQuerySet:
        """Those that another program inserted into the table, and that nothing has touched.

        `into`: with those of this queue that were sent to the original, which executes it no more.
        """
        inserted = Q(queue__isnull=True)
        if into is not None:
            inserted |= Q(queue=into, paused_at__isnull=True)
        return self.filter(OPEN, inserted, due_at__isnull=True, worker__isnull=True)

    def claim(self, slot: str, lease: float) -> Program | None:
        """Claim the one selected program for `slot`, or return None if it is not to be had.

        One conditional UPDATE: of many that try at once, one matches the row.
        """
        claimed = again_if_victim(lambda: self.update(**self.claim_values(slot, lease)), self.db)
        return Program.objects.using(self.db).get(worker=slot) if claimed else None

    def claim_named(
        self, run_id: str, queues: Sequence[str], slot: str, lease: float
    ) -> Program | None:
        """Claim the unblemished program of this run id for `slot` if it is due in `queues`."""
        return claiming(self, queues, lease)(run_id, slot)

    @staticmethod
    def claim_values(slot: Any, lease: float) -> dict[str, Any]:
        """Return what a claim writes."""
        return {
            "worker": slot,
            "epoch": F("epoch") + 1,
            "due_at": Utc(after=lease),
            "started_at": Coalesce(F("started_at"), Utc()),
            "step_started_at": Utc(),
            "updated_at": Utc(),
        }

    def adopt(self, run_id: str, queue: str) -> bool:
        """Take the program of this run id into `queue`, if another program inserted it."""
        return bool(adopting(self).write((run_id, queue)))

    def unlocked(self) -> list[int]:
        """Return the primary keys of those whose rows nobody has locked, where that can be told.

        Inside a transaction they stay locked for the caller.
        """
        with transaction.atomic(using=self.db):
            free = self.order_by()
            if connections[self.db].features.has_select_for_update_skip_locked:
                free = free.select_for_update(skip_locked=True)
            return list(free.values_list("pk", flat=True))

    def renew(self, slots: Sequence[str], lease: float) -> list[Holding]:
        """Hold what these slots have claimed for another `lease` seconds, and return what that is.

        A lease that ran out but was not taken over is valid again. A row that a job's own long
        transaction has locked is passed over, so that it costs no neighbour its lease.
        """
        held = self.held_by(slots)
        with brief_transaction(self.db):
            renewed = set(held.unlocked())
            self.filter(pk__in=renewed).held_by(slots).update(due_at=Utc(after=lease))
            rows = held.order_by().values_list("worker", "pk", "epoch", "stop_requested_at")
            return [
                Holding(worker, pk, epoch, pk in renewed, asked is not None)
                for worker, pk, epoch, asked in rows
                if worker is not None
            ]


class ProgramManager(models.Manager["Program"]):
    def get_queryset(self) -> ProgramQuerySet:
        return ProgramQuerySet(self.model, using=self._db or settings.DATABASE)


def _index(name: str, *fields: str, only: Q | None = None) -> models.Index:
    return models.Index(fields=fields, name=f"{settings.TABLE_NAME}_{name}_idx", condition=only)


class Program(Transitions, Steering, Sending, Waiting):
    """One program. The row is the truth about it; everything else is a hint."""

    objects = ProgramManager.from_queryset(ProgramQuerySet)()

    class Meta:
        db_table = settings.TABLE_NAME
        ordering = ("-id",)
        # Not `unique=True`, which brings a second index for LIKE on PostgreSQL: each claim and
        # release writes to every index.
        unique_together = (("run_id",), ("idempotency_key",))
        # Partial, but for one: a program has an entry only while it is what the index is for.
        indexes = (
            _index("due", "queue", "due_at", only=Q(due_at__isnull=False)),
            _index("worker", "worker", only=CLAIMED),
            _index("finish", "finished_at", only=where(State.FINISHED)),
            _index("error", "errored_at", only=where(State.ERRORED)),
            _index("stop", "stopped_at", only=where(State.STOPPED)),
            _index("pause", "paused_at", only=where(State.PAUSED)),
            _index("asked", "stop_requested_at", only=where(State.STOPPING)),
            _index("create", "created_at"),
            _index("define", "definition", "created_at", only=Q(definition__isnull=False)),
        )
        permissions = (
            ("stop_program", "Can stop programs"),
            ("retry_program", "Can retry programs"),
            ("pause_program", "Can pause and resume programs"),
            ("skip_program_step", "Can skip a step of a program"),
            ("edit_program_data", "Can edit the data of programs"),
            ("reveal_secrets", "Can see secrets in the data of programs"),
        )

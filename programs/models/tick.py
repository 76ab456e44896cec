"""Ticks: what became of each moment of a schedule."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from programs.conf import settings
from programs.models.clock import Utc
from programs.models.program import Program
from programs.models.state import OPEN

KEPT = 1_000  # ticks of one schedule


class TickOutcome(models.TextChoices):
    """What became of a tick."""

    STARTED = "started", "started"
    SKIPPED = "skipped", "skipped"  # an earlier program was still open
    MISSED = "missed", "missed"  # nobody was there, and it was not to be caught up
    REFUSED = "refused", "refused"  # no program could be made of it: the message says why
    QUEUED = "queued", "queued"  # waits for the end of an earlier program


class TickQuerySet(models.QuerySet["Tick"]):
    def started(self) -> TickQuerySet:
        return self.filter(outcome=TickOutcome.STARTED)

    def running(self) -> TickQuerySet:
        """Those whose program has not ended."""
        return self.filter(program__in=Program.objects.using(self.db).filter(OPEN))


class TickManager(models.Manager["Tick"]):
    def get_queryset(self) -> TickQuerySet:
        return TickQuerySet(self.model, using=self._db or settings.DATABASE)


class Tick(models.Model):
    """One moment of a schedule. Its row is written in the transaction that starts the program."""

    schedule = models.ForeignKey(
        "programs.Schedule", on_delete=models.CASCADE, related_name="ticks", db_index=False
    )
    at = models.DateTimeField()  # when it should have been; of several that were missed, the last
    outcome = models.CharField(max_length=16, choices=TickOutcome.choices)
    count = models.IntegerField(default=1)  # missed ticks in a row make one row
    # No constraint in the database: the original's users delete programs by SQL of their own.
    program = models.ForeignKey(
        "programs.Program",
        on_delete=models.SET_NULL,
        related_name="ticks",
        db_constraint=False,
        null=True,
    )
    message = models.CharField(max_length=255, null=True)
    by = models.CharField(max_length=255, null=True)  # who said "run now"
    created_at = models.DateTimeField(db_default=Utc())

    objects = TickManager.from_queryset(TickQuerySet)()

    class Meta:
        db_table = f"{settings.TABLE_NAME}_tick"
        ordering = ("-at",)
        # Whoever comes second cannot start a second program; finds those of one schedule as well.
        unique_together = (("schedule", "at"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S}: {self.outcome}"

    def forget_older(self) -> None:
        """Keep `KEPT` ticks of the schedule; of older ones, those whose program is still open."""
        same = Tick.objects.using(self._state.db).filter(schedule_id=self.schedule_id)
        if (first := same.values_list("at", flat=True)[KEPT:][:1].first()) is None:
            return
        older = same.filter(at__lte=first)
        older.exclude(Q(pk__in=older.running().values("pk"))).delete()

"""Ticks: what became of each moment of a schedule."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from programs.conf import settings
from programs.models.clock import Utc
from programs.models.program import Program
from programs.models.schedule import Schedule

KEPT = 1_000  # ticks of one schedule
BATCH = 500  # of older ones, that are forgotten at a time


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
        return self.filter(program__in=Program.objects.using(self.db).open())


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

    @classmethod
    def forget_older(cls, schedule: Schedule) -> None:
        """Keep `KEPT` ticks of the schedule; of older ones, those that wait, or are still open."""
        same = cls.objects.using(schedule.alias).filter(schedule=schedule).order_by("-at")
        first = next(iter(same.values_list("at", flat=True)[KEPT : KEPT + 1]), None)
        if first is None:
            return
        is_open = Q(program__in=Program.objects.using(schedule.alias).open().values("pk"))
        # One that waits is to tell which program it was that started.
        older = same.filter(at__lte=first).exclude(is_open | Q(outcome=TickOutcome.QUEUED))
        # By their keys: MySQL deletes from no table that it asks at the same time.
        keys = list(older.values_list("pk", flat=True)[:BATCH])
        same.filter(pk__in=keys).delete()

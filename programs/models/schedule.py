"""Schedules: when programs of a definition start by themselves."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from programs.conf import settings
from programs.models.clock import Utc
from programs.models.definition import NAME_LENGTH

if TYPE_CHECKING:
    from programs.models.tick import TickQuerySet


class CatchUp(models.TextChoices):
    """What becomes of ticks that nobody was there for."""

    NONE = "none", "start none of them"
    LAST = "last", "start the last one"
    ALL = "all", "start all, up to a limit"


class Overlap(models.TextChoices):
    """What becomes of a tick while the program of an earlier one is still open."""

    ALLOW = "allow", "start another beside it"
    SKIP = "skip", "skip the tick"
    QUEUE = "queue", "start one more once it has ended"


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    def pending(self, now: datetime | None = None) -> ScheduleQuerySet:
        """Those with something to do: a tick whose time has come, first of all, or one that waits.

        `now`: by default what the database's clock says.
        """
        has_come = Q(next_at__lte=Utc() if now is None else now)
        return self.filter(has_come | Q(queued_at__isnull=False)).order_by("next_at")

    def paused(self) -> ScheduleQuerySet:
        """Those that operators have paused."""
        return self.filter(paused_at__isnull=False)

    def of(self, definition: str) -> ScheduleQuerySet:
        """Those that start programs of this definition."""
        return self.filter(definition=definition)


class ScheduleManager(models.Manager["Schedule"]):
    def get_queryset(self) -> ScheduleQuerySet:
        return ScheduleQuerySet(self.model, using=self._db or settings.DATABASE)


class Schedule(models.Model):
    """When programs of one definition start. Any worker sees to it, and none in particular."""

    if TYPE_CHECKING:
        id: int
        ticks: TickQuerySet

    # By name: it may be one in code, and be gone for a while.
    definition = models.CharField(max_length=NAME_LENGTH)
    description = models.CharField(max_length=255, default="", blank=True)
    cron = models.CharField(max_length=100, null=True)  # either this
    interval = models.IntegerField(null=True)  # or this, in seconds
    time_zone = models.CharField(max_length=64, default="UTC")
    program_data = models.JSONField(default=dict)  # these two: merged over the definition's
    job_data = models.JSONField(default=dict)
    catch_up = models.CharField(max_length=8, choices=CatchUp.choices, default=CatchUp.LAST)
    catch_up_limit = models.IntegerField(default=10)  # of "all"
    overlap = models.CharField(max_length=8, choices=Overlap.choices, default=Overlap.SKIP)
    paused_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True)  # of the next tick; NULL while it is paused
    queued_at = models.DateTimeField(null=True)  # of a tick that waits for an earlier program
    created_at = models.DateTimeField(db_default=Utc())
    updated_at = models.DateTimeField(db_default=Utc())
    created_by = models.CharField(max_length=255, null=True)

    objects = ScheduleManager.from_queryset(ScheduleQuerySet)()

    class Meta:
        db_table = f"{settings.TABLE_NAME}_schedule"
        ordering = ("id",)
        indexes = (
            models.Index(
                fields=("next_at",),
                name=f"{settings.TABLE_NAME}_next_idx",
                condition=Q(next_at__isnull=False),
            ),
        )
        default_permissions = ("view",)
        permissions = (("manage_schedules", "Can manage schedules"),)

    def __str__(self) -> str:
        return f"schedule {self.pk} ({self.definition})"

    @property
    def alias(self) -> str:
        """The database that this row was read from."""
        return self._state.db or settings.DATABASE

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None

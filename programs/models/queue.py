"""Queues: what operators said about them. A queue exists by being named; most have no row."""

from __future__ import annotations

from django.db import models

from programs.conf import settings
from programs.models.clock import Utc
from programs.models.operation import Operation, Verb

DEEDS = (Verb.PAUSE_QUEUE, Verb.RESUME_QUEUE)


class QueueQuerySet(models.QuerySet["Queue"]):
    def paused(self) -> QueueQuerySet:
        """Those whose programs no worker takes up."""
        return self.filter(paused_at__isnull=False)

    def pause(self) -> bool:
        """Let nobody take up programs of the one selected queue; False when it is so already."""
        return bool(self.filter(paused_at__isnull=True).update(paused_at=Utc()))

    def resume(self) -> bool:
        """Undo the pause of the one selected queue; False when there is none."""
        return bool(self.paused().update(paused_at=None))

    def names(self) -> frozenset[str]:
        return frozenset(self.values_list("name", flat=True))


class QueueManager(models.Manager["Queue"]):
    def get_queryset(self) -> QueueQuerySet:
        return QueueQuerySet(self.model, using=self._db or settings.DATABASE)


class Queue(models.Model):
    """A queue that an operator has paused once, at least."""

    name = models.CharField(max_length=100)
    paused_at = models.DateTimeField(null=True)

    objects = QueueManager.from_queryset(QueueQuerySet)()

    class Meta:
        db_table = f"{settings.TABLE_NAME}_queue"
        ordering = ("name",)
        unique_together = (("name",),)
        permissions = (("manage_queues", "Can pause and resume queues"),)

    def __str__(self) -> str:
        return self.name

    def last_operation(self) -> Operation | None:
        """Return what was done to it last."""
        # Those without a program are few, and an index finds them.
        rows = Operation.objects.using(self._state.db)
        return rows.filter(program__isnull=True, subject=self.name, verb__in=DEEDS).last()

"""Operations: what operators did to a program, a queue, a schedule …, by whom, when and why."""

from __future__ import annotations

from django.db import models

from programs.conf import settings
from programs.models.clock import Utc


class Verb(models.TextChoices):
    """What an operator can do."""

    STOP = "stop", "stopped"
    PAUSE = "pause", "paused"
    RESUME = "resume", "resumed"
    RETRY = "retry", "retried"
    SKIP = "skip", "moved on"
    EDIT = "edit", "edited"
    PAUSE_QUEUE = "pause_queue", "paused queue"
    RESUME_QUEUE = "resume_queue", "resumed queue"
    DRAIN_WORKER = "drain_worker", "drained worker"
    ADD_DEFINITION = "add_definition", "added definition"
    CHANGE_DEFINITION = "change_definition", "changed definition"
    DELETE_DEFINITION = "delete_definition", "deleted definition"
    CREATE_SCHEDULE = "create_schedule", "created schedule"
    CHANGE_SCHEDULE = "change_schedule", "changed schedule"
    DELETE_SCHEDULE = "delete_schedule", "deleted schedule"
    PAUSE_SCHEDULE = "pause_schedule", "paused schedule"
    RESUME_SCHEDULE = "resume_schedule", "resumed schedule"
    RUN_SCHEDULE = "run_schedule", "ran schedule"


class OperationManager(models.Manager["Operation"]):
    def get_queryset(self) -> models.QuerySet[Operation]:
        return models.QuerySet(self.model, using=self._db or settings.DATABASE)


class Operation(models.Model):
    """One thing that an operator did. The row is written in the transaction of the deed."""

    program = models.ForeignKey(
        "programs.Program",
        on_delete=models.CASCADE,
        related_name="operations",
        db_constraint=False,
        null=True,
    )
    subject = models.CharField(max_length=150, null=True)  # without a program: a queue, a worker …
    verb = models.CharField(max_length=32, choices=Verb.choices)
    by = models.CharField(max_length=255, null=True)
    reason = models.TextField(null=True)
    detail = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Utc())

    objects = OperationManager()

    class Meta:
        db_table = f"{settings.TABLE_NAME}_operation"
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.get_verb_display()} by {self.by or 'unknown'}"

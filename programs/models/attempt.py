"""Attempts: one try of one step under one claim, kept as history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.db.models import Max

from programs.conf import settings
from programs.models.clock import Utc


class Ending(models.TextChoices):
    """What an attempt ended in."""

    SUCCEEDED = "succeeded", "succeeded"  #: the job returned
    RETRIED = "retried", "failed, to be tried again"  #: a retryable error, retries left
    ERRORED = "errored", "failed"  #: an unexpected error, or retries used up
    IGNORED = "ignored", "failed, ignorable"  #: an ignorable error
    YIELDED = "yielded", "time used up"  #: ExecutionTimeExceeded: carries on from its data
    STOPPED = "stopped", "stopped"  #: ended at a checkpoint because an operator asked
    UNKNOWN = "unknown", "job not known here"  #: nothing ran: this worker does not know the job
    SKIPPED = "skipped", "skipped"  #: nothing ran: unknown jobs are skipped by setting
    LOST = "lost", "worker lost"  #: its process died, or its lease ran out
    INTERRUPTED = "interrupted", "interrupted"  #: its worker shut down before it ended
    ABANDONED = "abandoned", "lease lost"  #: its lease ran out while its process lived


NOTHING_RAN = (Ending.UNKNOWN, Ending.SKIPPED)


@dataclass(slots=True)
class Record:
    """What is to be kept of an attempt: the columns of its row, under their names.

    Moments may be expressions of the database's clock. (An instance of a model is ten times as
    slow to make, and each step makes one.)
    """

    program_id: int
    step: int
    job: str
    number: int
    epoch: int
    worker: str
    started_at: datetime | Utc | None
    ended_at: Utc
    outcome: Ending
    error_class: str | None = None
    message: str | None = None
    traceback: str | None = None
    log: str | None = None


class AttemptQuerySet(models.QuerySet["Attempt"]):
    def numbers(self) -> dict[int, int]:
        """Return the highest attempt number of each step, of those in which a job ran."""
        ran = self.exclude(outcome__in=NOTHING_RAN)
        return dict(ran.values_list("step").annotate(Max("number")).order_by())

    def forget_older(self, step: int, number: int) -> None:
        """Keep the history of a step that is tried without end within `ATTEMPTS_KEPT` rows.

        `number`: of the attempt that was just written.
        """
        keep = settings.ATTEMPTS_KEPT
        self.filter(step=step, number__lte=number - keep).delete()


class AttemptManager(models.Manager["Attempt"]):
    def get_queryset(self) -> AttemptQuerySet:
        return AttemptQuerySet(self.model, using=self._db or settings.DATABASE)


class Attempt(models.Model):
    """One try of one step. The row is written with the outcome, in the same transaction."""

    # No constraint in the database: the original's users delete programs by SQL of their own.
    program = models.ForeignKey(
        "programs.Program",
        on_delete=models.CASCADE,
        related_name="attempts",
        db_index=False,
        db_constraint=False,
    )
    step = models.IntegerField()
    job = models.CharField(max_length=255)
    number = models.IntegerField()
    epoch = models.IntegerField()
    worker = models.CharField(max_length=255)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField()
    outcome = models.CharField(max_length=16, choices=Ending.choices)
    error_class = models.CharField(max_length=255, null=True)
    message = models.TextField(null=True)
    traceback = models.TextField(null=True)
    log = models.TextField(null=True)

    objects = AttemptManager.from_queryset(AttemptQuerySet)()

    class Meta:
        db_table = f"{settings.TABLE_NAME}_attempt"
        # Repeated after a commit whose answer was lost, an outcome cannot be written twice.
        unique_together = (("program", "step", "epoch"),)
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.job} (step {self.step}), attempt {self.number}: {self.outcome}"

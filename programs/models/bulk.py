"""What became of each program that a bulk operation went over."""

from __future__ import annotations

from django.db import models

from programs.conf import settings
from programs.models.clock import Utc


class BulkOutcomeQuerySet(models.QuerySet["BulkOutcome"]):
    def refused(self) -> BulkOutcomeQuerySet:
        return self.filter(refusal__isnull=False)

    def done(self) -> BulkOutcomeQuerySet:
        return self.filter(refusal__isnull=True)


class BulkOutcomeManager(models.Manager["BulkOutcome"]):
    def get_queryset(self) -> BulkOutcomeQuerySet:
        return BulkOutcomeQuerySet(self.model, using=self._db or settings.DATABASE)


class BulkOutcome(models.Model):
    """One program, treated by a bulk operation. Written in the transaction of the deed."""

    # The program that carries the operation out.
    bulk = models.ForeignKey(
        "programs.Program",
        on_delete=models.CASCADE,
        related_name="bulk_outcomes",
        db_index=False,
        db_constraint=False,
    )
    run_id = models.CharField(max_length=255)  # of the program that it was done to
    refusal = models.TextField(null=True)  # why it was not done; None: it was
    created_at = models.DateTimeField(db_default=Utc())

    objects = BulkOutcomeManager.from_queryset(BulkOutcomeQuerySet)()

    class Meta:
        db_table = f"{settings.TABLE_NAME}_bulk"
        ordering = ("id",)
        # A bulk operation that goes on after a crash treats nothing twice.
        unique_together = (("bulk", "run_id"),)

    def __str__(self) -> str:
        return f"{self.run_id}: {self.refusal or 'done'}"

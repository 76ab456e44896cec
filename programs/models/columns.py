"""What is stored of a program, and what can be told from it."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from django.db import models

from programs import dialect
from programs.conf import settings
from programs.data import JsonObject
from programs.models.clock import Utc, now
from programs.models.state import ENDED, State

DEFAULT_QUEUE = "default"
NAME_LENGTH = 255  # characters of a job's name


def new_run_id() -> str:
    """Return a unique run id: 24 hexadecimal digits, those of later programs sort later."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"


if TYPE_CHECKING:
    from programs.models.attempt import AttemptQuerySet
    from programs.models.operation import Operation


class Columns(models.Model):
    """The columns of the table `programs`, and the readings of one row."""

    if TYPE_CHECKING:  # from the foreign keys of the other tables
        id: int
        attempts: AttemptQuerySet
        operations: models.QuerySet[Operation]

    # The original's columns, under the original's names.
    run_id = models.CharField(max_length=255, default=new_run_id)
    program_data = models.JSONField(default=dict)
    jobs = models.JSONField()
    job_data = models.JSONField(default=dict)
    step = models.IntegerField(default=0, db_default=0)
    step_retry_count = models.IntegerField(default=0, db_default=0)
    finished_at = models.DateTimeField(null=True)
    errored_at = models.DateTimeField(null=True)
    error_message = models.CharField(max_length=255, null=True)
    created_at = models.DateTimeField(db_default=Utc())
    updated_at = models.DateTimeField(db_default=Utc())

    # Ours: nullable or with a constant default, so that the original can insert rows.
    queue = models.CharField(max_length=100, null=True)
    run_at = models.DateTimeField(null=True)  # when an operator or a retry wants it
    due_at = models.DateTimeField(null=True)  # when anyone may claim it; claimed: end of the lease
    epoch = models.IntegerField(default=0, db_default=0)
    worker = models.CharField(max_length=255, null=True)
    started_at = models.DateTimeField(null=True)
    step_started_at = models.DateTimeField(null=True)
    losses = models.IntegerField(default=0, db_default=0)
    stop_requested_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True)
    idempotency_key = models.CharField(max_length=255, null=True)
    content_hash = models.CharField(max_length=64, null=True)
    created_by = models.CharField(max_length=255, null=True)
    definition = models.CharField(max_length=100, null=True)  # the name of what it was started from
    trace_parent = models.CharField(max_length=55, null=True)  # as W3C's header `traceparent`

    job_data_in_doubt = False  # written in a transaction of which we do not know that it commits
    was_created = False  # by the call that returned this instance, not by an earlier one

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.run_id

    @property
    def state(self) -> State:
        """Derive the state from the columns as this instance holds them."""
        for ended in ENDED:
            if getattr(self, f"{ended.value}_at") is not None:
                return ended
        if self.stop_requested_at is not None:
            return State.STOPPING
        if self.paused_at is not None:
            return State.PAUSED
        if self.worker is not None:
            return State.RUNNING
        if self.due_at is not None and self.due_at > now(self.alias):
            return State.SCHEDULED
        return State.WAITING

    @property
    def alias(self) -> str:
        """Return the alias of the database that this instance came from."""
        return self._state.db or settings.DATABASE

    @property
    def is_nodes(self) -> bool:
        """Tell whether the original executes it, and Python never."""
        return dialect.node_executes(self.queue)

    @property
    def job(self) -> str:
        """Return the name of the job of the current step; empty if the row holds none there."""
        if isinstance(self.jobs, list) and 0 <= self.step < len(self.jobs):
            name = self.jobs[self.step]
            if isinstance(name, str) and len(name) <= NAME_LENGTH:
                return name
        return ""

    @property
    def trace_id(self) -> str:
        """Return the id by which a tracing system knows the program's trace; empty without one."""
        parts = (self.trace_parent or "").split("-")
        return parts[1] if len(parts) == 4 else ""

    @property
    def is_last_step(self) -> bool:
        """Tell whether no job comes behind the current step."""
        return self.step >= len(self.jobs) - 1

    def data_of(self, job: str) -> JsonObject:
        """Return the stored job data of `job`; an empty object where none is stored."""
        data: JsonObject = self.job_data.get(job) or {}
        return data

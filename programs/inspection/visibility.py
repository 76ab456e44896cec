"""What of a program's data who may see: without a permission, secrets are masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from programs.conf import settings
from programs.data import JsonObject
from programs.redaction import masked

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


# What is told of a program or a schedule in a list, and of an attempt, by API and command line.
PROGRAM_FIELDS = (
    "run_id",
    "state",
    "jobs",
    "step",
    "step_retry_count",
    "queue",
    "error_message",
    "created_by",
    "definition",
    "idempotency_key",
    "worker",
    "epoch",
    "created_at",
    "run_at",
    "due_at",
    "started_at",
    "step_started_at",
    "updated_at",
    "paused_at",
    "stop_requested_at",
    "stopped_at",
    "finished_at",
    "errored_at",
)
SCHEDULE_FIELDS = (
    "id",
    "definition",
    "description",
    "cron",
    "interval",
    "time_zone",
    "catch_up",
    "catch_up_limit",
    "overlap",
    "paused_at",
    "next_at",
    "queued_at",
    "created_at",
    "updated_at",
    "created_by",
)
ATTEMPT_FIELDS = (
    "step",
    "job",
    "number",
    "outcome",
    "started_at",
    "ended_at",
    "worker",
    "error_class",
    "message",
    "traceback",
    "log",
)


def visible(value: Any, user: User | AnonymousUser) -> Any:
    """Return JSON as `user` may see it: without the permission, secrets are masked."""
    return shown(value, reveal=may_reveal(user))


def visible_job_data(job_data: Any, user: User | AnonymousUser) -> Any:
    """Return the data of all jobs as `user` may see it. A job's own name makes nothing secret."""
    return shown_job_data(job_data, reveal=may_reveal(user))


def shown(value: Any, *, reveal: bool) -> Any:
    """Return JSON with its secrets masked, unless they are to be revealed."""
    return value if reveal else masked(value, settings.SECRET_KEYS)


def shown_job_data(job_data: Any, *, reveal: bool) -> Any:
    """Return the data of all jobs likewise."""
    if not isinstance(job_data, dict):
        return shown(job_data, reveal=reveal)
    return {job: shown(own, reveal=reveal) for job, own in job_data.items()}


def visible_detail(detail: JsonObject, user: User | AnonymousUser) -> JsonObject:
    """Return what an operation has recorded as `user` may see it: of an edit, all the data."""
    shown = dict(detail)
    for side in ("before", "after"):
        if isinstance(data := detail.get(side), dict):
            shown[side] = {
                part: visible_job_data(own, user) if part == "job_data" else visible(own, user)
                for part, own in data.items()
            }
    return shown


def may_reveal(user: User | AnonymousUser) -> bool:
    return user.has_perm("programs.reveal_secrets")

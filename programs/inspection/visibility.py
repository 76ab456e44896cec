"""What of a program's data who may see: without a permission, secrets are masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from programs.conf import settings
from programs.data import JsonObject
from programs.redaction import masked

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


def visible(value: Any, user: User | AnonymousUser) -> Any:
    """Return JSON as `user` may see it: without the permission, secrets are masked."""
    return value if may_reveal(user) else masked(value, settings.SECRET_KEYS)


def visible_job_data(job_data: Any, user: User | AnonymousUser) -> Any:
    """Return the data of all jobs as `user` may see it. A job's own name makes nothing secret."""
    if not isinstance(job_data, dict):
        return visible(job_data, user)
    return {job: visible(own, user) for job, own in job_data.items()}


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

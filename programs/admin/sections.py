"""The ways between the console's parts: programs, definitions, schedules, queues, workers …"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

# The name of the page, its label, and the permission to see it.
PARTS = (
    ("programs_program_overview", "Overview", "view_program"),
    ("programs_program_changelist", "Programs", "view_program"),
    ("programs_definition_changelist", "Definitions", "view_definition"),
    ("programs_schedule_changelist", "Schedules", "view_schedule"),
    ("programs_queue_changelist", "Queues", "view_queue"),
    ("programs_worker_changelist", "Workers", "view_worker"),
    ("programs_operation_changelist", "Operations", "view_operation"),
    ("programs_webhook_changelist", "Webhooks", "view_webhook"),
)


@dataclass(frozen=True)
class Section:
    """A link to one part."""

    label: str
    url: str
    is_current: bool


def sections(request: HttpRequest, site_name: str) -> list[Section]:
    """Return the parts that the user of this page may see."""
    found = []
    for name, label, permission in PARTS:
        if request.user.has_perm(f"programs.{permission}"):
            with suppress(NoReverseMatch):  # a site may show some of the parts alone
                url = reverse(f"admin:{name}", current_app=site_name)
                found.append(Section(label, url, request.path == url))
    return found

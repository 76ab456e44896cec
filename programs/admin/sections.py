"""The ways between the console's parts: programs, definitions, schedules, queues, workers …"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from programs.admin.text import Words

# The name of the page, its label, and the permission to see it.
PARTS = (
    ("programs_program_overview", _("Overview"), "view_program"),
    ("programs_program_changelist", _("Programs"), "view_program"),
    ("programs_definition_changelist", _("Definitions"), "view_definition"),
    ("programs_schedule_changelist", _("Schedules"), "view_schedule"),
    ("programs_queue_changelist", _("Queues"), "view_queue"),
    ("programs_worker_changelist", _("Workers"), "view_worker"),
    ("programs_operation_changelist", _("Operations"), "view_operation"),
    ("programs_webhook_changelist", _("Webhooks"), "view_webhook"),
)


@dataclass(frozen=True)
class Section:
    """A link to one part."""

    label: Words
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

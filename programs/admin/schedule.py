"""Schedules: the list, the page of one with its ticks, and what is done to one."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.http import urlencode
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from programs import scheduling
from programs.admin import facts
from programs.admin.json_view import json_view
from programs.admin.pages import DetailPages
from programs.admin.schedule_facts import (
    MANAGE,
    ShownSchedule,
    in_words,
    next_runs,
    shown_ticks,
    state_of,
)
from programs.admin.schedule_writing import WritingPages
from programs.admin.switches import Switch
from programs.admin.text import legible, moment
from programs.admin.tools import Tool
from programs.admin.words import said
from programs.definition import find_definition
from programs.inspection import may_reveal, visible, visible_job_data
from programs.models import CatchUp, Overlap, Schedule

SHOWN = 50
TICKS_SHOWN = 50

RUN = Switch(
    "run",
    _("Run now"),
    _(
        "A program is started at once, also while the schedule is paused and beside programs that "
        "are open. Its next moments stay as they are."
    ),
    _("{0} has started program {1}."),
    *MANAGE,
    scheduling.run_schedule,
)
PAUSE = Switch(
    "pause",
    _("Pause"),
    _(
        "It starts nothing more until it is resumed. A tick that waits for an earlier program is "
        "skipped. Programs that it has started go on."
    ),
    _("{} is paused."),
    *MANAGE,
    scheduling.pause_schedule,
)
RESUME = Switch(
    "resume",
    _("Resume"),
    _("It starts programs again from now on. What the pause left out is not caught up."),
    _("{} is resumed."),
    *MANAGE,
    scheduling.resume_schedule,
)
DELETE = Switch(
    "delete",
    _("Delete"),
    _("It is deleted, with the history of its ticks. Programs that it has started stay."),
    _("{} is deleted."),
    *MANAGE,
    scheduling.delete_schedule,
)
SWITCHES = (RUN, PAUSE, RESUME, DELETE)


class ScheduleAdmin(DetailPages, WritingPages):
    """The console's view of schedules. What is done to them, the engine's functions do."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        pages = [
            path(
                f"<path:object_id>/{switch.name}/",
                view(partial(self.switch_view, switch=switch)),
                name=f"programs_schedule_{switch.name}",
            )
            for switch in SWITCHES
        ]
        return pages + super().get_urls()

    # The list -----------------------------------------------------------------------------------

    def list_view(self, request: HttpRequest) -> HttpResponse:
        """Show the schedules, or those of one definition, the newest first."""
        name, older = request.GET.get("definition", ""), request.GET.get("older", "")
        name = name.replace("\0", "").strip()
        rows = Schedule.objects.order_by("-pk")
        error = ""
        if name:
            rows = rows.filter(definition=name)
        if older:
            if older.isascii() and older.isdigit() and len(older) < 19:
                rows = rows.filter(pk__lt=int(older))
            else:
                error = "Older: is no place that a page has given."
        found = [] if error else list(rows.defer("program_data", "job_data")[: SHOWN + 1])
        shown = found[:SHOWN]
        given = {"definition": name} if name else {}
        add = f"{self.url_of('add')}?{urlencode(given)}" if given else self.url_of("add")
        context = {
            "title": gettext("Schedules"),
            "definition": legible(name),
            "error": error,
            "schedules": [ShownSchedule.of(each, self.url_of("change", each.pk)) for each in shown],
            "older_url": f"?{urlencode({**given, 'older': str(shown[-1].pk)})}"
            if len(found) > SHOWN
            else "",
            "newest_url": f"?{urlencode(given)}",
            "is_first_page": not older,
            "tools": [Tool.of(request, "add", gettext("Add"), add, MANAGE)],
        }
        return self.section(request, "list", context)

    # The page of one ----------------------------------------------------------------------------

    def detail_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        schedule = self.find(request, object_id)
        if "live" in request.GET:
            return self.render(request, "live", self._moving(request, schedule))
        user = request.user
        context = {
            "title": capfirst(self.called(schedule)),
            "subject": self.called(schedule),
            "program_data": json_view(visible(schedule.program_data, user), "program data"),
            "job_data": json_view(visible_job_data(schedule.job_data, user), "job data"),
            "may_reveal": may_reveal(user),
            "tools": self._tools(request, schedule),
            **self._moving(request, schedule),
        }
        return self.section(request, "detail", context)

    def _tools(self, request: HttpRequest, schedule: Schedule) -> list[Tool]:
        turn = RESUME if schedule.is_paused else PAUSE
        deeds = [
            (RUN.name, RUN.label),
            (turn.name, turn.label),
            ("edit", _("Edit")),
            (DELETE.name, DELETE.label),
        ]
        return [
            Tool.of(request, name, label, self.url_of(name, schedule.pk), MANAGE)
            for name, label in deeds
        ]

    def _moving(self, request: HttpRequest, schedule: Schedule) -> dict[str, Any]:
        """Return what may be another in a moment."""
        may_look = request.user.has_perm("programs.view_program")
        runs, own_zone, no_runs = next_runs(schedule)
        newest = schedule.ticks.order_by("-at")[:TICKS_SHOWN]
        is_defined = find_definition(schedule.definition) is not None
        may_follow = is_defined and request.user.has_perm("programs.view_definition")
        return {
            "state": state_of(schedule),
            "definition": legible(schedule.definition),
            "definition_url": self.definition_url(schedule.definition) if may_follow else "",
            "explained": in_words(schedule),
            "description": legible(schedule.description),
            "trouble": _trouble(schedule, is_defined=is_defined),
            "queued": gettext("The tick of {moment} waits for an earlier program to end.").format(
                moment=moment(schedule.queued_at)
            )
            if schedule.queued_at
            else "",
            "facts": _facts_of(schedule),
            "zone": legible(schedule.time_zone),
            "own_zone": own_zone,
            "next_runs": runs,
            "no_runs": no_runs,
            "ticks": shown_ticks(newest, self.program_url if may_look else None),
            "runs_url": self.programs_url(definition=schedule.definition) if may_look else "",
        }

    # What is done to one ------------------------------------------------------------------------

    def switch_view(self, request: HttpRequest, object_id: str, switch: Switch) -> HttpResponse:
        """Ask for the reason, and do it."""
        if not switch.is_permitted(request):
            raise PermissionDenied
        schedule = self.find(request, object_id)
        page = self.url_of("change", schedule.pk)
        to = self.url_of("changelist") if switch is DELETE else page
        return self.switch(request, switch, schedule, back=page, to=to)


def _trouble(schedule: Schedule, *, is_defined: bool) -> str:
    if not is_defined:
        told = gettext(
            "There is no definition {name} any more: its ticks are refused until there is one."
        )
        return told.format(name=legible(schedule.definition))
    return ""


def _facts_of(schedule: Schedule) -> facts.Facts:
    catch_up = CatchUp(schedule.catch_up) if schedule.catch_up in CatchUp.values else None
    overlap = Overlap(schedule.overlap) if schedule.overlap in Overlap.values else None
    missed = said(catch_up.label) if catch_up else legible(schedule.catch_up)
    if catch_up is CatchUp.ALL:
        told = gettext("{what}, at most {number}")
        missed = told.format(what=missed, number=schedule.catch_up_limit)
    every = gettext("every {number} s").format(number=schedule.interval)
    told_of = [
        (gettext("written as"), legible(schedule.cron or every)),
        (gettext("time zone"), legible(schedule.time_zone)),
        (
            gettext("while its program is open"),
            said(overlap.label) if overlap else legible(schedule.overlap),
        ),
        (gettext("missed ticks"), missed),
        (gettext("made by"), legible(schedule.created_by)),
        (gettext("made"), moment(schedule.created_at)),
        (gettext("changed"), moment(schedule.updated_at)),
    ]
    if schedule.is_paused:
        told_of.insert(0, (gettext("paused since"), moment(schedule.paused_at)))
    return told_of

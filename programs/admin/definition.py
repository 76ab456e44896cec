"""Definitions: the list, the page of one with its runs and schedules, and deleting one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from programs.admin import facts
from programs.admin.definition_pages import ADD, CHANGE_IT, DELETE, START
from programs.admin.definition_start import StartPage
from programs.admin.definition_writing import WritingPages
from programs.admin.json_view import json_view
from programs.admin.pages import DetailPages
from programs.admin.runs import ShownRun, shown_record
from programs.admin.schedule_facts import MANAGE, ShownSchedule, shown_ticks
from programs.admin.switches import SwitchForm
from programs.admin.text import NOTHING, legible, moment, names_of
from programs.admin.tools import Tool
from programs.conf import settings
from programs.definition import (
    AnyDefinition,
    DefinitionInCode,
    StoredDefinition,
    delete_definition,
)
from programs.definition.code import registered_definitions
from programs.definition.table import job_names
from programs.errors import InvalidProgram, OperationRefused
from programs.inspection import may_reveal, visible, visible_job_data
from programs.inspection.runs import last_runs, newest_runs, record_of
from programs.models import Definition, Program, Schedule, Tick, TickOutcome
from programs.models.matching import Holds
from programs.specification import TEXT_LENGTH, unknown_jobs

SHOWN = 100  # definitions of one page: more are found by their names
RUNS_SHOWN = 20
SCHEDULES_SHOWN = 20
TROUBLES_SHOWN = 10  # ticks that were missed or refused
TROUBLES = (TickOutcome.MISSED, TickOutcome.REFUSED)


@dataclass(frozen=True)
class ShownDefinition:
    """One definition's row, its texts legible."""

    name: str
    url: str
    origin: str
    about: str
    jobs: str
    missing: str  # jobs that nobody knows
    last_state: SafeString | str
    last_at: str
    start_url: str  # empty where it cannot be started, or not by this user


class DefinitionAdmin(DetailPages, StartPage, WritingPages):
    """The console's view of definitions. What is done to them, the engine's functions do."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<str:object_id>/change/", view(self.change_view), name=self._name("change")),
            path("<str:object_id>/delete/", view(self.delete_view), name=self._name("delete")),
            *super().get_urls(),
        ]

    def _name(self, page: str) -> str:
        return f"programs_definition_{page}"

    # The list -----------------------------------------------------------------------------------

    def list_view(self, request: HttpRequest) -> HttpResponse:
        """Show the definitions, those in code among those that were made here."""
        asked = request.GET.get("q", "").strip()[:TEXT_LENGTH].replace("\0", "")
        found = _matching(asked)
        shown = found[:SHOWN]
        names = {job for each in shown for job in each.jobs}
        unknown = set(unknown_jobs(names, settings.DATABASE))
        may_look = request.user.has_perm("programs.view_program")
        last = last_runs({each.name for each in shown}) if may_look else {}
        may_start = START.is_held(request)
        context = {
            "title": _("Definitions"),
            "q": legible(asked),
            "definitions": [
                self._row(each, last.get(each.name), unknown, may_start=may_start) for each in shown
            ],
            "are_all": len(found) <= SHOWN,
            "tools": [Tool.of(request, "add", _("Add"), self.url_of("add"), ADD)],
        }
        return self.section(request, "list", context)

    def _row(
        self, each: AnyDefinition, last: Program | None, unknown: set[str], *, may_start: bool
    ) -> ShownDefinition:
        missing = [job for job in each.jobs if job in unknown]
        can_start = may_start and not missing and not each.is_shadowed
        has_run = last is not None and not each.is_shadowed
        origin = _("in code") if each.is_in_code else _("made here")
        return ShownDefinition(
            name=legible(each.name),
            url=self.url_of("change", each.name),
            origin=_("made here; hidden by the one in code") if each.is_shadowed else origin,
            about=legible(each.description),
            jobs=names_of(each.jobs),
            missing=names_of(missing),
            last_state=facts.state(last) if last and has_run else NOTHING,
            last_at=moment(last.created_at) if last and has_run else "",
            start_url=self.url_of("start", each.name) if can_start else "",
        )

    # The page of one ----------------------------------------------------------------------------

    def detail_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        found = self.find(request, object_id)
        if "live" in request.GET:
            return self.render(request, "live", self._moving(request, found))
        context = {**self._lasting(request, found), **self._moving(request, found)}
        return self.section(request, "detail", context)

    def _lasting(self, request: HttpRequest, found: AnyDefinition) -> dict[str, Any]:
        missing = found.missing_jobs()
        hidden = Definition.objects.filter(name=found.name).exists() if found.is_in_code else False
        return {
            "title": _("Definition {name}").format(name=legible(found.name)),
            "name": legible(found.name),
            "about": legible(found.description),
            "is_in_code": found.is_in_code,
            "shadow_url": self.url_of("delete", found.name) if hidden else "",
            "may_delete": DELETE.is_held(request),
            "missing_jobs": names_of(missing),
            "jobs": [(legible(job), job in missing) for job in found.jobs],
            "facts": _facts_of(found),
            "program_data": json_view(visible(found.program_data, request.user), "program data"),
            "job_data": json_view(visible_job_data(found.job_data, request.user), "job data"),
            "may_reveal": may_reveal(request.user),
            "tools": self._tools(request, found, can_start=not missing),
        }

    def _tools(self, request: HttpRequest, found: AnyDefinition, *, can_start: bool) -> list[Tool]:
        name = found.name
        tools = []
        if can_start:
            tools.append(Tool.of(request, "start", _("Start"), self.url_of("start", name), START))
        schedule = f"{self.schedules_url('add')}?definition={name}"
        tools.append(Tool.of(request, "schedule", _("Add schedule"), schedule, MANAGE))
        if not found.is_in_code:
            tools.append(Tool.of(request, "edit", _("Edit"), self.url_of("edit", name), CHANGE_IT))
            tools.append(
                Tool.of(request, "delete", _("Delete"), self.url_of("delete", name), DELETE)
            )
        return tools

    def _moving(self, request: HttpRequest, found: AnyDefinition) -> dict[str, Any]:
        """Return what may be another in a moment."""
        context: dict[str, Any] = {
            "may_view_programs": request.user.has_perm("programs.view_program"),
            "may_view_schedules": request.user.has_perm("programs.view_schedule"),
        }
        if context["may_view_programs"]:
            runs = newest_runs(found.name, RUNS_SHOWN)
            context["runs"] = [ShownRun.of(each, self.program_url(each.pk)) for each in runs]
            context["runs_url"] = self.programs_url(definition=found.name)
            context["record"] = shown_record(record_of(found.name)) if runs else []
        if context["may_view_schedules"]:
            context.update(self._schedules(found.name, context["may_view_programs"]))
        return context

    def _schedules(self, name: str, may_look: bool) -> dict[str, Any]:
        schedules = list(Schedule.objects.filter(definition=name)[: SCHEDULES_SHOWN + 1])
        shown = schedules[:SCHEDULES_SHOWN]
        troubled = Tick.objects.filter(schedule__in=[each.pk for each in shown])
        newest = troubled.filter(outcome__in=TROUBLES).order_by("-at")[:TROUBLES_SHOWN]
        link = self.program_url if may_look else None
        return {
            "schedules": [
                ShownSchedule.of(each, self.schedules_url("change", each.pk)) for each in shown
            ],
            "more_schedules": len(schedules) > SCHEDULES_SHOWN,
            "schedules_url": f"{self.schedules_url()}?definition={name}",
            "troubles": shown_ticks(newest, link) if shown else [],
        }

    # Deleting -----------------------------------------------------------------------------------

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask why, and delete the definition that was made here, also one that code hides."""
        if not DELETE.is_held(request):
            raise PermissionDenied
        name = self.find(request, object_id).name
        row = Definition.objects.filter(name=name).first()
        if row is None:
            raise Http404(f"There is no definition {name} that was made here.")
        form = SwitchForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            by = str(request.user.get_username())
            try:
                with transaction.atomic(using=settings.DATABASE):
                    delete_definition(row, by=by, **form.cleaned_data)
                    self.log(request, name, "deleted")
            except InvalidProgram as error:
                form.refuse(error)
            except OperationRefused as refusal:
                form.add_error(None, f"{legible(refusal)}.")
            else:
                told = _("Definition {name} is deleted.")
                self.message_user(request, told.format(name=legible(name)))
                return HttpResponseRedirect(self.url_of("changelist"))
        context = {
            "title": _("Delete definition {name}").format(name=legible(name)),
            "name": legible(name),
            "form": form,
            "back": self.url_of("change", name),
        }
        return self.section(request, "delete", context)


def _matching(asked: str) -> list[AnyDefinition]:
    """Return those with this in name or description, by name, without the data of rows."""
    words, in_code = asked.casefold(), registered_definitions()
    rows = Definition.objects.filter(Q(Holds("name", asked)) | Q(Holds("description", asked)))
    stored = [
        AnyDefinition(
            row.name,
            job_names(row),
            queue=row.queue,
            description=row.description or "",  # Oracle keeps no empty text
            is_shadowed=row.name in in_code,
        )
        for row in rows.defer("program_data", "job_data")[: SHOWN + 1]
    ]
    own = [
        each
        for each in in_code.values()
        if words in each.name.casefold() or words in each.description.casefold()
    ]
    return sorted([*own, *stored], key=lambda each: (each.name, not each.is_in_code))


def _facts_of(found: AnyDefinition) -> facts.Facts:
    told = [(_("queue"), legible(found.queue))]
    if isinstance(found, DefinitionInCode):
        told.append((_("registered in"), legible(found.place)))
    if found.data_class is not None:
        told.append((_("form of the program data"), legible(found.data_class.__qualname__)))
    if isinstance(found, StoredDefinition):
        row = found.row
        told += [
            (_("made by"), legible(row.created_by)),
            (_("made"), moment(row.created_at)),
            (_("changed"), moment(row.updated_at)),
        ]
    return told

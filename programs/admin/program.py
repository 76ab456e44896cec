"""Programs: the list, the page of one, creating one, and the pages that steer one."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.translation import gettext as _

from programs import registry
from programs.admin import facts
from programs.admin.creation import CreationPage
from programs.admin.definition_pages import ADD as ADD_DEFINITION
from programs.admin.json_view import json_view
from programs.admin.levers import LEVERS, Lever, fitting
from programs.admin.listing import ListPage
from programs.admin.misfits import misfits_of
from programs.admin.operation import operations_of
from programs.admin.outcomes import bulk_outcomes
from programs.admin.overview import OverviewPage
from programs.admin.pages import DetailPages
from programs.admin.steps import outlook, steps_of
from programs.admin.text import legible
from programs.admin.words import said
from programs.definition import find_definition
from programs.errors import InvalidProgram, OperationRefused
from programs.inspection import may_reveal, visible, visible_job_data
from programs.models import Program, Verb
from programs.models.state import ENDED


class ProgramAdmin(DetailPages, ListPage, CreationPage, OverviewPage):
    """The console's view of programs. What is done to them, the engine's functions do."""

    def get_urls(self) -> list[URLPattern]:
        steering = [
            path(
                f"<path:object_id>/{verb.value}/",
                self.admin_site.admin_view(partial(self.steer_view, lever=lever)),
                name=f"programs_program_{verb.value}",
            )
            for verb, lever in LEVERS.items()
        ]
        return steering + super().get_urls()

    def detail_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        program = self.find(request, object_id)
        page = "live" if "live" in request.GET else "detail"
        return self.render(request, page, self._context(request, program))

    def _context(self, request: HttpRequest, program: Program) -> dict[str, Any]:
        steps, has_older_attempts = steps_of(program)
        return {
            "title": _("Program {name}").format(name=legible(program)),
            "program": program,
            "run_id": legible(program),
            "is_open": program.state not in ENDED,
            "state": facts.state(program),
            "progress": facts.progress(program),
            "reason": facts.reason(program),
            "error": facts.error(program),
            "misfits": misfits_of(program),
            "levers": [
                (lever, self.url_of(lever.verb.value, program), lever.missing(request, program))
                for lever in fitting(program)
            ],
            "clone_url": self._clone_url(request, program),
            "save_url": self._save_url(request, program),
            "definition": legible(program.definition),
            "definition_url": self._definition_url(request, program),
            "bulk": bulk_outcomes(program),
            "summary": facts.summary(program),
            "steps": steps,
            "has_older_attempts": has_older_attempts,
            "operations": operations_of(program),
            "may_view_operations": request.user.has_perm("programs.view_operation"),
            "program_data": json_view(visible(program.program_data, request.user), "program data"),
            "job_data": json_view(visible_job_data(program.job_data, request.user), "job data"),
            "may_reveal": may_reveal(request.user),
            "times": facts.times(program),
            "counters": facts.counters(program),
        }

    def _clone_url(self, request: HttpRequest, program: Program) -> str:
        if not self.has_add_permission(request) or registry.is_internal(program.jobs):
            return ""
        return f"{self.url_of('add')}?clone={program.pk}"

    def _save_url(self, request: HttpRequest, program: Program) -> str:
        """Return where the program is saved as a definition, if the user may make one."""
        if not ADD_DEFINITION.is_held(request) or registry.is_internal(program.jobs):
            return ""
        return self._of_definitions("add", f"?program={program.pk}")

    def _definition_url(self, request: HttpRequest, program: Program) -> str:
        """Return the page of what it was started from, which may be gone."""
        name = program.definition
        if not name or not request.user.has_perm("programs.view_definition"):
            return ""
        return self._of_definitions("change", "", name) if find_definition(name) else ""

    def _of_definitions(self, page: str, query: str, *names: str) -> str:
        view = f"admin:programs_definition_{page}"
        try:
            return f"{reverse(view, args=names, current_app=self.admin_site.name)}{query}"
        except NoReverseMatch:  # a site may show programs alone
            return ""

    def steer_view(self, request: HttpRequest, object_id: str, lever: Lever) -> HttpResponse:
        """Ask for the reason, and what else the operation needs, and call the operation."""
        if not lever.is_permitted(request):
            raise PermissionDenied
        program = self.find(request, object_id)
        if lever.missing(request, program):
            raise PermissionDenied
        form = lever.form(program, request.user, request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                steered = lever.act(program, by=str(request.user.get_username()), **form.arguments)
            except InvalidProgram as error:
                form.refuse(error)
            except OperationRefused as refusal:
                if lever.verb is not Verb.EDIT:
                    return self.done(request, program, str(refusal), messages.ERROR)
                form.add_error(None, legible(refusal))  # data that was typed must not be lost
            else:
                told = _("{deed}: program {name} is {state} now.")
                text = told.format(deed=lever.label, name=program, state=said(steered.state.label))
                return self.done(request, program, text)
        context = {
            "title": f"{lever.label}: {legible(program)}",
            "form": form,
            "lever": lever,
            "outlook": outlook(lever.verb, program),
            "run_id": legible(program),
            "state": facts.state(program),
            "progress": facts.progress(program),
            "back": self.url_of("change", program),
        }
        return self.render(request, "steer", context)

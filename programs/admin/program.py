"""Programs: the list, the page of one, creating one, and the pages that steer one."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from programs import submission
from programs.admin import facts
from programs.admin.bulk import BulkActions
from programs.admin.catalog import known_jobs
from programs.admin.filters import StateFilter
from programs.admin.forms import CreationForm
from programs.admin.levers import LEVERS, Lever, fitting
from programs.admin.operation import operations_of
from programs.admin.steps import outlook, steps_of
from programs.admin.text import NOTHING, as_json, legible, moment
from programs.conf import settings
from programs.errors import IdempotencyConflict, InvalidProgram, OperationRefused
from programs.inspection import may_reveal, visible, visible_job_data
from programs.models import Program


class ProgramList(ChangeList):
    """The rows of the list, without their data, which may be large."""

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        return super().get_queryset(*args, **kwargs).defer("program_data", "job_data")


class ProgramAdmin(BulkActions):
    """The console's view of programs. What is done to them, the engine's functions do."""

    list_display = ["run", "state", "progress", "queue", "created", "due", "creator"]
    list_filter = [StateFilter, "queue", "created_at", "due_at"]
    search_fields = ["run_id", "error_message", "created_by"]
    search_help_text = "By run id, error message or creator"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("programs.add_program")

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

    # The list ---------------------------------------------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ProgramList

    @admin.display(description="run id", ordering="run_id")
    def run(self, program: Program) -> str:
        return legible(program.run_id)

    @admin.display
    def state(self, program: Program) -> SafeString:
        return facts.state(program)

    @admin.display(ordering="error_message")
    def progress(self, program: Program) -> SafeString:
        return format_html(
            '<bdi>{}</bdi><bdi class="programs-error">{}</bdi>',
            facts.progress(program),
            legible(program.error_message),
        )

    @admin.display(ordering="created_at")
    def created(self, program: Program) -> str:
        return moment(program.created_at)

    @admin.display(ordering="due_at")
    def due(self, program: Program) -> str:
        return moment(None if program.worker else program.due_at)  # claimed: the lease's end

    @admin.display(description="by", ordering="created_by")
    def creator(self, program: Program) -> str:
        return legible(program.created_by) or NOTHING

    # The pages --------------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one program. Nothing is changed here: each lever has a page of its own."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        program = self._find(request, object_id)
        steps, has_older_attempts = steps_of(program)
        context = {
            "title": f"Program {legible(program)}",
            "program": program,
            "state": facts.state(program),
            "progress": facts.progress(program),
            "reason": facts.reason(program),
            "error": legible(program.error_message),
            "levers": [
                (lever, self._url(lever.verb.value, program), lever.is_permitted(request))
                for lever in fitting(program)
            ],
            "summary": facts.summary(program),
            "steps": steps,
            "has_older_attempts": has_older_attempts,
            "operations": operations_of(program),
            "may_view_operations": request.user.has_perm("programs.view_operation"),
            "program_data": as_json(visible(program.program_data, request.user)),
            "job_data": as_json(visible_job_data(program.job_data, request.user)),
            "may_reveal": may_reveal(request.user),
            "times": facts.times(program),
            "counters": facts.counters(program),
        }
        return self._render(request, "detail", context)

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Ask what the program is made of, and create it."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = CreationForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                with transaction.atomic(using=settings.DATABASE):  # both, or an error and nothing
                    program = submission.create_program(
                        **form.cleaned_data, created_by=request.user.get_username()
                    )
                    self.log_addition(request, program, [{"added": {}}])
            except InvalidProgram as error:
                form.refuse(error)
            except IdempotencyConflict as error:
                form.add_error("idempotency_key", legible(error))
            else:
                return self._done(request, program, f"Program {program} is created.")
        context = {"title": "Create a program", "form": form, "known_jobs": known_jobs()}
        return self._render(request, "create", context)

    def steer_view(self, request: HttpRequest, object_id: str, lever: Lever) -> HttpResponse:
        """Ask for the reason, and what else the operation needs, and call the operation."""
        if not lever.is_permitted(request):
            raise PermissionDenied
        program = self._find(request, object_id)
        form = lever.form(program, request.user, request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                steered = lever.act(program, by=request.user.get_username(), **form.arguments)
            except InvalidProgram as error:
                form.refuse(error)
            except OperationRefused as refusal:
                return self._done(request, program, str(refusal), messages.ERROR)
            else:
                text = f"{lever.label}: program {program} is {steered.state.label} now."
                return self._done(request, program, text)
        context = {
            "title": f"{lever.label}: {legible(program)}",
            "form": form,
            "lever": lever,
            "outlook": outlook(lever.verb, program),
            "program": program,
            "state": facts.state(program),
            "progress": facts.progress(program),
            "back": self._url("change", program),
        }
        return self._render(request, "steer", context)

    # What the pages share ---------------------------------------------------------------------

    def _find(self, request: HttpRequest, object_id: str) -> Program:
        program: Program | None = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, program):
            raise PermissionDenied
        if program is None:
            raise Http404(f"There is no program {object_id}.")
        return program

    def _done(
        self, request: HttpRequest, program: Program, text: str, level: int = messages.SUCCESS
    ) -> HttpResponse:
        self.message_user(request, legible(text), level)
        may_look = self.has_view_permission(request, program)
        url = (
            self._url("change", program)
            if may_look
            else reverse("admin:index", current_app=self.admin_site.name)
        )
        return HttpResponseRedirect(url)

    def _render(self, request: HttpRequest, page: str, context: dict[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name
        frame = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        return TemplateResponse(
            request, f"admin/programs/program/{page}.html", {**frame, **context}
        )

    def _url(self, page: str, program: Program) -> str:
        name = f"admin:programs_program_{page}"
        return reverse(name, args=[program.pk], current_app=self.admin_site.name)

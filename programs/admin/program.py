"""Programs: the list, the page of one, creating one, and the pages that steer one."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from programs import submission
from programs.admin.bulk import BulkActions
from programs.admin.catalog import known_jobs
from programs.admin.filters import StateFilter
from programs.admin.forms import ConsoleForm, CreationForm
from programs.admin.levers import LEVERS, Lever, offered
from programs.admin.operation import operations_of
from programs.admin.steps import ATTEMPTS_SHOWN, progress, steps_of
from programs.admin.text import as_json, block, legible
from programs.errors import IdempotencyConflict, InvalidProgram, OperationRefused
from programs.models import Program


class ProgramList(ChangeList):
    """The rows of the list, without their data, which may be large."""

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        return super().get_queryset(*args, **kwargs).defer("program_data", "job_data")


class ProgramAdmin(BulkActions):
    """The console's view of programs. What is done to them, the engine's functions do."""

    list_display = [
        "shown_run_id",
        "shown_state",
        "shown_progress",
        "queue",
        "created_at",
        "due",
        "created_by",
        "shown_error",
    ]
    list_filter = [StateFilter, "queue", "created_at", "due_at"]
    search_fields = ["run_id", "error_message", "created_by"]
    search_help_text = "By run id, error message or creator"
    change_form_template = "admin/programs/program/detail.html"
    fieldsets = [
        (None, {"fields": ["shown_state", "shown_progress", "shown_error", "queue", "created_by"]}),
        ("Data", {"fields": ["shown_program_data", "shown_job_data"]}),
        (
            "Times",
            {
                "fields": [
                    ("created_at", "started_at", "updated_at"),
                    ("run_at", "due_at", "step_started_at"),
                    ("paused_at", "stop_requested_at", "stopped_at"),
                    ("finished_at", "errored_at"),
                ]
            },
        ),
        (
            "Bookkeeping",
            {
                "fields": [
                    ("step", "step_retry_count", "losses", "epoch"),
                    "worker",
                    "idempotency_key",
                    "content_hash",
                ]
            },
        ),
    ]

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
    def shown_run_id(self, program: Program) -> str:
        return legible(program.run_id)

    @admin.display(description="state")
    def shown_state(self, program: Program) -> SafeString:
        state = program.state
        return format_html(
            '<span class="programs-state programs-{}">{}</span>', state.value, state.label
        )

    @admin.display(description="progress")
    def shown_progress(self, program: Program) -> SafeString:
        return format_html("<bdi>{}</bdi>", progress(program))

    @admin.display(description="due", ordering="due_at")
    def due(self, program: Program) -> Any:
        return None if program.worker else program.due_at  # claimed: the end of the lease

    @admin.display(description="error", ordering="error_message")
    def shown_error(self, program: Program) -> SafeString | None:
        message = legible(program.error_message)
        return format_html('<bdi class="programs-error">{}</bdi>', message) if message else None

    # The page of one program ------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method == "POST":
            # "Save as new" would insert a row behind the back of `create_program`.
            raise PermissionDenied
        return super().change_view(request, object_id, form_url, extra_context)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        steps, has_older_attempts = steps_of(obj)
        context |= {
            "title": "Program",
            "levers": [
                (lever, self._url(lever.verb.value, obj)) for lever in offered(obj, request)
            ],
            "steps": steps,
            "older_than": ATTEMPTS_SHOWN if has_older_attempts else None,
            "operations": operations_of(obj),
            "may_view_operations": request.user.has_perm("programs.view_operation"),
        }
        return super().render_change_form(request, context, add, change, form_url, obj)

    @admin.display(description="program data")
    def shown_program_data(self, program: Program) -> SafeString:
        return block(as_json(program.program_data))

    @admin.display(description="job data")
    def shown_job_data(self, program: Program) -> SafeString:
        return block(as_json(program.job_data))

    # Creating ---------------------------------------------------------------------------------

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = CreationForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                program = submission.create_program(
                    **form.cleaned_data, created_by=request.user.get_username()
                )
            except InvalidProgram as error:
                form.refuse(error)
            except IdempotencyConflict as error:
                form.add_error("idempotency_key", legible(error))
            else:
                self.log_addition(request, program, [{"added": {}}])
                self.message_user(request, f"Program {program} is created.", messages.SUCCESS)
                return HttpResponseRedirect(self._url("change", program))
        context = {"title": "Create a program", "form": form, "known_jobs": known_jobs()}
        return self._render(request, "create", context)

    # Steering ---------------------------------------------------------------------------------

    def steer_view(self, request: HttpRequest, object_id: str, lever: Lever) -> HttpResponse:
        """Ask for the reason (and what else the operation needs), then call the operation."""
        program = self.get_object(request, unquote(object_id))
        if not (self.has_view_permission(request, program) and lever.is_permitted(request)):
            raise PermissionDenied
        if program is None:
            raise Http404(f"there is no program {object_id}")
        form = lever.form(program, request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                steered = lever.act(program, by=request.user.get_username(), **form.arguments)
            except InvalidProgram as error:
                form.refuse(error)
            except OperationRefused as refusal:
                self.message_user(request, legible(refusal), messages.ERROR)
                return HttpResponseRedirect(self._url("change", program))
            else:
                text = f"{lever.label}: program {program} is {steered.state.label} now."
                self.message_user(request, legible(text), messages.SUCCESS)
                return HttpResponseRedirect(self._url("change", program))
        context = {
            "title": f"{lever.label}: {legible(program)}",
            "form": form,
            "lever": lever,
            "program": program,
            "state": self.shown_state(program),
            "progress": progress(program),
            "back": self._url("change", program),
        }
        return self._render(request, "steer", context)

    # ------------------------------------------------------------------------------------------

    def _render(self, request: HttpRequest, page: str, context: dict[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name
        form: ConsoleForm = context["form"]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media + form.media,
            **context,
        }
        return TemplateResponse(request, f"admin/programs/program/{page}.html", context)

    def _url(self, page: str, program: Program) -> str:
        name = f"admin:programs_program_{page}"
        return reverse(name, args=[program.pk], current_app=self.admin_site.name)

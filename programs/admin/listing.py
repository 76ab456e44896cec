"""The list of programs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from programs.admin import facts
from programs.admin.bulk import BulkActions
from programs.admin.filters import StateFilter
from programs.admin.text import NOTHING, legible, moment
from programs.models import Program


class ProgramList(ChangeList):
    """The rows of the list, without their data, which may be large."""

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        return super().get_queryset(*args, **kwargs).defer("program_data", "job_data")


class ListPage(BulkActions):
    """The page of all programs."""

    list_display = ["run", "state", "progress", "queue", "created", "due", "creator"]
    list_filter = [StateFilter, "queue", "created_at", "due_at"]
    search_fields = ["run_id", "error_message", "created_by"]
    search_help_text = "By run id, error message or creator"

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

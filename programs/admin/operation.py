"""What operators did, as a list that nobody can change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from programs.admin.readonly import ReadOnlyAdmin
from programs.admin.text import NOTHING, as_json, code, legible, lines, moment
from programs.inspection import visible_detail
from programs.models import Operation, Program

OPERATIONS_SHOWN = 50  # on the page of a program: the newest


@dataclass(frozen=True)
class ShownOperation:
    """One operation on the page of its program, its texts legible."""

    pk: int
    created_at: str
    done: str
    by: str
    reason: str


def operations_of(program: Program) -> list[ShownOperation]:
    """Return the newest operations on a program, without details: those may hold all its data."""
    newest = program.operations.order_by("-id").defer("detail")[:OPERATIONS_SHOWN]
    return [
        ShownOperation(
            pk=operation.pk,
            created_at=moment(operation.created_at),
            done=str(operation.get_verb_display()),
            by=legible(operation.by),
            reason=legible(operation.reason),
        )
        for operation in newest
    ]


class OperationAdmin(ReadOnlyAdmin):
    """The list of operations, newest first."""

    list_display = ["shown_created_at", "verb", "of_program", "operator", "why"]
    list_filter = ["verb", "created_at"]
    search_fields = ["by", "reason", "program__run_id"]
    search_help_text = "By operator, reason or run id"
    ordering = ["-id"]
    fields = ["shown_created_at", "verb", "of_program", "operator", "why", "details"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # No join: an operation outlives its program, which its owner may delete by SQL.
        run_id = Program.objects.filter(pk=OuterRef("program_id")).values("run_id")
        rows: QuerySet[Any] = super().get_queryset(request).annotate(run_id=Subquery(run_id))
        return rows

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_object(request, *args, **kwargs)
        if operation is not None:  # of an edit, the data before and after
            operation.detail = visible_detail(operation.detail, request.user)
        return operation

    @admin.display(description="when", ordering="created_at")
    def shown_created_at(self, operation: Operation) -> str:
        return moment(operation.created_at)

    @admin.display(description="program")
    def of_program(self, operation: Any) -> SafeString | str:
        if operation.run_id is None:
            return "deleted since"
        return format_html(
            '<a href="{}">{}</a>',
            reverse(
                "admin:programs_program_change",
                args=[operation.program_id],
                current_app=self.admin_site.name,
            ),
            legible(operation.run_id),
        )

    @admin.display(description="by", ordering="by")
    def operator(self, operation: Operation) -> str:
        return legible(operation.by) or NOTHING

    @admin.display(description="reason")
    def why(self, operation: Operation) -> SafeString:
        return lines(legible(operation.reason) or NOTHING)

    @admin.display(description="details")
    def details(self, operation: Operation) -> SafeString:
        return code(as_json(operation.detail))

"""What operators did, as a list that nobody can change."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from programs.admin.pages import ConsolePages
from programs.admin.sections import sections
from programs.admin.text import NOTHING, as_json, code, legible, lines, moment
from programs.admin.words import MODELS, said
from programs.errors import InvalidProgram
from programs.inspection import visible_detail
from programs.inspection.audit import PARAMETERS, Deeds, Done
from programs.models import Operation, Program, Verb

OPERATIONS_SHOWN = 50  # on the page of a program: the newest
PAGE = 50
SIDES = {"before": ("before", "from"), "after": ("after", "to")}  # as details name them
PLACES = {
    Verb.PAUSE_QUEUE: "queue",
    Verb.RESUME_QUEUE: "queue",
    Verb.DRAIN_WORKER: "worker",
}
NAMED = {  # what has a page of its own, which its subject names
    Verb.ADD_DEFINITION: "definition",
    Verb.CHANGE_DEFINITION: "definition",
    Verb.DELETE_DEFINITION: "definition",
    Verb.CREATE_SCHEDULE: "schedule",
    Verb.CHANGE_SCHEDULE: "schedule",
    Verb.DELETE_SCHEDULE: "schedule",
    Verb.PAUSE_SCHEDULE: "schedule",
    Verb.RESUME_SCHEDULE: "schedule",
    Verb.RUN_SCHEDULE: "schedule",
}
WHAT = {model.__name__.lower(): one for model, (one, _many) in MODELS.items()}
GONE = (Verb.DELETE_DEFINITION, Verb.DELETE_SCHEDULE)


@dataclass(frozen=True)
class ShownOperation:
    """One operation, its texts legible."""

    pk: int
    created_at: str
    done: str
    by: str
    reason: str
    subject: SafeString | str = ""


def shown_operation(operation: Operation, subject: SafeString | str = "") -> ShownOperation:
    return ShownOperation(
        pk=operation.pk,
        created_at=moment(operation.created_at),
        done=said(operation.get_verb_display()),
        by=legible(operation.by),
        reason=legible(operation.reason),
        subject=subject,
    )


def operations_of(program: Program) -> list[ShownOperation]:
    """Return the newest operations on a program, without details: those may hold all its data."""
    newest = program.operations.order_by("-id").defer("detail")[:OPERATIONS_SHOWN]
    return [shown_operation(operation) for operation in newest]


class OperationAdmin(ConsolePages):
    """The operations, newest first; each has the stock page, with what was before and after."""

    fields = ["shown_created_at", "deed", "done_to", "operator", "why", "before", "after", "rest"]

    def list_view(self, request: HttpRequest) -> HttpResponse:
        """Show the operations that are asked for."""
        given = {name: request.GET.get(name, "") for name in PARAMETERS}
        done, error = Done([], {}, "", None), ""
        try:
            done = Deeds.parse(given).page(PAGE, request.GET.get("older", ""))
        except InvalidProgram as invalid:
            error = str(invalid)
        older = {name: text for name, text in given.items() if text} | {"older": done.older}
        context = {
            "title": gettext("Operations"),
            "sections": sections(request, self.admin_site.name),
            "operations": [
                shown_operation(each, self._subject(each, done.run_ids.get(each.program_id or 0)))
                for each in done.operations
            ],
            "given": {name: legible(text) for name, text in given.items()},
            "is_filtered": any(given.values()),
            "is_first_page": "older" not in request.GET,
            "error": legible(error),
            "verbs": [(verb.value, said(verb.label)) for verb in Verb],
            "older_url": f"?{urlencode(older)}" if done.older else "",
            "back_to": done.searched_back_to and moment(done.searched_back_to),
        }
        return self.render(request, "list", context)

    def _subject(self, operation: Operation, run_id: str | None) -> SafeString | str:
        """Return what it was done to, as a link where that leads somewhere."""
        site = self.admin_site.name
        if place := PLACES.get(Verb(operation.verb)):
            url = reverse(f"admin:programs_{place}_changelist", current_app=site)
            text = f"{WHAT[place]} {legible(operation.subject)}"
            return format_html('<a href="{}"><bdi>{}</bdi></a>', url, text)
        if kind := NAMED.get(Verb(operation.verb)):
            text = f"{WHAT[kind]} {legible(operation.subject)}"
            with suppress(NoReverseMatch):  # a row may be others' work
                page = f"admin:programs_{kind}_change"
                url = reverse(page, args=[operation.subject], current_app=site)
                if operation.verb not in GONE:
                    return format_html('<a href="{}"><bdi>{}</bdi></a>', url, text)
            return format_html("<bdi>{}</bdi>", text)
        if run_id is None:
            return gettext("deleted since")
        url = reverse(
            "admin:programs_program_change", args=[operation.program_id], current_app=site
        )
        return format_html('<a href="{}"><bdi>{}</bdi></a>', url, legible(run_id))

    # The page of one operation ---------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # No join: an operation outlives its program, which its owner may delete by SQL.
        run_id = Program.objects.filter(pk=OuterRef("program_id")).values("run_id")
        rows: QuerySet[Any] = super().get_queryset(request).annotate(run_id=Subquery(run_id))
        return rows

    def called(self, row: Operation) -> str:
        deed, by = said(row.get_verb_display()), legible(row.by) or gettext("unknown")
        return gettext("{deed} by {name}").format(deed=deed, name=by)

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_object(request, *args, **kwargs)
        if operation is not None:  # of an edit, the data before and after
            operation.detail = visible_detail(operation.detail, request.user)
        return operation

    @admin.display(description=_("when"))
    def shown_created_at(self, operation: Operation) -> str:
        return moment(operation.created_at)

    @admin.display(description=_("verb"))
    def deed(self, operation: Operation) -> str:
        return said(operation.get_verb_display())

    @admin.display(description=_("done to"))
    def done_to(self, operation: Any) -> SafeString | str:
        return self._subject(operation, operation.run_id)

    @admin.display(description=_("by"))
    def operator(self, operation: Operation) -> str:
        return legible(operation.by) or NOTHING

    @admin.display(description=_("reason"))
    def why(self, operation: Operation) -> SafeString:
        return lines(legible(operation.reason) or NOTHING)

    @admin.display(description=_("before"))
    def before(self, operation: Operation) -> SafeString:
        return _side(operation, "before")

    @admin.display(description=_("after"))
    def after(self, operation: Operation) -> SafeString:
        return _side(operation, "after")

    @admin.display(description=_("more"))
    def rest(self, operation: Operation) -> SafeString:
        sides = {key for keys in SIDES.values() for key in keys}
        rest = {key: value for key, value in operation.detail.items() if key not in sides}
        return code(as_json(rest)) if rest else lines(NOTHING)


def _side(operation: Operation, side: str) -> SafeString:
    """Return how it was before, or after: a state, or data."""
    found = [operation.detail[key] for key in SIDES[side] if key in operation.detail]
    value = found[0] if found else NOTHING
    return lines(legible(value)) if isinstance(value, str) else code(as_json(value))

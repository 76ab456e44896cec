"""Doing one thing to many programs: the page that says to how many, and asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    QueryDict,
)
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from programs import bulk, operations, registry
from programs.admin import facts
from programs.admin.forms import BulkForm
from programs.admin.levers import LEVERS, Lever
from programs.admin.outcomes import filters_of, heading_of, outcomes_page, report_of
from programs.admin.pages import ProgramPages
from programs.admin.text import legible, number
from programs.admin.words import said
from programs.bulk import DEEDS, BulkOperation
from programs.errors import IdempotencyConflict, InvalidProgram
from programs.inspection import Count, Selection
from programs.inspection.selection import MATCHES_COUNTED, WINDOW
from programs.models import Program, Verb

SAMPLE = 5  # programs that are shown of those that are meant


@dataclass(frozen=True)
class Meant:
    """The programs that the URL of the page means: all that match, or those that it names."""

    lever: Lever
    selection: Selection | None
    run_ids: tuple[str, ...] = ()

    @classmethod
    def read(cls, lever: Lever, given: QueryDict) -> Meant:
        """Read the parameters; raise `InvalidProgram` that names the wrong one."""
        if given.get("all") == "1":
            return cls(lever, Selection.parse(given.dict()))
        if "run_id" not in given:
            raise InvalidProgram("run_id", "is missing: select at least one program")
        return cls(lever, None, bulk.checked(given.getlist("run_id")))

    @property
    def heading(self) -> str:
        return heading_of(self.lever.label, len(self.run_ids) if self.selection is None else None)

    def possible(self) -> Count:
        """Count those that can be treated."""
        if self.selection is not None:
            return bulk.count(self.lever.verb, self.selection)
        fitting = bulk.possible(self.lever.verb)
        return Count(Program.objects.filter(fitting, run_id__in=self.run_ids).count(), True)

    def matching(self, possible: Count) -> Count | None:
        """Count those that are meant; None where a second search would take too long."""
        if self.selection is None:
            return Count(len(self.run_ids), True)
        state = self.selection.state
        if state is not None and (possible.number or state in operations.ALLOWED[self.lever.verb]):
            return possible
        return None if self._is_slow else self.selection.count()

    def sample(self) -> list[Program]:
        """Return some of those that can be treated."""
        if self.selection is None:
            found = list(Program.objects.filter(run_id__in=self.run_ids[: SAMPLE * 10]))
        else:
            found = [] if self._is_slow else self.selection.page(SAMPLE * 10).programs
        verb = self.lever.verb
        fitting = [each for each in found if operations.is_allowed(verb, each)]
        return [each for each in fitting if not registry.is_internal(each.jobs)][:SAMPLE]

    @property
    def _is_slow(self) -> bool:
        """Whether a search looks at every program of its window, whatever its state."""
        selection = self.selection
        return selection is not None and selection.state is None and not selection.is_indexed


class BulkActions(ProgramPages):
    """The page that does one thing to many programs, and the one of what became of each."""

    @property
    def media(self) -> forms.Media:
        return super().media + forms.Media(css={"all": ["programs/bulk.css"]})

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("bulk/", view(self.bulk_view), name="programs_program_bulk"),
            path(
                "<path:object_id>/outcomes/",
                view(self.outcomes_view),
                name="programs_program_outcomes",
            ),
            *super().get_urls(),
        ]

    def bulk_view(self, request: HttpRequest) -> HttpResponse:
        """Say how many programs are meant, ask for the reason, and start the built-in program."""
        if request.method not in ("GET", "HEAD", "POST"):
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            lever = _lever(request.GET.get("verb"))
            if not lever.is_permitted(request):
                raise PermissionDenied
            meant = Meant.read(lever, request.GET)
        except InvalidProgram as error:
            self.message_user(request, f"{legible(error)}. Nothing was done.", messages.ERROR)
            return HttpResponseRedirect(self.url_of("changelist"))
        if request.method == "POST":
            form = BulkForm(request.POST, needs_reason=meant.selection is not None)
            if form.is_valid():
                try:
                    program = self._started(request, meant, form.cleaned_data)
                except InvalidProgram as error:  # a user name, say, that cannot be stored
                    form.refuse(error)
                else:
                    told = _(
                        "{deed}: this program does it in the background. Here stands how far it is."
                    )
                    return self.done(request, program, told.format(deed=lever.label))
        else:
            newest = Program.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
            form = BulkForm(needs_reason=meant.selection is not None, up_to=newest)
        return self.render(request, "bulk", self._asked(meant, form))

    def _started(self, request: HttpRequest, meant: Meant, given: dict[str, Any]) -> Program:
        """Start the built-in program, or find the one that a first click here has started."""
        key = f"{BulkOperation.name} {request.user.pk} {given['token']}"
        possible = meant.possible()
        try:
            return bulk.start(
                meant.lever.verb,
                selection=meant.selection,
                run_ids=meant.run_ids or None,
                by=str(request.user.get_username()),
                reason=given["reason"],
                up_to=given["up_to"],
                total=possible.number if possible.is_exact else None,
                idempotency_key=key,
            )
        except IdempotencyConflict:  # it has the same key: what is counted differs by now
            return Program.objects.get(idempotency_key=key)

    def _asked(self, meant: Meant, form: BulkForm) -> dict[str, Any]:
        possible = meant.possible()
        matching = meant.matching(possible)
        back = self.url_of("changelist")
        if meant.selection is not None:
            query = QueryDict(mutable=True)
            query.update(meant.selection.encode())
            back = f"{back}?{query.urlencode()}"
        return {
            "title": meant.heading,
            "lever": meant.lever,
            "treated": said(meant.lever.verb.label),
            "is_selection": meant.selection is not None,
            "filters": filters_of(meant.selection),
            "counted": _counted(meant, matching, possible),
            "window": _window(matching, possible),
            "can_be_done": bool(possible.number) or not possible.is_exact or form.is_bound,
            "sample": [self._shown(program) for program in meant.sample()],
            "form": form,
            "back": back,
        }

    def _shown(self, program: Program) -> tuple[str, str, SafeString, str]:
        return (
            self.url_of("change", program),
            legible(program),
            facts.state(program),
            facts.progress(program),
        )

    def outcomes_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what became of each program that a bulk operation went over."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        program = self.find(request, object_id)
        report = report_of(program)
        if report is None:
            raise Http404("This program is no bulk operation.")
        page = outcomes_page(program, request.GET.get("only", ""), request.GET.get("before", ""))
        context = {
            "title": _("Outcomes: {deed}").format(deed=report.heading),
            "run_id": legible(program),
            "bulk": report,
            "page": page,
            "back": self.url_of("change", program),
        }
        return self.render(request, "bulk_page", context)


def _lever(verb: str | None) -> Lever:
    if verb not in DEEDS:
        raise InvalidProgram("verb", f"must be one of {', '.join(DEEDS)}")
    return LEVERS[Verb(verb)]


def _counted(meant: Meant, matching: Count | None, possible: Count) -> str:
    """Say how many are meant, and how many of them will be treated."""
    verb = said(meant.lever.verb.label)
    if matching is None:
        if not possible.number:
            told = _("No program was found that matches and can be {treated}.")
        else:
            told = ngettext(
                "{count} program matches and can be {treated}.",
                "{count} programs match and can be {treated}.",
                _plurality(possible),
            )
        return told.format(count=_number(possible), treated=verb)
    if not matching.number:
        none = _("No program matches.")
        return none if matching.is_exact else _("No program was found that matches.")
    is_one = _plurality(matching) == 1
    if meant.selection is not None:
        some = ngettext("{count} program matches", "{count} programs match", _plurality(matching))
    else:
        some = ngettext(
            "{count} program is selected", "{count} programs are selected", _plurality(matching)
        )
    if not possible.number:
        fitting = _("it cannot be {treated}") if is_one else _("none of them can be {treated}")
    elif possible == matching:
        fitting = _("it can be {treated}") if is_one else _("all of them can be {treated}")
    else:
        fitting = ngettext(
            "{count} of them can be {treated}",
            "{count} of them can be {treated}",
            _plurality(possible),
        )
    told = fitting.format(count=_number(possible), treated=verb)
    return f"{some.format(count=_number(matching))}; {told}."


def _plurality(count: Count) -> int:
    """Return the number that a word behind it agrees with: "at least 1" may be more."""
    return count.number if count.is_exact else max(count.number, 2)


def _number(count: Count) -> str:
    shown = number(count.number)
    if count.is_exact:
        return shown
    if count.number >= MATCHES_COUNTED:
        return _("{number} or more").format(number=shown)
    return _("at least {number}").format(number=shown)


def _window(*counts: Count | None) -> str:
    """Say among which programs was counted, where it was not all of them."""
    if all(each is None or each.is_exact or each.number >= MATCHES_COUNTED for each in counts):
        return ""
    told = _("Counted among the newest {number} programs; older ones are searched as well.")
    return told.format(number=number(WINDOW))

"""The list of programs: filtered by its URL, paged by a cursor, and live."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from django import forms
from django.apps import apps
from django.conf import settings as django_settings
from django.forms.widgets import Script
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from programs import inspection, operations
from programs.admin.bulk import BulkActions
from programs.admin.levers import LEVERS
from programs.admin.rows import Row, changed, shown_versions
from programs.admin.search import MOMENT_NAMES, Search
from programs.admin.sections import sections
from programs.admin.text import Words, moment, number
from programs.admin.words import said
from programs.inspection import Count, Page, Selection
from programs.inspection.selection import WINDOW
from programs.models import State, Verb

PAGE_SIZE = 50
BULK_VERBS = (Verb.STOP, Verb.PAUSE, Verb.RESUME, Verb.RETRY)


@dataclass(frozen=True)
class Chip:
    """One state to choose, or all of them."""

    value: str
    label: str
    url: str
    count: str
    is_chosen: bool


@dataclass(frozen=True)
class BulkChoice:
    """One operation on many programs, and where it is asked for all that match."""

    verb: str
    label: Words
    missing: str  # the permission that is wanting; empty: it may be done
    url_for_all: str  # empty where none that matches can be treated so


class ListPage(BulkActions):
    """The page of all programs."""

    def list_view(self, request: HttpRequest) -> HttpResponse:
        """Show the programs that the URL asks for. Nothing is changed here."""
        search = Search(request.GET)
        if "live" in request.GET:
            return self._news(request, search)
        return self.render(request, "list", self._list_context(request, search))

    def _list_context(self, request: HttpRequest, search: Search) -> dict[str, Any]:
        selection = search.selection
        searched_from = None
        if selection and not (search.older or selection.is_indexed):
            searched_from = selection.latest()  # before the page: what comes meanwhile is on it
        page = search.page(PAGE_SIZE)
        rows = [
            (
                Row.of(program, search.moment),
                self.url_of("change", program),
                f"?{search.query(queue=program.queue)}" if program.queue else "",
                f"?{search.query(definition=program.definition)}" if program.definition else "",
            )
            for program in page.programs
        ]
        if search.older:  # behind the first page, news are what that did not show
            seen = _given_moment(request.GET.get("seen", ""))
        else:
            seen = _newest(search, page, searched_from)
        known = seen.isoformat() if seen else ""
        counts = _counts(search)
        here = self.url_of("changelist")
        scripts: list[Any] = [Script("programs/list.js", defer=True)]
        own = forms.Media(css={"all": ["programs/list.css"]}, js=scripts)
        return {
            "title": _("Programs"),
            "media": self.media + own,
            "search": search,
            "errors": search.errors,
            "other_errors": [
                text for name, text in search.errors.items() if name in ("state", "older")
            ],
            "fields": search.fields(),
            "chips": _chips(search, counts),
            "counts_version": _version(counts),
            "rows": rows,
            "when": _("due") if search.moment == "created_at" else MOMENT_NAMES[search.moment],
            "page": page,
            "newest_url": f"{here}?{search.query()}",
            "older_url": f"{here}?{search.query(older=page.older, seen=known)}"
            if page.older
            else "",
            "searched_back_to": moment(page.searched_back_to) if page.searched_back_to else "",
            "window": number(WINDOW),
            "live_url": f"{here}?{search.query(live='1')}" if _moves(search) else "",
            "seen": known,
            "add_url": self.url_of("add") if self.has_add_permission(request) else "",
            "sections": sections(request, self.admin_site.name),
            **self._bulk_choices(request, search),
        }

    def _news(self, request: HttpRequest, search: Search) -> HttpResponse:
        """Answer with what has changed since the page was shown: pieces to be put in place."""
        selection = search.selection
        if selection is None:
            return HttpResponse(status=204)
        given = request.GET
        counts = _counts(search)
        newer = _newer(selection, given.get("seen", ""))
        context = {
            "rows": changed(shown_versions(given.getlist("row"), PAGE_SIZE), selection.moment),
            "chips": _chips(search, counts) if given.get("counts") != _version(counts) else [],
            "counts_version": _version(counts),
            "newer": newer,
            "newer_has_changed": given.get("newer", "") != newer,
            "newest_url": f"{self.url_of('changelist')}?{search.query()}",
        }
        if not (context["rows"] or context["chips"] or context["newer_has_changed"]):
            return HttpResponse(status=204)
        return TemplateResponse(request, "admin/programs/program/list_live.html", context)

    def _bulk_choices(self, request: HttpRequest, search: Search) -> dict[str, Any]:
        """Return what can be done to many programs at once, where there is a page for it."""
        if not search.selection:
            return {}
        url = self.url_of("bulk")
        state = search.selection.state
        choices = []
        for verb in BULK_VERBS:
            lever = LEVERS[verb]
            fits = state is None or state in operations.ALLOWED[verb]
            choices.append(
                BulkChoice(
                    verb=verb.value,
                    label=lever.label,
                    missing="" if lever.is_permitted(request) else lever.permission_name,
                    url_for_all=f"{url}?{search.query(all='1', verb=verb.value)}" if fits else "",
                )
            )
        permitted = [choice for choice in choices if not choice.missing]
        return {
            "bulk_url": url,
            "bulk_permitted": permitted,
            "bulk_for_all": [choice for choice in permitted if choice.url_for_all],
            "bulk_forbidden": [choice for choice in choices if choice.missing],
        }


# What the page and its live answers say alike ------------------------------------------------


def _moves(search: Search) -> bool:
    """Whether the page asks for news by itself: the extra [console] brings what does."""
    return search.selection is not None and not search.errors and apps.is_installed("django_htmx")


def _counts(search: Search) -> dict[State, Count]:
    """Count the programs of each state; not where something else is asked for, too."""
    return {} if search.is_filtered or not search.selection else inspection.counts()


def _chips(search: Search, counts: dict[State, Count]) -> list[Chip]:
    chosen = search.typed["state"]
    all_states = Chip("", _("all"), f"?{search.query(state='')}", "", not chosen)
    return [
        all_states,
        *(
            Chip(
                value=state.value,
                label=said(state.label),
                url=f"?{search.query(state=state.value)}",
                count=_shown(counts[state]) if counts else "",
                is_chosen=state.value == chosen,
            )
            for state in State
        ),
    ]


def _shown(count: Count) -> str:
    return number(count.number) if count.is_exact else f"{number(count.number)}+"


def _version(counts: dict[State, Count]) -> str:
    return f"{crc32(repr(sorted(counts.items())).encode()):08x}"


def _newer(selection: Selection, seen: str) -> str:
    """Say how many programs have come since that moment; empty for none, or where it is none."""
    since = _given_moment(seen)
    count = selection.newer(since) if since else Count(0, True)
    return _shown(count) if count.number else ""


def _newest(search: Search, page: Page, searched_from: datetime | None) -> datetime:
    """Return the moment of the newest program that the page knows: later ones are news."""
    ever = datetime(1970, 1, 1, tzinfo=UTC if django_settings.USE_TZ else None)
    first = getattr(page.programs[0], search.moment) if page.programs else ever
    return max(first, searched_from or ever)


def _given_moment(text: str) -> datetime | None:
    """Return a moment that a page has given, as columns have it; None for what is none."""
    try:
        given = parse_datetime(text)
        if given is not None and timezone.is_aware(given):
            given = given.astimezone(UTC)  # as databases ask for it, and can
    except (ValueError, OverflowError):
        return None
    is_one = given is not None and timezone.is_aware(given) == django_settings.USE_TZ
    return given if is_one else None

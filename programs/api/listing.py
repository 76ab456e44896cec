"""The list of programs: what is asked for, and the pages of the answer.

Whatever is asked for, a page looks at a bounded part of the table, as the console's do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings as django_settings
from django.db.models import Q
from django.utils import timezone

from programs.api.errors import Invalid
from programs.api.query import Query
from programs.conf import settings
from programs.errors import InvalidProgram
from programs.inspection import Page, Selection
from programs.inspection.selection import PARAMETERS, WINDOW
from programs.models import Program, State
from programs.models.program import ProgramQuerySet
from programs.models.state import OPEN

ORDERINGS = ("created_at", "-created_at")
PAGE, MOST = 50, 200  # programs on a page
RETRIES_AT_MOST = 2**31 - 1

NAMES = (
    *PARAMETERS,
    "in_progress",
    "step_retry_count__gte",
    "ordering",
    "cursor",
    "page_size",
)


@dataclass(frozen=True)
class Listing:
    """Which programs, in which order, and how many at a time."""

    selection: Selection
    besides: Q
    ordering: str
    size: int

    @classmethod
    def parse(cls, query: Query) -> Listing:
        """Read the query of a URL; raise an error that names the wrong parameter."""
        query.choice("state", State.values)
        selection = Selection.parse({name: query.text(name) for name in PARAMETERS})
        for name in ("since", "until"):
            refuse_far(name, getattr(selection, name))
        in_progress = query.switch("in_progress")
        retries = query.whole("step_retry_count__gte", least=0, most=RETRIES_AT_MOST, usual=0)
        besides = Q() if in_progress is None else OPEN if in_progress else ~OPEN
        if retries:
            besides &= Q(step_retry_count__gte=retries)
        return cls(
            selection,
            besides,
            query.choice("ordering", ORDERINGS),
            query.whole("page_size", least=1, most=MOST, usual=PAGE),
        )

    def page(self, cursor: str) -> Page:
        """Return one page; `cursor` is what the page before gave, empty for the first."""
        if self.besides or self.ordering:
            return self._by_creation(cursor)
        try:
            return self.selection.page(self.size, cursor, settings.DATABASE)
        except InvalidProgram as error:
            raise Invalid("cursor", error.reason) from error

    def _by_creation(self, cursor: str) -> Page:
        """Look through the programs in the order in which they were created, by their index."""
        every = self._of_these_dates()
        rows = self.selection.every(settings.DATABASE).filter(self.besides)
        if cursor:
            behind = self._behind(cursor)
            every, rows = every.filter(behind), rows.filter(behind)
        sign = "" if self.ordering == "created_at" else "-"
        moments = every.order_by(f"{sign}created_at").values_list("created_at", flat=True)
        end = next(iter(moments[WINDOW : WINDOW + 1]), None)
        if end is not None:
            rows = rows.filter(**{f"created_at__{'gte' if sign else 'lte'}": end})
        ordered = rows.order_by(f"{sign}created_at", f"{sign}pk")
        found = list(ordered.defer("program_data", "job_data")[: self.size + 1])
        if len(found) > self.size:
            last = found[self.size - 1]
            return Page(found[: self.size], f"{last.created_at.isoformat()}~{last.pk}", None)
        if end is None:
            return Page(found, "", None)
        return Page(found, f"{end.isoformat()}~{0 if sign else 2**63 - 1}", end)

    def _of_these_dates(self) -> ProgramQuerySet:
        """Return the programs among which a page looks: all, or those between the dates."""
        rows: ProgramQuerySet = Program.objects.using(settings.DATABASE).all()
        asked = self.selection
        if asked.moment == "created_at" and asked.since is not None:
            rows = rows.filter(created_at__gte=asked.since)
        if asked.moment == "created_at" and asked.until is not None:
            rows = rows.filter(created_at__lt=asked.until)
        return rows

    def _behind(self, cursor: str) -> Q:
        moment, separator, key = cursor.partition("~")
        try:
            at, pk = datetime.fromisoformat(moment), int(key)
        except ValueError as error:
            raise Invalid("cursor", "is no cursor that a page has given") from error
        if not separator or timezone.is_aware(at) != django_settings.USE_TZ or not -1 < pk < 2**63:
            raise Invalid("cursor", "is no cursor that a page has given")
        refuse_far("cursor", at)
        if django_settings.USE_TZ:
            at = at.astimezone(UTC)  # no database takes each zone that Python knows
        side = "gt" if self.ordering == "created_at" else "lt"
        same = Q(created_at=at, **{f"pk__{side}": pk})
        # The first condition follows from the second, and is what an index understands.
        return Q(**{f"created_at__{side}e": at}) & (Q(**{f"created_at__{side}": at}) | same)


def refuse_far(name: str, moment: datetime | None) -> None:
    """Refuse a moment that lies outside of the years that there are in UTC."""
    try:
        if moment is not None and timezone.is_aware(moment):
            moment.astimezone(UTC)
    except OverflowError as error:
        raise Invalid(name, "is outside the years that can be stored") from error

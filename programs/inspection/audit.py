"""What operators did: found by the deed, by who did it, by what it was done to, and by dates.

Only the operations on one program are found by an index. The rest is looked for among the newest
ones, as many as `WINDOW`; a page tells how far it came, so that one can go on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from programs.conf import settings
from programs.errors import InvalidProgram
from programs.inspection.selection import Selection
from programs.models import Operation, Program, Verb

WINDOW = 100_000  # operations that are looked at for one page
PARAMETERS = ("verb", "by", "subject", "since", "until")


class Done(NamedTuple):
    """Some operations, the newest first, without their details."""

    operations: list[Operation]
    run_ids: dict[int, str]  # of the programs that are still there
    older: str  # the cursor of the next page; empty at the end
    searched_back_to: datetime | None  # where the search paused, with more behind


@dataclass(frozen=True)
class Deeds:
    """Which operations are meant. An empty field leaves its question open."""

    verb: str = ""
    by: str = ""  # exactly
    subject: str = ""  # exactly: a run id, a queue or a worker
    since: datetime | None = None  # inclusive
    until: datetime | None = None  # exclusive

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Deeds:
        """Read the parameters of a URL; raise `InvalidProgram` that names the wrong one."""
        dates = Selection.parse({name: given.get(name) for name in ("since", "until")})
        verb = given.get("verb") or ""
        if verb and verb not in Verb.values:
            raise InvalidProgram("verb", f"must be one of {', '.join(Verb.values)}")
        by, subject = _text(given, "by"), _text(given, "subject")
        return cls(verb, by, subject, dates.since, dates.until)

    def page(self, size: int, older: str = "", using: str | None = None) -> Done:
        """Return one page; `older` is the cursor that the page before gave."""
        alias = using or settings.DATABASE
        rows = Operation.objects.using(alias).order_by("-pk").defer("detail")
        if older:
            rows = rows.filter(pk__lt=_key(older))
        program = self._program(alias)
        if program is not None:
            rows, end = rows.filter(program_id=program), None
        else:
            end = self._end_of_window(rows) if self._is_searched else None
            if end is not None:
                rows = rows.filter(pk__gte=end.pk)
        found = list(rows.filter(self._sought(program is not None))[: size + 1])
        shown, more = found[:size], len(found) > size
        older, back_to = (str(shown[-1].pk), None) if more else ("", None)
        if not more and end is not None:
            older, back_to = str(end.pk), end.created_at
        return Done(shown, _run_ids(alias, shown), older, back_to)

    @property
    def _is_searched(self) -> bool:
        return any((self.verb, self.by, self.subject, self.since, self.until))

    @staticmethod
    def _end_of_window(rows: QuerySet[Operation]) -> Operation | None:
        keys = rows.values_list("pk", flat=True)  # alone: an index has them
        end = next(iter(keys[WINDOW : WINDOW + 1]), None)
        return None if end is None else rows.filter(pk=end).first()

    def _program(self, alias: str) -> int | None:
        """Return the key of the program that is meant; None: none is, or a queue or a worker."""
        if not self.subject:
            return None
        named = Program.objects.using(alias).filter(run_id=self.subject)
        return named.values_list("pk", flat=True).first()

    def _sought(self, is_program: bool) -> Q:
        condition = Q()
        if self.subject and not is_program:
            condition &= Q(program__isnull=True, subject=self.subject)
        if self.verb:
            condition &= Q(verb=self.verb)
        if self.by:
            condition &= Q(by=self.by)
        if self.since is not None:
            condition &= Q(created_at__gte=self.since)
        if self.until is not None:
            condition &= Q(created_at__lt=self.until)
        return condition


def _run_ids(alias: str, shown: list[Operation]) -> dict[int, str]:
    # No join: an operation outlives its program, which its owner may delete by SQL.
    keys = {operation.program_id for operation in shown if operation.program_id is not None}
    found: QuerySet[Any, Any] = Program.objects.using(alias).filter(pk__in=keys)
    return dict(found.values_list("pk", "run_id"))


def _text(given: Mapping[str, Any], name: str) -> str:
    """Return a text, by the rules that the filters of programs have."""
    try:
        return Selection.parse({"q": given.get(name)}).q
    except InvalidProgram as error:
        raise InvalidProgram(name, error.reason) from error


def _key(older: str) -> int:
    if not (older.isascii() and older.isdigit() and int(older[:20]) < 2**63):
        raise InvalidProgram("older", "is no cursor that a page has given")
    return int(older[:20])

"""What a bulk operation has done so far, and what became of each program."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.http import Http404
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from programs.admin.facts import Facts
from programs.admin.levers import LEVERS
from programs.admin.text import Words, legible, moment, number
from programs.admin.words import said
from programs.bulk import BulkOperation, Order, outcomes_of
from programs.errors import InvalidProgram
from programs.inspection import Selection
from programs.models import Program
from programs.models.state import ENDED

SHOWN = 25  # outcomes on the page of the program
PAGE_SIZE = 100
WINDOW = 50_000  # outcomes among which one page looks for those of one kind

KINDS = {"": _("all"), "refused": _("refused"), "done": _("done")}


@dataclass(frozen=True)
class Outcome:
    """What became of one program, its texts legible."""

    run_id: str
    pk: int | None  # None: the program is deleted since
    refusal: str  # empty: it was done
    when: str


@dataclass(frozen=True)
class Kind:
    """A choice of outcomes."""

    value: str
    label: Words
    is_chosen: bool


@dataclass(frozen=True)
class OutcomesPage:
    """Some outcomes, those of the newest programs first."""

    outcomes: list[Outcome]
    older: str  # the cursor of the next page; empty at the end
    only: str = ""  # one of `KINDS`

    @property
    def kinds(self) -> list[Kind]:
        return [Kind(value, label, value == self.only) for value, label in KINDS.items()]


@dataclass(frozen=True)
class Report:
    """How far a bulk operation is."""

    heading: str
    facts: Facts
    done: int
    refused: int
    total: int | None  # None: not known
    is_over: bool
    outcomes: list[Outcome]  # the refused ones first

    @property
    def treated(self) -> int:
        return self.done + self.refused

    @property
    def told(self) -> str:
        """Return how far it is, in words."""
        if self.is_over:
            told = gettext("{done} done, {refused} refused.")
        elif self.total is not None:
            told = gettext("{done} done, {refused} refused, of {total}.")
        else:
            told = gettext("{done} done, {refused} refused so far.")
        return told.format(
            done=number(self.done), refused=number(self.refused), total=number(self.total or 0)
        )


def bulk_outcomes(program: Program) -> Report | None:
    """Return what the page of a bulk operation shows; None for any other program."""
    report = report_of(program)
    if report is None:
        return None
    outcomes = _found(program, "refused", "", SHOWN).outcomes
    outcomes += _found(program, "done", "", SHOWN).outcomes
    return replace(report, outcomes=outcomes[:SHOWN])


def report_of(program: Program) -> Report | None:
    """Return how far a bulk operation is, without outcomes; None for any other program."""
    if not isinstance(program.jobs, list) or BulkOperation.name not in program.jobs:
        return None
    try:
        order = Order.decode(program.program_data)
    except InvalidProgram:
        return None
    label = LEVERS[order.verb].label
    tally = _member(program.job_data, BulkOperation.name)
    done, refused = (_whole(_member(tally, name)) or 0 for name in ("done", "refused"))
    facts = [
        *filters_of(order.selection),
        (gettext("by"), legible(order.by)),
        (gettext("reason"), legible(order.reason)),
    ]
    return Report(
        heading=heading_of(label, len(order.run_ids) if order.selection is None else None),
        facts=facts,
        done=done,
        refused=refused,
        # Some may have come into a state, or left it, since they were counted.
        total=None if (total := _whole(order.total)) is None else max(total, done + refused),
        is_over=program.state in ENDED,
        outcomes=[],
    )


def outcomes_page(program: Program, only: str, before: str) -> OutcomesPage:
    """Return outcomes of the kind `only`, of programs older than the one with run id `before`."""
    if only not in KINDS or not before.isprintable() or len(before) > 255:
        raise Http404("There is no such page of outcomes.")
    return _found(program, only, before, PAGE_SIZE)


def filters_of(selection: Selection | None) -> Facts:
    """Return what a selection asks for, in words."""
    if selection is None:
        return []
    when = gettext(selection.moment.removesuffix("_at").replace("_", " "))
    asked = (
        (gettext("state"), said(selection.state.label) if selection.state else ""),
        (gettext("text"), legible(selection.q)),
        (gettext("queue"), legible(selection.queue)),
        (gettext("job"), legible(selection.job)),
        (gettext("held by worker"), legible(selection.worker)),
        (
            gettext("{when} since").format(when=when),
            moment(selection.since) if selection.since else "",
        ),
        (
            gettext("{when} before").format(when=when),
            moment(selection.until) if selection.until else "",
        ),
    )
    return [(label, text) for label, text in asked if text]


def heading_of(deed: Words, selected: int | None) -> str:
    """Return what is done to how many; None: to all that match.

    >>> heading_of("Stop", 1), heading_of("Stop", 1200)
    ('Stop 1 selected program', 'Stop 1,200 selected programs')
    """
    if selected is None:
        return gettext("{deed} all programs that match").format(deed=deed)
    told = ngettext("{deed} {count} selected program", "{deed} {count} selected programs", selected)
    return told.format(deed=deed, count=number(selected))


def _found(program: Program, only: str, before: str, size: int) -> OutcomesPage:
    """Look for outcomes in the order of an index; for one kind of them, in a bounded part of it."""
    rows = outcomes_of(program).order_by("-run_id")
    if before:
        rows = rows.filter(run_id__lt=before)
    end = ""
    if only:
        end = next(iter(rows.values_list("run_id", flat=True)[WINDOW : WINDOW + 1]), "")
        rows = rows.filter(run_id__gte=end) if end else rows
        rows = rows.refused() if only == "refused" else rows.done()
    found = list(rows[: size + 1])
    older = found[size - 1].run_id if len(found) > size else end
    shown = found[:size]
    programs = Program.objects.using(program.alias).filter(run_id__in=[row.run_id for row in shown])
    keys = dict(programs.values_list("run_id", "pk")) if shown else {}
    outcomes = [
        Outcome(
            run_id=legible(row.run_id),
            pk=keys.get(row.run_id),
            refusal=legible(row.refusal),
            when=moment(row.created_at),
        )
        for row in shown
    ]
    return OutcomesPage(outcomes, older, only)


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None  # rows may be others' work


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None

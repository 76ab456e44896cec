"""Schedules and their ticks, as pages show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from programs.admin import facts
from programs.admin.text import NOTHING, legible, moment, number
from programs.admin.tools import Permission
from programs.admin.words import said
from programs.errors import InvalidSchedule
from programs.models import Schedule, Tick, TickOutcome
from programs.scheduling import next_ticks
from programs.scheduling.telling import explained
from programs.scheduling.timetable import UNITS, Timetable

MANAGE = Permission.own(Schedule, "manage_schedules")
LARGE = ("program__program_data", "program__job_data", "program__jobs")  # ticks do without
NEXT = 5  # runs that are told beforehand
FORM = "D Y-m-d H:i:s"

# How ticks are told apart: by a word, and by the colours that states have.
BADGES = {
    TickOutcome.STARTED: "finished",
    TickOutcome.SKIPPED: "skipped",
    TickOutcome.MISSED: "errored",
    TickOutcome.REFUSED: "errored",
    TickOutcome.QUEUED: "paused",
}

NextRuns = list[tuple[str, str]]  # in the schedule's zone, and in the reader's


@dataclass(frozen=True)
class ShownSchedule:
    """One schedule's row, its texts legible."""

    pk: int
    url: str
    definition: str
    description: str
    explained: str
    state: SafeString
    next_at: str

    @classmethod
    def of(cls, schedule: Schedule, url: str) -> ShownSchedule:
        return cls(
            pk=schedule.pk,
            url=url,
            definition=legible(schedule.definition),
            description=legible(schedule.description),
            explained=in_words(schedule),
            state=state_of(schedule),
            next_at=moment(schedule.next_at),
        )


@dataclass(frozen=True)
class ShownTick:
    """One tick's row, its texts legible."""

    pk: int
    at: str
    outcome: SafeString
    run_id: str
    url: str  # of its program; empty where there is none to be seen
    state: SafeString | str
    told: str


def in_words(schedule: Schedule) -> str:
    """Return when it fires, as part of a sentence."""
    told = _interval(schedule.interval) if schedule.interval else explained(schedule)
    return legible(f"{told[:1].lower()}{told[1:]}")


def told_of(timetable: Timetable) -> str:
    """Return when it fires, as a sentence; a cron expression is told in English."""
    return _interval(timetable.interval) if timetable.interval else timetable.explained


def _interval(seconds: int) -> str:
    unit, size = next(each for each in UNITS if seconds % each[1] == 0)
    count = seconds // size
    told = {
        "day": ngettext("every day", "every {count} days", count),
        "hour": ngettext("every hour", "every {count} hours", count),
        "minute": ngettext("every minute", "every {count} minutes", count),
        "second": ngettext("every second", "every {count} seconds", count),
    }
    return told[unit].format(count=count)


def state_of(schedule: Schedule) -> SafeString:
    """Return whether it fires, as a badge."""
    kind, word = (
        ("paused", _("paused"))
        if schedule.is_paused
        else ("finished", pgettext("state of a schedule", "active"))
    )
    return format_html('<span class="programs-state programs-{}">{}</span>', kind, word)


def in_zones(moments: list[datetime], zone: str) -> tuple[NextRuns, str]:
    """Return moments in a zone and in the reader's, and the name of that; empty: it is the same."""
    there = UTC if zone == "UTC" else ZoneInfo(zone)
    here = timezone.get_current_timezone()
    own = timezone.get_current_timezone_name()
    shown = [
        (_in_zone(each.astimezone(there)), _in_zone(each.astimezone(here))) for each in moments
    ]
    return shown, "" if own == zone else own


def _in_zone(moment: datetime) -> str:
    return f"{date_format(moment, FORM)} {moment:%Z}"


def next_runs(schedule: Schedule) -> tuple[NextRuns, str, str]:
    """Return its next runs in both zones, the name of the reader's, and why there are none."""
    try:
        shown, own = in_zones(next_ticks(schedule, NEXT), schedule.time_zone)
    except InvalidSchedule as error:
        return [], "", _("They cannot be told here: {reason}.").format(reason=legible(error))
    except Exception as error:  # noqa: BLE001 (a row may be others' work: the page opens)
        return [], "", _("They cannot be told: {reason}.").format(reason=type(error).__name__)
    paused = _("None: it is paused.") if schedule.is_paused else _("None.")
    return shown, own, "" if shown else paused


def shown_ticks(ticks: QuerySet[Tick], program_url: Callable[[int], str] | None) -> list[ShownTick]:
    """Return these ticks with their programs; `program_url`: None where those are not shown."""
    return [_shown(each, program_url) for each in ticks.select_related("program").defer(*LARGE)]


def _shown(tick: Tick, program_url: Callable[[int], str] | None) -> ShownTick:
    program = tick.program
    is_linked = program is not None and program_url is not None
    by = _("run now by {name}").format(name=legible(tick.by)) if tick.by else ""
    outcome = TickOutcome(tick.outcome) if tick.outcome in TickOutcome.values else None
    label = said(outcome.label) if outcome else legible(tick.outcome)
    several = _("({count} times, this is the last)").format(count=number(tick.count))
    times = f" {several}" if tick.count > 1 else ""
    return ShownTick(
        pk=tick.pk,
        at=moment(tick.at),
        outcome=format_html(
            '<span class="programs-state programs-{}">{}</span>{}',
            BADGES[outcome] if outcome else "skipped",
            label,
            times,
        ),
        run_id=legible(program.run_id) if is_linked and program else NOTHING,
        url=program_url(program.pk) if program and program_url else "",
        state=facts.state(program) if is_linked and program else "",
        told=". ".join(part for part in (by, legible(tick.message)) if part),
    )

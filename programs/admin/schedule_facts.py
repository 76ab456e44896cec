"""Schedules and their ticks, as pages show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from programs.admin import facts
from programs.admin.text import NOTHING, legible, moment
from programs.admin.tools import Permission
from programs.errors import InvalidSchedule
from programs.models import Schedule, Tick, TickOutcome
from programs.scheduling import next_ticks
from programs.scheduling.telling import explained

MANAGE = Permission.own(Schedule, "manage_schedules")
LARGE = ("program__program_data", "program__job_data", "program__jobs")  # ticks do without
NEXT = 5  # runs that are told beforehand
FORM = "%a %Y-%m-%d %H:%M:%S"

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
    told = explained(schedule)
    return legible(f"{told[:1].lower()}{told[1:]}")


def state_of(schedule: Schedule) -> SafeString:
    """Return whether it fires, as a badge."""
    kind, word = ("paused", "paused") if schedule.is_paused else ("finished", "active")
    return format_html('<span class="programs-state programs-{}">{}</span>', kind, word)


def in_zones(moments: list[datetime], zone: str) -> tuple[NextRuns, str]:
    """Return moments in a zone and in the reader's, and the name of that; empty: it is the same."""
    there = UTC if zone == "UTC" else ZoneInfo(zone)
    here = timezone.get_current_timezone()
    own = timezone.get_current_timezone_name()
    shown = [
        (f"{each.astimezone(there):{FORM} %Z}", f"{each.astimezone(here):{FORM} %Z}")
        for each in moments
    ]
    return shown, "" if own == zone else own


def next_runs(schedule: Schedule) -> tuple[NextRuns, str, str]:
    """Return its next runs in both zones, the name of the reader's, and why there are none."""
    try:
        shown, own = in_zones(next_ticks(schedule, NEXT), schedule.time_zone)
    except InvalidSchedule as error:
        return [], "", f"They cannot be told here: {legible(error)}."
    except Exception as error:  # noqa: BLE001 (a row may be others' work: the page opens)
        return [], "", f"They cannot be told: {type(error).__name__}."
    paused = "None: it is paused." if schedule.is_paused else "None."
    return shown, own, "" if shown else paused


def shown_ticks(ticks: QuerySet[Tick], program_url: Callable[[int], str] | None) -> list[ShownTick]:
    """Return these ticks with their programs; `program_url`: None where those are not shown."""
    return [_shown(each, program_url) for each in ticks.select_related("program").defer(*LARGE)]


def _shown(tick: Tick, program_url: Callable[[int], str] | None) -> ShownTick:
    program = tick.program
    is_linked = program is not None and program_url is not None
    by = f"run now by {legible(tick.by)}" if tick.by else ""
    outcome = TickOutcome(tick.outcome) if tick.outcome in TickOutcome.values else None
    label = legible(outcome.label if outcome else tick.outcome)
    times = f" ({tick.count:,} times, this is the last)" if tick.count > 1 else ""
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

"""The time of a program, step by step: how long each waited, and how long its job ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils.translation import gettext

from programs.admin.text import duration
from programs.models import Attempt, Program
from programs.models.clock import now

WIDTH = 1000.0  # of the whole program, in the units of its drawing
NARROWEST = 2.0  # what took no time at all is seen all the same


@dataclass(frozen=True)
class Piece:
    """A stretch of time, as a rectangle. Texts, so that no language writes a decimal comma."""

    kind: str  # "waiting" or "running"
    x: str
    width: str


@dataclass
class StepTime:
    """What one step's time was spent on."""

    waited: timedelta = timedelta()
    ran: timedelta = timedelta()
    pieces: list[Piece] = field(default_factory=list)

    @property
    def text(self) -> str:
        told = gettext("waited {waited}, ran {ran}")
        return told.format(waited=duration(self.waited), ran=duration(self.ran))


def timeline_of(
    program: Program, attempts: Sequence[Attempt], *, are_all: bool = True
) -> dict[int, StepTime]:
    """Return the time of each step that has begun, from its attempts in their order.

    `are_all`: there are no older ones, whose time would count as waiting.
    """
    pieces: list[tuple[int, str, datetime, datetime]] = []
    since = program.created_at
    if attempts and not are_all:
        since = attempts[0].started_at or attempts[0].ended_at
    for attempt in attempts:
        began = max(attempt.started_at or attempt.ended_at, since)
        pieces.append((attempt.step, "waiting", since, began))
        pieces.append((attempt.step, "running", began, max(attempt.ended_at, began)))
        since = max(attempt.ended_at, began)
    pieces += _present(program, since)
    if not pieces:
        return {}
    first, last = pieces[0][2], max(end for *_, end in pieces)
    scale = WIDTH / max((last - first).total_seconds(), 0.001)
    steps: dict[int, StepTime] = {}
    for step, kind, start, end in pieces:
        time = steps.setdefault(step, StepTime())
        if kind == "running":
            time.ran += end - start
        else:
            time.waited += end - start
        width = (end - start).total_seconds() * scale
        if kind == "running" or width >= NARROWEST:
            x = min((start - first).total_seconds() * scale, WIDTH - NARROWEST)
            time.pieces.append(Piece(kind, f"{x:.1f}", f"{max(width, NARROWEST):.1f}"))
    return steps


def _present(program: Program, since: datetime) -> list[tuple[int, str, datetime, datetime]]:
    """Return what an open program is at now."""
    if program.finished_at or program.errored_at or program.stopped_at:
        return []
    present = max(now(program.alias), since)
    if program.worker is None or program.step_started_at is None:
        return [(program.step, "waiting", since, present)]
    began = min(max(program.step_started_at, since), present)
    return [
        (program.step, "waiting", since, began),
        (program.step, "running", began, present),
    ]

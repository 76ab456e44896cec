"""What the tests of definitions and schedules share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from programs.definition import DefinitionInCode, code, register_definition
from programs.models import Program, Schedule, Tick
from programs.models.clock import database_now, instant, storable
from programs.scheduling import create_schedule, fire_due

Defined = Callable[..., DefinitionInCode]


@pytest.fixture
def define() -> Iterator[Defined]:
    """Register definitions in code for one test: `define(name, *jobs, **given)`."""
    before = dict(code._definitions)

    def define(name: str = "nightly", *jobs: str, **given: Any) -> DefinitionInCode:
        code._definitions.pop(name, None)
        return register_definition(name, list(jobs or ("noop",)), **given)

    yield define
    code._definitions.clear()
    code._definitions.update(before)


def scheduled(name: str = "nightly", **given: Any) -> Schedule:
    """Make a schedule, every minute where nothing else is said."""
    timing = {} if given.keys() & {"cron", "interval"} else {"interval": 60}
    return create_schedule(name, **{"overlap": "allow", **timing, **given})


def now(schedule: Schedule) -> datetime:
    return instant(database_now(schedule.alias), schedule.alias)


def due_since(schedule: Schedule, seconds: float) -> datetime:
    """Let the next tick have come so long ago, and return when that was."""
    at = (now(schedule) - timedelta(seconds=seconds)).astimezone(UTC)
    set_next(schedule, at)
    return at


def set_next(schedule: Schedule, at: datetime) -> None:
    rows = Schedule.objects.using(schedule.alias).filter(pk=schedule.pk)
    rows.update(next_at=storable(at, schedule.alias))


def fire(schedule: Schedule, now: datetime | None = None) -> int:
    """Look for what is due, as a worker does each second."""
    return fire_due(schedule.alias, now)


def ticks(schedule: Schedule) -> list[Tick]:
    """Return the ticks of a schedule, the oldest first."""
    return list(Tick.objects.using(schedule.alias).filter(schedule=schedule).order_by("at"))


def outcomes(schedule: Schedule) -> list[str]:
    return [tick.outcome for tick in ticks(schedule)]


def started(schedule: Schedule) -> list[Program]:
    """Return the programs of its ticks, the oldest first."""
    return [tick.program for tick in ticks(schedule) if tick.program is not None]

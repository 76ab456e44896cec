"""What is told of a schedule, whoever has written its row."""

from __future__ import annotations

from datetime import datetime

from programs.models import Schedule
from programs.scheduling.steering import next_ticks
from programs.scheduling.timetable import Timetable


def explained(schedule: Schedule) -> str:
    """Return when it ticks, in words; where this process cannot tell, as it is written."""
    try:
        return Timetable(schedule.cron, schedule.interval, schedule.time_zone).explained
    except Exception:  # noqa: BLE001 (a row may be others' work; the library may be missing)
        return schedule.cron or f"every {schedule.interval} seconds"


def coming_ticks(schedule: Schedule, count: int = 5) -> list[datetime]:
    """Return when it ticks next; nothing while it is paused, and where this cannot be told."""
    try:
        return next_ticks(schedule, count)
    except Exception:  # noqa: BLE001 (likewise)
        return []

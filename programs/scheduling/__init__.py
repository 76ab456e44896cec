"""Schedules: what starts programs by the clock, and what operators do to them."""

from programs.scheduling.firing import fire_due
from programs.scheduling.steering import (
    change_schedule,
    create_schedule,
    delete_schedule,
    next_ticks,
    pause_schedule,
    resume_schedule,
    run_schedule,
)
from programs.scheduling.timetable import Timetable

__all__ = [
    "Timetable",
    "change_schedule",
    "create_schedule",
    "delete_schedule",
    "fire_due",
    "next_ticks",
    "pause_schedule",
    "resume_schedule",
    "run_schedule",
]

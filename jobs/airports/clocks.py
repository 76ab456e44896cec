"""The fourth step: what the clocks show at the airports, from a service that is at times busy."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jobs.airports.folder import Folder, Row, page_name
from programs.errors import RetryableError
from programs.job import Job, JobData
from programs.registry import register

if TYPE_CHECKING:
    from programs.message import Message

logger = logging.getLogger(__name__)

BATCH = 100  # zones of one request
WINTER = date(2025, 1, 1)  # in the north: standard time for most airports
YEARS = range(1900, 2101)  # for which the zones' rules are worth something
HOUR = timedelta(hours=1)


class InvalidDay(ValueError):
    """The day in the program data is none. Its message says what to give."""


def day_of(program_data: dict[str, Any]) -> date:
    """Return the day whose clocks are asked for, where none is given a day of winter."""
    given = program_data.get("day", WINTER.isoformat())
    try:
        day = date.fromisoformat(given)
        if day.year not in YEARS:
            raise ValueError(given)
        return day
    except (TypeError, ValueError) as error:
        raise InvalidDay(f"program data: day is {given!r}: give one such as 2026-11-24") from error


class ClockService:
    """Stands for a service elsewhere that one has to ask: in truth this machine's own zones.

    So that retries can be seen, it answers one request of each of the first two attempts and is
    busy then. By the attempt, not by chance: what is shown shall be shown every time.
    """

    BUSY_ATTEMPTS = 2

    def __init__(self, day: date, attempt: int) -> None:
        self._noon = datetime.combine(day, time(12), UTC)  # the change of the clocks is past then
        self._attempt = attempt
        self._requests = 0

    def ask(self, zones: Sequence[str]) -> list[Row]:
        """Return the whole hours ahead of UTC of each zone; None for one that is not known."""
        self._requests += 1
        if self._requests > 1 and self._attempt <= self.BUSY_ATTEMPTS:
            raise RetryableError("the clock service (simulated) is busy: 503")
        return [{"zone": zone, "hours": self._hours(zone)} for zone in zones]

    def _hours(self, zone: str) -> int | None:
        try:
            offset = self._noon.astimezone(ZoneInfo(zone)).utcoffset()
        except (ZoneInfoNotFoundError, ValueError, OSError):  # its name may be a folder's
            return None
        return offset // HOUR if offset is not None else None


@register
class LookUpClocks(Job):
    name = "look_up_clocks"
    retry_delay = 0.5  # seconds: short, to be watched

    def execute(self, message: Message, job_data: JobData) -> None:
        folder = Folder(message.run_id)
        zones = [zone for zone, _ in folder.read_json("figures.json")["zones"] if zone]
        day = day_of(self.program_data)
        service = ClockService(day, message.attempt)
        done = job_data.get().get("zones", 0)
        while batch := zones[done : done + BATCH]:
            folder.write_rows(page_name("clocks", done // BATCH), service.ask(batch))
            done += len(batch)
            job_data.checkpoint({"zones": done})
            logger.info("looked up %d of %d zones", done, len(zones))
        found = {"day": day.isoformat(), "pages": math.ceil(done / BATCH)}
        folder.write_json("clocks.json", found)


def airports_by_hour(folder: Folder) -> list[tuple[int, int]]:
    """Return (hours ahead of UTC, airports), westernmost first; unknown clocks are left out."""
    airports = dict(folder.read_json("figures.json")["zones"])
    counts: Counter[int] = Counter()
    for page in range(folder.read_json("clocks.json")["pages"]):
        for clock in folder.read_rows(page_name("clocks", page)):
            if clock["hours"] is not None:
                counts[clock["hours"]] += airports[clock["zone"]]
    return sorted(counts.items())

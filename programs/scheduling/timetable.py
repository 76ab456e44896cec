"""When a schedule ticks: by a cron expression in a time zone, or by an interval."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from programs.errors import InvalidSchedule

if TYPE_CHECKING:
    from cronsim import CronSim, CronSimError
else:
    try:
        from cronsim import CronSim, CronSimError
    except ImportError:  # intervals need none
        CronSim, CronSimError = None, ValueError

CRON_LENGTH = 100  # characters
ZONE_LENGTH = 64
LONGEST = 2**31 - 1  # seconds of an interval
COUNTED = 10_000  # ticks of one outage; of more, only the last are looked for
FIELDS = "minute, hour, day of the month, month, day of the week"
UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


class Due(NamedTuple):
    """The ticks from one moment to another."""

    total: int  # of a cron expression no more than `COUNTED` are counted
    last: list[datetime]  # as many as were asked for, in their order


@dataclass(frozen=True)
class Timetable:
    """The moments of a schedule. They are aware, and in UTC; a change of the clock moves none.

    As Debian's cron has it: what falls into an hour that is left out ticks right behind it; of an
    hour that comes twice, a fixed time ticks once, and "every so often" goes on through both.
    """

    cron: str | None = None
    interval: int | None = None  # seconds
    time_zone: str = "UTC"

    @classmethod
    def checked(cls, cron: Any, interval: Any, time_zone: Any) -> Timetable:
        """Return the timetable of what was given, or raise `InvalidSchedule`."""
        _zone(time_zone)
        cron = None if cron == "" else cron
        if cron is not None and interval is not None:
            raise InvalidSchedule("interval", "is given beside a cron expression: leave one out")
        if cron is None and interval is None:
            raise InvalidSchedule("cron", "is missing: give it, or an interval in seconds")
        if cron is None:
            return cls(None, _checked_interval(interval), time_zone)
        found = cls(_checked_cron(cron), None, time_zone)
        if found.after(datetime.now(UTC)) is None:
            raise InvalidSchedule("cron", "never ticks: there is no such day")
        return found

    def after(self, moment: datetime) -> datetime | None:
        """Return the first tick after this moment, which an interval is counted from; None: none.

        Raises `InvalidSchedule` where this process cannot tell.
        """
        return next(self._after(moment), None)

    def next(self, count: int, after: datetime) -> list[datetime]:
        """Return the next ticks after this moment, at most `count`."""
        return list(islice(self._after(after), count))

    def until(self, first: datetime, now: datetime, most: int) -> Due:
        """Return the ticks from `first`, which is one, to `now`, however many they are."""
        if self.interval is not None:
            step = timedelta(seconds=self.interval)
            count = (now - first) // step + 1
            last = [first + step * index for index in range(max(0, count - most), count)]
            return Due(count, last)
        due: deque[datetime] = deque([first], maxlen=most)
        count = 1
        for count, tick in enumerate(self._between(first, now), start=2):
            due.append(tick)
            if count == COUNTED:
                return Due(count, self._last(first, now, most))
        return Due(count, list(due))

    @property
    def explained(self) -> str:
        """Return when it ticks, in words."""
        if self.interval is not None:
            unit, seconds = next(each for each in UNITS if self.interval % each[1] == 0)
            count = self.interval // seconds
            return f"every {unit}" if count == 1 else f"every {count} {unit}s"
        return f"{self._simulation(datetime.now(UTC)).explain()} ({self.time_zone})"

    def _between(self, moment: datetime, now: datetime) -> Iterator[datetime]:
        return takewhile(lambda tick: tick <= now, self._after(moment))

    def _last(self, first: datetime, now: datetime, most: int) -> list[datetime]:
        """Return the last ticks before `now`, without a look at all that were before them."""
        window = timedelta(hours=1)
        while True:
            since = max(first, now - window)
            found = deque(self._between(since, now), maxlen=most)
            if len(found) == most or since == first:
                return list(found)
            window *= 8

    def _after(self, moment: datetime) -> Iterator[datetime]:
        if self.interval is not None:
            step = timedelta(seconds=self.interval)
            while True:
                moment += step
                yield moment
        for tick in self._simulation(moment):
            found = tick.astimezone(UTC)
            if found > moment:  # of an hour that comes twice, cron's answer may be in the first
                moment = found
                yield found

    def _simulation(self, moment: datetime) -> CronSim:
        if CronSim is None:
            raise InvalidSchedule(
                "cron",
                "needs the package cronsim: pip install 'django-program-executor[schedules]', or "
                "give an interval",
            )
        assert self.cron is not None
        return CronSim(self.cron, moment.astimezone(_zone(self.time_zone)))


def _zone(name: Any) -> tzinfo:
    if name == "UTC":
        return UTC  # also where there is no database of time zones
    try:
        if isinstance(name, str) and len(name) <= ZONE_LENGTH:
            return ZoneInfo(name)
    except (ValueError, LookupError, OSError):
        pass
    raise InvalidSchedule("time_zone", "is no time zone: give one such as Europe/Berlin, or UTC")


def _checked_interval(interval: Any) -> int:
    if isinstance(interval, bool) or not isinstance(interval, int):
        raise InvalidSchedule("interval", "must be a whole number of seconds")
    if not 1 <= interval <= LONGEST:
        raise InvalidSchedule("interval", f"must be 1 to {LONGEST} seconds")
    return interval


def _checked_cron(cron: Any) -> str:
    if not isinstance(cron, str) or len(cron) > CRON_LENGTH:
        raise InvalidSchedule("cron", f"must be a text of at most {CRON_LENGTH} characters")
    parts = cron.split()
    if len(parts) != 5:
        raise InvalidSchedule("cron", f"has {len(parts)} fields; give five: {FIELDS}")
    found = Timetable(" ".join(parts))
    try:
        found._simulation(datetime.now(UTC))
    except (CronSimError, AssertionError, ValueError) as error:
        if isinstance(error, InvalidSchedule):
            raise
        if _ticks_on_other_days(parts):
            raise InvalidSchedule(
                "cron", "never ticks: none of its months has such a day"
            ) from error
        told = str(error).lower() or "strange steps"
        raise InvalidSchedule("cron", f"is no cron expression: {told}") from error
    assert found.cron is not None
    return found.cron


def _ticks_on_other_days(parts: list[str]) -> bool:
    """Tell whether nothing is wrong but that its months are too short for its days."""
    try:
        for changed in ([*parts[:2], "*", *parts[3:]], [*parts[:3], "*", parts[4]]):
            CronSim(" ".join(changed), datetime.now(UTC))
    except (CronSimError, AssertionError, ValueError):
        return False
    return True

"""When schedules tick: over the clock's changes, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from programs.errors import InvalidSchedule
from programs.scheduling import timetable
from programs.scheduling.timetable import COUNTED, Timetable


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def after(table: Timetable, moment: str, count: int) -> list[str]:
    """Return the next ticks as texts in UTC."""
    return [f"{tick:%m-%d %H:%M}" for tick in table.next(count, utc(moment))]


# The clock's changes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "cron", "moment", "expected"),
    [
        # Spring: 02:30 is left out, and ticks right behind the gap.
        ("Europe/Berlin", "30 2 * * *", "2026-03-28T00:00", ["03-28 01:30", "03-29 01:00"]),
        ("America/New_York", "30 2 * * *", "2026-03-07T00:00", ["03-07 07:30", "03-08 07:00"]),
        # Autumn: 02:30 (01:30) comes twice, and ticks at the first.
        ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00", ["10-25 00:30", "10-26 01:30"]),
        ("America/New_York", "30 1 * * *", "2026-10-31T12:00", ["11-01 05:30", "11-02 06:30"]),
        # The same, asked for from within the second of the two hours.
        ("Europe/Berlin", "30 2 * * *", "2026-10-25T01:05", ["10-26 01:30", "10-27 01:30"]),
        ("America/New_York", "30 1 * * *", "2026-11-01T06:05", ["11-02 06:30", "11-03 06:30"]),
        # "Every half hour" goes on through both.
        (
            "Europe/Berlin",
            "*/30 * * * *",
            "2026-10-25T00:15",
            ["10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"],
        ),
        (
            "America/New_York",
            "*/30 * * * *",
            "2026-03-08T06:15",
            ["03-08 06:30", "03-08 07:00", "03-08 07:30"],
        ),
    ],
)
def test_a_change_of_the_clock_neither_loses_nor_doubles_a_tick(
    zone: str, cron: str, moment: str, expected: list[str]
) -> None:
    assert after(Timetable(cron, None, zone), moment, len(expected)) == expected


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_a_nightly_tick_comes_once_a_day_all_year_from_whenever_one_asks(zone: str) -> None:
    table = Timetable("30 2 * * *", None, zone)
    days = [tick.astimezone(ZoneInfo(zone)).date() for tick in table.next(365, utc("2026-01-01"))]
    assert all(second - first == timedelta(days=1) for first, second in pairwise(days))

    asked = utc("2026-01-01")
    for tick in table.next(365, asked):
        assert table.after(tick - timedelta(seconds=1)) == tick
        assert (following := table.after(tick)) is not None
        assert following > tick


def test_an_interval_is_not_moved_by_a_change_of_the_clock() -> None:
    table = Timetable(None, 3600, "Europe/Berlin")
    assert after(table, "2026-10-25T00:15", 3) == ["10-25 01:15", "10-25 02:15", "10-25 03:15"]


SEVERAL = ["* * * * *", "*/7 2 * * *", "0,30 1-3 * * *", "15 */2 * * SUN", "59 23 L * *"]
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]


@given(st.integers(0, 365 * 86_400), st.sampled_from(SEVERAL), st.sampled_from(ZONES))
def test_ticks_rise_and_are_all_behind_the_moment(second: int, cron: str, zone: str) -> None:
    moment = utc("2026-01-01") + timedelta(seconds=second)
    found = [moment, *Timetable(cron, None, zone).next(10, moment)]
    assert all(one < other for one, other in pairwise(found))


# What has come --------------------------------------------------------------------------------


def test_what_has_come_is_counted_and_the_last_of_it_told() -> None:
    first, until = utc("2026-11-01T00:00"), utc("2026-11-01T05:30")
    hourly = Timetable("0 * * * *").until(first, until, 2)
    assert (hourly.total, hourly.last) == (6, [utc("2026-11-01T04:00"), utc("2026-11-01T05:00")])
    assert Timetable(None, 3600).until(first, until, 2) == hourly


def test_of_a_long_outage_only_the_last_are_looked_for() -> None:
    every_minute = Timetable("* * * * *", None, "Europe/Berlin")
    due = every_minute.until(utc("2024-01-01T00:00"), utc("2026-11-01T00:00:30"), 70)
    assert due.total == COUNTED
    assert due.last == [utc("2026-11-01T00:00") - timedelta(minutes=n) for n in range(69, -1, -1)]

    rare = Timetable("* 3 * * *").until(utc("2020-01-01T03:00"), utc("2026-11-01T01:00"), 2)
    assert rare.last == [utc("2026-10-31T03:58"), utc("2026-10-31T03:59")]


def test_of_a_short_interval_all_are_counted_at_once() -> None:
    due = Timetable(None, 1).until(utc("2000-01-01"), utc("2026-01-01"), 2)
    assert due.total == (utc("2026-01-01") - utc("2000-01-01")).total_seconds() + 1
    assert due.last == [utc("2025-12-31T23:59:59"), utc("2026-01-01")]


# What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cron", "interval", "zone", "field", "reason"),
    [
        ("61 * * * *", None, "UTC", "cron", "is no cron expression: bad minute"),
        ("0 25 * * *", None, "UTC", "cron", "is no cron expression: bad hour"),
        ("é * * * *", None, "UTC", "cron", "is no cron expression: bad minute"),
        ("* * * *", None, "UTC", "cron", "has 4 fields; give five: minute"),
        ("* * * * * *", None, "UTC", "cron", "has 6 fields; give five: minute"),
        ("*" * 101, None, "UTC", "cron", "must be a text of at most 100 characters"),
        (5, None, "UTC", "cron", "must be a text"),
        ("0 0 31 2 *", None, "UTC", "cron", "never ticks"),
        ("0 0 30 2 *", None, "Europe/Berlin", "cron", "never ticks"),
        ("0 0 31 4,6,9,11 *", None, "UTC", "cron", "never ticks"),
        (None, None, "UTC", "cron", "is missing: give it, or an interval in seconds"),
        ("", None, "UTC", "cron", "is missing"),
        ("* * * * *", 60, "UTC", "interval", "is given beside a cron expression: leave one out"),
        (None, 0, "UTC", "interval", "must be 1 to 2147483647 seconds"),
        (None, -5, "UTC", "interval", "must be 1 to"),
        (None, 2**31, "UTC", "interval", "must be 1 to"),
        (None, 1.5, "UTC", "interval", "must be a whole number of seconds"),
        (None, True, "UTC", "interval", "must be a whole number of seconds"),
        (None, "60", "UTC", "interval", "must be a whole number of seconds"),
        (None, 60, "Mars/Olympus", "time_zone", "is no time zone: give one such as Europe/Berlin"),
        (None, 60, "America", "time_zone", "is no time zone"),  # a folder
        (None, 60, "../../etc/passwd", "time_zone", "is no time zone"),
        (None, 60, "a\0b", "time_zone", "is no time zone"),
        (None, 60, "", "time_zone", "is no time zone"),
        (None, 60, None, "time_zone", "is no time zone"),
        (None, 60, "x" * 10_000, "time_zone", "is no time zone"),
    ],
)
def test_what_cannot_be_is_refused_with_the_name_of_the_field(
    cron: Any, interval: Any, zone: Any, field: str, reason: str
) -> None:
    with pytest.raises(InvalidSchedule) as refused:
        Timetable.checked(cron, interval, zone)
    assert refused.value.field == field
    assert refused.value.reason.startswith(reason)


@given(st.text("0123456789*/,-L#W SUNJA", max_size=30))
def test_whatever_is_typed_is_a_timetable_or_refused(cron: str) -> None:
    try:
        table = Timetable.checked(cron, None, "Europe/Berlin")
    except InvalidSchedule:
        return  # nothing else is raised
    assert table.after(datetime.now(UTC)) is not None
    assert table.explained


def test_without_cronsim_intervals_work_and_cron_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timetable, "CronSim", None)
    with pytest.raises(InvalidSchedule, match=r"pip install 'django-program-executor\[schedules\]"):
        Timetable.checked("* * * * *", None, "UTC")
    assert after(Timetable.checked(None, 60, "UTC"), "2026-01-01T00:00", 1) == ["01-01 00:01"]


# Words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (Timetable("30 2 * * *", None, "Europe/Berlin"), "At 02:30 every day (Europe/Berlin)"),
        (Timetable(None, 1), "every second"),
        (Timetable(None, 90), "every 90 seconds"),
        (Timetable(None, 300), "every 5 minutes"),
        (Timetable(None, 3600), "every hour"),
        (Timetable(None, 172_800), "every 2 days"),
    ],
)
def test_a_timetable_says_in_words_when_it_ticks(table: Timetable, words: str) -> None:
    assert table.explained == words

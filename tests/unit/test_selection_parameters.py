"""The parameters of a URL that select programs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.utils import timezone as django_timezone
from pytest_django.fixtures import Settings

from programs.errors import InvalidProgram
from programs.inspection import Selection
from programs.models import State

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def test_what_is_encoded_is_parsed_to_the_same() -> None:
    every = Selection(
        state=State.PAUSED,
        q="é & %",
        queue="reports",
        job="job \n x",
        definition="nightly-orders",
        worker="w/1",
        since=DAY,
        until=DAY + timedelta(days=1),
    )

    for wanted in (every, Selection(), Selection(q="x")):
        assert Selection.parse(wanted.encode()) == wanted
    assert Selection().encode() == {}


@pytest.mark.parametrize(
    ("since", "until", "first", "last"),
    [
        ("2026-01-02", "2026-01-02", DAY + timedelta(days=1), DAY + timedelta(days=2)),
        ("2026-01-02T03:04", "2026-01-02 03:04:05", None, None),
        ("2026-01-02T00:00+02:00", "2026-01-02T00:00:00Z", None, DAY + timedelta(days=1)),
    ],
)
def test_dates_are_days_or_moments(
    since: str, until: str, first: datetime | None, last: datetime | None
) -> None:
    wanted = Selection.parse({"since": since, "until": until})

    assert wanted.since is not None
    assert wanted.until is not None
    assert first in (None, wanted.since)
    assert last in (None, wanted.until)


def test_a_day_is_one_of_the_current_time_zone() -> None:
    with django_timezone.override(timezone(timedelta(hours=5))):
        wanted = Selection.parse({"since": "2026-01-01"})

    assert wanted.since == DAY - timedelta(hours=5)


def test_without_time_zones_a_moment_is_one_of_the_columns(settings: Settings) -> None:
    settings.USE_TZ = False

    wanted = Selection.parse({"since": "2026-01-01T02:00+02:00", "until": "2026-01-02"})

    assert wanted.since == DAY.replace(tzinfo=None)  # SQLite's, in UTC
    assert wanted.until == datetime(2026, 1, 3)  # noqa: DTZ001
    assert Selection.parse(wanted.encode()) == wanted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "asleep"),
        ("state", "FINISHED"),
        ("state", 7),
        ("q", "x" * 256),
        ("q", "a\0b"),
        ("q", "\ud800"),
        ("queue", ["default"]),
        ("worker", {"a": 1}),
        ("since", "yesterday"),
        ("since", "2026-02-30"),
        ("since", "0001-01-01T00:00+14:00"),
        ("since", "9999-12-31T23:59-12:00"),
        ("until", "9999-12-31"),
        ("until", "2026-01-01T25:00"),
    ],
)
def test_a_wrong_parameter_is_named(name: str, value: object) -> None:
    with pytest.raises(InvalidProgram) as refusal:
        Selection.parse({name: value})

    assert refusal.value.field == name
    assert refusal.value.reason

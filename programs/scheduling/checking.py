"""What a schedule may be: each part checked, and its data held against the definition's jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import TextChoices

from programs import data
from programs.definition import check_start
from programs.errors import InvalidInput, InvalidSchedule, UnknownDefinition
from programs.models import CatchUp, Overlap
from programs.scheduling.timetable import Timetable

DESCRIPTION_LENGTH = 255  # characters
MOST_CAUGHT_UP = 1_000  # ticks after one outage


def checked(given: dict[str, Any], using: str) -> dict[str, Any]:
    """Return the columns of a schedule, or raise `InvalidSchedule` with all that is wrong.

    `given`: all of them, by name.
    """
    unknown = given.keys() - {*CHECKS, "cron", "interval", "time_zone", *DATA}
    if unknown:
        raise InvalidSchedule(sorted(unknown)[0], "is no field of a schedule")
    errors: list[tuple[str, str]] = []
    columns: dict[str, Any] = {}
    try:
        timetable = Timetable.checked(given["cron"], given["interval"], given["time_zone"])
        columns = {name: getattr(timetable, name) for name in ("cron", "interval", "time_zone")}
    except InvalidSchedule as error:
        errors += error.errors
    for name, check in CHECKS.items():
        try:
            columns[name] = check(given[name])
        except ValueError as error:
            errors.append((name, str(error)))
    try:
        columns |= _checked_data(given, using)
    except InvalidSchedule as error:
        errors += error.errors
    if errors:
        raise InvalidSchedule(*errors[0], errors=errors)
    return columns


def _checked_data(given: dict[str, Any], using: str) -> dict[str, Any]:
    """Return the data that is merged over the definition's, if a program could start with it."""
    try:
        check_start(given["definition"], *(given[name] for name in DATA), using=using)
        return {name: data.stored(given[name]) for name in DATA}
    except UnknownDefinition as error:
        raise InvalidSchedule("definition", str(error)) from error
    except InvalidInput as error:
        # Of the definition itself, which is not this schedule's to mend: a job that is gone.
        pairs = [(field if _is_data(field) else "definition", why) for field, why in error.errors]
        raise InvalidSchedule(*pairs[0], errors=pairs) from error


def _is_data(field: str) -> bool:
    return field.startswith(DATA)


def _description(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a text, not {type(value).__name__}")
    if len(value) > DESCRIPTION_LENGTH:
        raise ValueError(f"has {len(value)} characters; at most {DESCRIPTION_LENGTH}")
    return data.clean(value.strip(), DESCRIPTION_LENGTH)


def _limit(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_CAUGHT_UP:
        raise ValueError(f"must be a whole number from 1 to {MOST_CAUGHT_UP}")
    return value


def _one_of(choices: type[TextChoices]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices.values:
            raise ValueError(f"must be one of {', '.join(choices.values)}")
        return str(value)

    return check


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be the name of a definition, not {type(value).__name__}")
    return value


DATA = ("program_data", "job_data")
CHECKS: dict[str, Callable[[Any], Any]] = {
    "definition": _name,
    "description": _description,
    "catch_up": _one_of(CatchUp),
    "catch_up_limit": _limit,
    "overlap": _one_of(Overlap),
}

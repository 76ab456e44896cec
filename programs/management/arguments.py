"""What operators type behind a command, read and checked."""

from __future__ import annotations

import getpass
import json
import os
import re
import sys
from argparse import ArgumentTypeError
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Never

from django.conf import settings as django_settings
from django.core.management.base import CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from programs.errors import InvalidProgram
from programs.inspection.masks import restored, stray_masks
from programs.models import Program
from programs.redaction import MASK

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
SPAN = re.compile(rf"([0-9]{{1,9}})([{''.join(UNITS)}])")

NAME_LENGTH = 80  # characters: queues have room for 100, workers' names for more parts

STRAY_MASK = (
    f"holds a mask ({MASK}) at {{}}, and there is no secret to put in its place: give the secret, "
    "or leave it out"
)
DATA_HELP = "a JSON object, @FILE to read it from, or - for standard input"


def run_id(text: str) -> str:
    """Return what may be a run id, for argparse."""
    if not text.strip() or not text.isprintable() or len(text) > 255:
        raise ArgumentTypeError(f"{text!r} is no run id")
    return text


def name(text: str) -> str:
    """Return a name of a queue or a worker that fits into the tables' columns, for argparse."""
    if not text.strip() or not text.isprintable() or len(text) > NAME_LENGTH:
        raise ArgumentTypeError(f"{text!r} is no name of 1 to {NAME_LENGTH} characters")
    return text


def count(text: str) -> int:
    """Return a positive whole number, for argparse."""
    number = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
    if number < 1:
        raise ArgumentTypeError(f"{text!r} is no positive whole number")
    return number


def port(text: str) -> int:
    """Return the number of a port, for argparse."""
    number = int(text) if re.fullmatch(r"[0-9]{1,5}", text) else 0
    if not 0 < number < 65536:
        raise ArgumentTypeError(f"{text!r} is no port from 1 to 65535")
    return number


def seconds(text: str) -> float:
    """Return a number of seconds that is not negative, for argparse."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e6:
        raise ArgumentTypeError(f"{text!r} is no number of seconds")
    return number


def span(text: str) -> timedelta:
    """Return a length of time such as 30d, for argparse.

    >>> span("30d"), span("90m")
    (datetime.timedelta(days=30), datetime.timedelta(seconds=5400))
    """
    found = SPAN.fullmatch(text)
    length = int(found[1]) * UNITS[found[2]] if found else 0
    if not 0 < length < 100 * 365 * UNITS["d"]:
        raise ArgumentTypeError(f"{text!r} is no length of time such as 12h, 30d or 8w")
    return timedelta(seconds=length)


def moment(text: str) -> datetime:
    """Return a moment; without a zone of its own it has the project's. For argparse."""
    try:
        given = parse_datetime(text)
    except ValueError:
        given = None
    if given is None:
        raise ArgumentTypeError(f"{text!r} is no moment such as 2030-01-31T12:00:00Z")
    if given.utcoffset() is not None:
        return given
    zone = timezone.get_current_timezone() if django_settings.USE_TZ else None
    return given.astimezone() if zone is None else given.replace(tzinfo=zone)


def assignment(text: str) -> tuple[str, Any]:
    """Return the key and the value of KEY=VALUE, which is JSON or a text. For argparse.

    >>> assignment("day=2026-11-24"), assignment("pages=7")
    (('day', '2026-11-24'), ('pages', 7))
    """
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise ArgumentTypeError(f"{text!r} is no KEY=VALUE, such as day=2026-11-24")
    try:
        return key, json.loads(value, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return key, value


def _no_number(text: str) -> Never:
    """Let NaN, and what else JSON does not know, be a text."""
    raise ValueError(text)


def operator() -> str:
    """Return the name of the system's user, or their number where they have none."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container's user, say
        return f"uid {os.getuid()}"


def add_signature(parser: CommandParser, *, needs_reason: bool = False) -> None:
    """Add who does it and why, which is kept with what is done."""
    parser.add_argument("--reason", default="", required=needs_reason, help="why; kept, with --by")
    add_by(parser)


def add_by(parser: CommandParser) -> None:
    parser.add_argument("--by", default=operator(), help="who; by default the system's user")


def add_data(parser: CommandParser) -> None:
    parser.add_argument("--data", metavar="JSON", help=f"what all jobs see: {DATA_HELP}")
    parser.add_argument(
        "--job-data", metavar="JSON", help="data of single jobs, by their names, given likewise"
    )


def read_data(
    data: str | None, job_data: str | None, stored: Program | None = None
) -> dict[str, Any]:
    """Return those of `program_data` and `job_data` that were given, as JSON.

    `stored`: whose secrets take the places of their masks, as `showprogram` shows them. Raises
    `InvalidProgram`, also for a mask that nothing takes the place of.
    """
    if data == job_data == "-":
        raise InvalidProgram("job_data", "and --data cannot both be standard input")
    found = {}
    for part, text in (("program_data", data), ("job_data", job_data)):
        if text is not None:
            value = _parsed(part, _source(part, text))
            known = getattr(stored, part, {})
            if stray := stray_masks(part, value, known):
                raise InvalidProgram(part, STRAY_MASK.format(stray[0]))
            found[part] = restored(part, value, known)
    return found


def _source(part: str, text: str) -> str:
    try:
        if text == "-":
            if sys.stdin is None:  # closed, as by `<&-`
                raise InvalidProgram(part, "cannot be read: standard input is closed")
            return sys.stdin.read()
        return Path(text[1:]).read_text() if text.startswith("@") else text
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidProgram(part, f"cannot be read: {error}") from error


def _parsed(part: str, text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise InvalidProgram(part, "is nested too deeply") from error
    except ValueError as error:
        hint = """give an object, such as '{"year": 2024}', or @FILE"""
        raise InvalidProgram(part, f"is no JSON: {error}; {hint}") from error

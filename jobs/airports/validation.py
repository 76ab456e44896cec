"""The second step: good rows go on; the others are kept with the reason, and counted."""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from jobs.airports.folder import Folder, Row, page_name
from jobs.airports.source import COLUMNS, InvalidSource
from programs.job import Job, JobData
from programs.registry import register

if TYPE_CHECKING:
    from programs.message import Message

logger = logging.getLogger(__name__)

REJECTS = "rejects.csv"


def between(low: float, high: float) -> Callable[[str], bool]:
    """Return the rule that a text is a number from `low` to `high`; NaN is none."""

    def rule(value: str) -> bool:
        try:
            return low <= float(value) <= high
        except ValueError:
            return False

    return rule


RULES: tuple[tuple[str, Callable[[str], object], str], ...] = (
    ("icao", re.compile(r"[A-Z0-9]{4}").fullmatch, "is no code of four letters or digits"),
    ("iata", re.compile(r"([A-Z0-9]{3})?").fullmatch, "is no code of three letters or digits"),
    ("name", str.strip, "is empty"),
    ("country", re.compile(r"[A-Z]{2}").fullmatch, "is no country code of two letters"),
    ("elevation", between(-1500, 20000), "is no height from -1,500 to 20,000 feet"),
    ("lat", between(-90, 90), "is no latitude from -90 to 90"),
    ("lon", between(-180, 180), "is no longitude from -180 to 180"),
    ("tz", re.compile(r"([A-Za-z_]+(/[A-Za-z0-9_+-]+)*)?").fullmatch, "is no time zone's name"),
)


def fault_of(row: Row) -> str | None:
    """Return what is wrong with one row by itself."""
    if "surplus" in row:
        return f"has {len(row['surplus'])} fields more than the first line"
    for column in COLUMNS:
        if row[column] is None:
            return f"ends before {column}"
    for column, holds, reason in RULES:
        if not holds(row[column]):
            return f"{column} {row[column]!r} {reason}"
    return None


def airport(row: Row) -> Row:
    """Return what the next steps need of a good row, with numbers as numbers."""
    texts = {column: row[column].strip() for column in ("icao", "name", "country", "tz")}
    numbers = {column: float(row[column]) for column in ("elevation", "lat", "lon")}
    return {"line": row["line"], **texts, **numbers}


class Known:
    """The airports accepted so far, by code and by place."""

    def __init__(self) -> None:
        self._lines: dict[object, int] = {}

    def fault_of(self, airport: Row) -> str | None:
        """Return which earlier line this airport repeats."""
        for what, key in self._keys(airport):
            if key in self._lines:
                return f"has the {what} of line {self._lines[key]}"
        return None

    def add(self, airport: Row) -> None:
        for _, key in self._keys(airport):
            self._lines[key] = airport["line"]

    def _keys(self, airport: Row) -> Iterator[tuple[str, object]]:
        yield "icao code", airport["icao"]
        place = round(airport["lat"], 2), round(airport["lon"], 2)  # to about a kilometre
        yield "name and place", (airport["name"].casefold(), place)


@register
class ValidateAirports(Job):
    name = "validate_airports"

    def execute(self, message: Message, job_data: JobData) -> None:
        folder = Folder(message.run_id)
        imported = folder.read_json("imported.json")
        done: dict[str, Any] = {"pages": 0, "valid": 0, "rejected": 0, **job_data.get()}
        known = Known()
        for page in range(done["pages"]):
            for row in folder.read_rows(page_name("valid", page)):
                known.add(row)
        for page in range(done["pages"], imported["pages"]):
            valid, rejected = judge(folder.read_rows(page_name("imported", page)), known)
            folder.write_rows(page_name("valid", page), valid)
            folder.write_rows(page_name("rejected", page), rejected)
            done = {
                "pages": page + 1,
                "valid": done["valid"] + len(valid),
                "rejected": done["rejected"] + len(rejected),
            }
            job_data.checkpoint(done)
            logger.info("page %d: %d good, %d rejected", page, len(valid), len(rejected))
        rejects = [
            row
            for page in range(imported["pages"])
            for row in folder.read_rows(page_name("rejected", page))
        ]
        path = folder.write(REJECTS, table(rejects))
        if not done["valid"]:
            raise InvalidSource(
                f"{imported['file']}: all {done['rejected']} rows were rejected, the first because "
                f"it {rejects[0]['reason']}: correct them; {path} tells what is wrong with each"
            )
        folder.write_json("validated.json", done)
        logger.info("%d rows are good; %d are not, see %s", done["valid"], done["rejected"], path)


def judge(page: list[Row], known: Known) -> tuple[list[Row], list[Row]]:
    """Part the rows of a page into airports and rejects; add the airports to `known`."""
    valid, rejected = [], []
    for row in page:
        reason = fault_of(row)
        if reason is None:
            candidate = airport(row)
            reason = known.fault_of(candidate)
        if reason is None:
            known.add(candidate)
            valid.append(candidate)
        else:
            rejected.append({"reason": reason, **row})
    return valid, rejected


def table(rejects: list[Row]) -> str:
    """Return the rejects as CSV, for people to correct."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ("line", "reason", *COLUMNS, "surplus"), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rejects)
    return text.getvalue()

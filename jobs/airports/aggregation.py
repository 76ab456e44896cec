"""The third step: the airports in figures."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jobs.airports.folder import Folder, Row, page_name
from programs.job import Job, JobData
from programs.registry import register

if TYPE_CHECKING:
    from programs.message import Message

logger = logging.getLogger(__name__)

BAND = 1000  # feet of one elevation band
HIGHEST_BAND = 10  # this one and all above it are one


@register
class AggregateAirports(Job):
    name = "aggregate_airports"

    def execute(self, message: Message, job_data: JobData) -> None:
        folder = Folder(message.run_id)
        figures = aggregate(airports(folder))
        folder.write_json("figures.json", figures)
        counts = {part: len(figures[part]) for part in ("countries", "zones")}
        job_data.merge({"airports": figures["airports"], **counts})
        logger.info("%d airports, in %d countries", figures["airports"], counts["countries"])


def airports(folder: Folder) -> Iterator[Row]:
    for page in range(folder.read_json("validated.json")["pages"]):
        yield from folder.read_rows(page_name("valid", page))


def aggregate(airports: Iterator[Row]) -> Row:
    """Return counts by country, time zone, elevation band and degree, and the extremes.

    Counts are lists of [value, count]; those of countries and zones begin with the largest.
    """
    countries: Counter[str] = Counter()
    zones: Counter[str] = Counter()
    bands: Counter[int] = Counter()
    cells: Counter[tuple[int, int]] = Counter()
    extremes: dict[str, Row] = {}
    for airport in airports:
        countries[airport["country"]] += 1
        zones[airport["tz"]] += 1
        bands[max(-1, min(math.floor(airport["elevation"] / BAND), HIGHEST_BAND))] += 1
        cells[math.floor(airport["lon"]), math.floor(airport["lat"])] += 1
        note_extremes(extremes, airport)
    return {
        "airports": countries.total(),
        "countries": countries.most_common(),
        "zones": zones.most_common(),
        "elevations": [[band, bands[band]] for band in range(-1, HIGHEST_BAND + 1)],
        "cells": sorted(cells.items()),
        "extremes": extremes,
    }


def note_extremes(extremes: dict[str, Row], airport: Row) -> None:
    """Keep the airport where it is the first of its kind, or beats the one that is kept."""
    for kind, column, sign in (
        ("highest", "elevation", 1),
        ("lowest", "elevation", -1),
        ("northernmost", "lat", 1),
        ("southernmost", "lat", -1),
    ):
        best = extremes.get(kind)
        if best is None or sign * airport[column] > sign * best[column]:
            extremes[kind] = airport

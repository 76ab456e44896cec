"""The fifth step: a map of the airports and their figures, as SVG."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from jobs.airports import svg
from jobs.airports.aggregation import BAND, HIGHEST_BAND
from jobs.airports.clocks import airports_by_hour
from jobs.airports.folder import Folder, Row
from programs.job import Job, JobData
from programs.registry import register

if TYPE_CHECKING:
    from programs.message import Message

logger = logging.getLogger(__name__)

CHART = "chart.svg"
WIDTH, GAP = 960, 32  # pixels
DEGREE = WIDTH / 360  # pixels of a degree
NORTHERN_EDGE = 84  # degrees: beyond is nothing but ice
COUNTRIES = 12  # that have a bar of their own
DENSITIES = ((1, 3, 0.45), (3, 10, 0.75), (10, 1 << 31, 1.0))  # airports from, below, opacity


@register
class DrawAirports(Job):
    name = "draw_airports"

    def execute(self, message: Message, job_data: JobData) -> None:
        folder = Folder(message.run_id)
        figures, day = folder.read_json("figures.json"), folder.read_json("clocks.json")["day"]
        path = folder.write(CHART, chart(figures, airports_by_hour(folder), day))
        job_data.merge({"chart": str(path)})
        logger.info("drew %s", path)


def chart(figures: Row, hours: list[tuple[int, int]], day: str) -> str:
    """Return the map, below it countries and elevations on the left, clocks on the right."""
    half = (WIDTH - GAP) / 2
    top = (90 + NORTHERN_EDGE) * DEGREE + GAP
    countries, below = svg.bars(0, top, half, "Countries", figures["countries"][:COUNTRIES])
    elevations, left = svg.bars(
        0,
        below + GAP,
        half,
        "Elevation",
        [(band_label(band), count) for band, count in figures["elevations"]],
    )
    clocks, right = svg.bars(
        half + GAP,
        top,
        half,
        f"Clocks on {day}",
        [(f"UTC{hour:+d}" if hour else "UTC", count) for hour, count in hours],
    )
    title = f"{figures['airports']:,} airports on a map, by country, elevation and clock"
    return svg.drawing(
        WIDTH, max(left, right), title, world(figures["cells"]), countries, elevations, clocks
    )


def world(cells: list[tuple[tuple[int, int], int]]) -> str:
    """Return the map: a dot for each square degree with airports, stronger where there are many."""
    return "".join(
        svg.dots(
            (
                ((lon + 180.5) * DEGREE, (NORTHERN_EDGE - lat - 0.5) * DEGREE)
                for (lon, lat), count in cells
                if least <= count < limit
            ),
            size=DEGREE,
            opacity=opacity,
        )
        for least, limit, opacity in DENSITIES
    )


def band_label(band: int) -> str:
    """Return what an elevation band holds, in feet."""
    if band < 0:
        return "below the sea"
    if band == HIGHEST_BAND:
        return f"{band * BAND:,} ft and up"
    return f"{band * BAND:,} ft"

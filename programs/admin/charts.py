"""Charts as the server draws them: bars in an SVG, with nothing that a strict policy refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from programs.admin.text import number

PITCH, BAR, HEIGHT = 10, 8, 100  # from bar to bar, a bar's width, the whole drawing's height
LOWEST = 2.0  # of a bar that is not nothing: it is seen beside any other one


@dataclass(frozen=True)
class Bar:
    """One value, as a rectangle. Texts, so that no language writes a decimal comma."""

    x: str
    y: str
    height: str
    title: str


@dataclass(frozen=True)
class Chart:
    """Bars over time, from nothing to the highest of them."""

    key: str  # what the ids in the page begin with
    kind: str  # the class that gives it its colour
    title: str
    summary: str
    bars: list[Bar]
    width: int
    highest: str
    ticks: list[str]


def bar_chart(
    key: str, kind: str, title: str, told: str, points: Sequence[tuple[str, int]]
) -> Chart:
    """Return the chart of these labelled numbers; `told` says their `{total}` and `{highest}`."""
    numbers = [value for _, value in points]
    total, highest = sum(numbers), max(numbers, default=0)
    scale = HEIGHT / max(highest, 1)
    bars = []
    for index, (label, value) in enumerate(points):
        if value:
            height = max(value * scale, LOWEST)
            title_ = f"{label}: {number(value)}"
            bars.append(
                Bar(str(index * PITCH + 1), f"{HEIGHT - height:.1f}", f"{height:.1f}", title_)
            )
    labels = [label for label, _ in points]
    return Chart(
        key=key,
        kind=kind,
        title=title,
        summary=told.format(total=number(total), highest=number(highest)),
        bars=bars,
        width=PITCH * len(points),
        highest=number(highest) if highest else "",
        ticks=[labels[0], labels[len(labels) // 2], labels[-1]] if labels else [],
    )

"""The chart of part A, as SVG; run by the benchmark's environment, which has matplotlib."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from benchmarks.figures import Spread
from benchmarks.parts import DRAIN

OURS, STORED, NOTHING_STORED, LIMIT = "#0d6e6e", "#86b8b1", "#c4c4c4", "#e8c468"
LEFT_OUT = ("pika",)
COLOURS = {
    **dict.fromkeys(("ours-8", "ours-1"), OURS),
    **dict.fromkeys(("celery", "dramatiq"), NOTHING_STORED),
    **dict.fromkeys(("raw-8", "raw-1"), LIMIT),
}
LEGEND = {
    OURS: "Program Executor: every step stored",
    STORED: "others that store every step",
    NOTHING_STORED: "others that store nothing",
    LIMIT: "the same statements, bare",
}


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw programs a second, medians as bars and the rounds' spread as lines."""
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "benchmarks"})
    readings = results["parts"]["A"]["readings"]
    shown = [one for one in DRAIN.contestants if one.key not in LEFT_OUT]
    spreads = {one.key: Spread.of(readings[one.key]["rate"]) for one in shown}
    shown.sort(key=lambda one: spreads[one.key].median)
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    for position, one in enumerate(shown):
        spread = spreads[one.key]
        colour = COLOURS.get(one.key, STORED)
        reach = [[spread.median - spread.low], [spread.high - spread.median]]
        axes.barh(position, spread.median, color=colour, xerr=reach, ecolor="#404040", height=0.7)
        axes.annotate(
            f" {spread.median:,.0f}",
            (spread.high, position),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(range(len(shown)), [one.name for one in shown])
    axes.set_xlabel("programs of three no-op jobs a second, one worker process")
    axes.margins(x=0.1)
    axes.spines[["top", "right"]].set_visible(False)
    handles = [axes.barh(0, 0, color=colour, label=label) for colour, label in LEGEND.items()]
    axes.legend(handles=handles, loc="lower right", frameon=False)
    figure.savefig(path, format="svg", metadata={"Date": None})


def main() -> None:
    results, path = (Path(argument) for argument in sys.argv[1:])
    found = json.loads(results.read_text())
    if "A" in found["parts"]:
        draw(found, path)


if __name__ == "__main__":
    main()

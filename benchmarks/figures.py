"""The arithmetic: how figures of several rounds are put together, and what is reached."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Reached(Enum):
    """How a figure stands to its goal."""

    AIM = "aim reached"
    MUST = "must reached"
    MISSED = "missed"
    BELOW_AIM = "aim missed"  # where there is an aim alone


@dataclass(frozen=True)
class Spread:
    """The middle of several rounds, and how far they lie apart."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Goal:
    """What a figure must be and should be: at least, or `at_most`."""

    must: float | None = None
    aim: float | None = None
    at_most: bool = False

    def judge(self, value: float) -> Reached:
        if self.aim is not None and self._meets(value, self.aim):
            return Reached.AIM
        if self.must is None:
            return Reached.BELOW_AIM
        return Reached.MUST if self._meets(value, self.must) else Reached.MISSED

    def _meets(self, value: float, bound: float) -> bool:
        return value <= bound if self.at_most else value >= bound


def ratios(of: Sequence[float], against: Sequence[float]) -> list[float]:
    """Return the ratio of each round: what slows a whole round down is not in them."""
    return [one / other for one, other in zip(of, against, strict=True)]


def significant(value: float) -> float:
    """Return a value with the four digits that a measurement may claim at most."""
    return float(f"{value:.4g}")


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that so many percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]

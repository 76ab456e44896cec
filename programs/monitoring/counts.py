"""What only grows: attempts and their durations, lost leases and hints, as plain numbers."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# Seconds. Jobs take milliseconds or hours: four to a decade would be many series for each job.
BOUNDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)


@dataclass
class Durations:
    """How many took how long: by the first of `BOUNDS` that is not below, and those beyond."""

    numbers: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0  # seconds

    def observe(self, seconds: float) -> None:
        self.numbers[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def add(self, others: Durations) -> None:
        self.numbers = [sum(pair) for pair in zip(self.numbers, others.numbers, strict=True)]
        self.total += others.total


@dataclass
class Counts:
    """All that is counted of one process, or of several together."""

    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)  # by job and outcome
    durations: dict[str, Durations] = field(default_factory=dict)  # by job
    leases_lost: Counter[str] = field(default_factory=Counter)  # by reason
    hints: Counter[str] = field(default_factory=Counter)  # by fate

    def add(self, others: Counts) -> None:
        self.attempts.update(others.attempts)
        self.leases_lost.update(others.leases_lost)
        self.hints.update(others.hints)
        for job, durations in others.durations.items():
            self.durations.setdefault(job, Durations()).add(durations)

    def encode(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "attempts": [[*key, number] for key, number in self.attempts.items()],
            "durations": [[job, own.total, own.numbers] for job, own in self.durations.items()],
            "leases_lost": self.leases_lost,
            "hints": self.hints,
        }

    @classmethod
    def decode(cls, given: dict[str, Any]) -> Counts:
        return cls(
            Counter({(job, outcome): number for job, outcome, number in given["attempts"]}),
            {job: Durations(numbers, total) for job, total, numbers in given["durations"]},
            Counter(given["leases_lost"]),
            Counter(given["hints"]),
        )

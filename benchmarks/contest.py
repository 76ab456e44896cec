"""Runs a part: all systems one after the other in each round, in alternating order."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.contestant import Contestant
from benchmarks.figures import ratios, significant
from benchmarks.parts import Comparison, Part
from benchmarks.places import Places, calm

Readings = dict[str, dict[str, list[float]]]  # contestant, reading: a value for each round


def run(
    part: Part, python: Path, places: Places, programs: int, rounds: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Return what each contestant found in each round, as results.json keeps it."""
    versions: dict[str, str] = {}
    tried: dict[str, dict[str, float]] = {}
    variants: dict[str, str] = {}
    readings: Readings = {contestant.key: {} for contestant in part.contestants}

    def measure(contestant: Contestant, variant: str) -> dict[str, float]:
        environment = places.environment(contestant.place)
        calm()
        found = contestant.run(python, environment, programs, variant)
        versions.update(found.pop("versions", {}))
        found = {name: significant(value) for name, value in found.items()}
        told = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
        say(f"  {contestant.name}{f' ({variant})' if variant else ''}: {told}")
        return found

    for contestant in part.contestants:
        if contestant.variants:
            say(f"{part.letter}: which of {contestant.name}'s ways is the quickest?")
            tried[contestant.key] = {
                variant: measure(contestant, variant)[part.judged_by]
                for variant in contestant.variants
            }
            variants[contestant.key] = best(tried[contestant.key], part.judged_by)
    for number in range(rounds):
        say(f"{part.letter}: round {number + 1} of {rounds}")
        for contestant in in_turn(part.contestants, number):
            found = measure(contestant, variants.get(contestant.key, ""))
            for name, value in found.items():
                readings[contestant.key].setdefault(name, []).append(value)
    return {
        "readings": readings,
        "variants": variants,
        "tried": tried,
        "versions": versions,
    }


def in_turn(contestants: tuple[Contestant, ...], number: int) -> tuple[Contestant, ...]:
    """Return the order of a round: whoever comes after a heavy neighbour comes before it next."""
    return contestants if number % 2 == 0 else contestants[::-1]


def best(tried: dict[str, float], judged_by: str) -> str:
    """Return the variant with the highest rate, or the shortest time."""
    choose = max if judged_by == "rate" else min
    return choose(tried, key=lambda variant: tried[variant])


def values(comparison: Comparison, readings: Readings) -> list[float]:
    """Return the figure of each round."""
    contestant, name = comparison.of
    own = readings[contestant][name]
    if comparison.against is None:
        return own
    if isinstance(comparison.against, float):
        return ratios(own, [comparison.against] * len(own))
    other, other_name = comparison.against
    return ratios(own, readings[other][other_name])


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)

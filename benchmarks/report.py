"""What results.json says, as a table: on a terminal, in docs/benchmarks.md, in the README.

`python -m benchmarks.report --write` puts it between the marks of the documents.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.contest import values
from benchmarks.contestant import ROOT, Contestant
from benchmarks.figures import Goal, Spread
from benchmarks.parts import PARTS, Comparison, Part

RESULTS = ROOT / "benchmarks" / "results.json"
DOCUMENT, README = ROOT / "docs" / "benchmarks.md", ROOT / "README.md"
SHORT = ("A", "C", "D")  # the parts that the README shows

Row = tuple[str, ...]
COMPARED: Row = ("", "median", "lowest to highest", "must", "aim", "")


def written(results: dict[str, Any]) -> str:
    """Return results.json, with a line for each list of rounds."""
    text = json.dumps(results, indent=1, sort_keys=True, ensure_ascii=False)
    lines = re.sub(r"\[\n([^][{}]*?)\n *\]", lambda found: f"[{' '.join(found[1].split())}]", text)
    return f"{lines}\n"


def table(results: dict[str, Any]) -> str:
    """Return all figures for a terminal."""
    lines = [on(results), ""]
    for part, found in _parts(results):
        lines += [f"{part.letter}: {part.title}", *_aligned([*_absolutes(part, found)])]
        lines += [*_aligned([*_comparisons(part, found)]), ""]
    lines += ["What each of them did:", *_aligned(deeds(results))]
    return "\n".join([*lines, versions(results)])


def markdown(results: dict[str, Any]) -> str:
    """Return all figures for docs/benchmarks.md."""
    lines = [on(results), ""]
    for part, found in _parts(results):
        lines += [f"### {part.letter}: {part.title}", ""]
        if absolutes := [*_absolutes(part, found)]:
            lines += [*_bars(("", "median", "lowest to highest", "ways tried"), absolutes), ""]
        if comparisons := [*_comparisons(part, found)]:
            lines += [*_bars(COMPARED, comparisons), ""]
    lines += [
        "### What each of them did",
        "",
        *_bars(("", "durability, acks, bookkeeping"), deeds(results)),
    ]
    return "\n".join([*lines, "", versions(results)]).strip()


def deeds(results: dict[str, Any]) -> list[Row]:
    """Return what each system did, and left undone, for its figures."""
    told: dict[str, str] = {}
    for part, found in _parts(results):
        for contestant in part.contestants:
            if contestant.did and contestant.key in found["readings"]:
                told.setdefault(contestant.did, contestant.name)
    return [(name, did) for did, name in told.items()]


def versions(results: dict[str, Any]) -> str:
    """Say which versions were measured, in one sentence; of peers alone, where there were some."""
    found = {
        name: version for _, part in _parts(results) for name, version in part["versions"].items()
    }
    told = ", ".join(f"{name} {version}" for name, version in sorted(found.items()))
    return f"Versions: {told}." if told else ""


def short(results: dict[str, Any]) -> str:
    """Return the few figures that the README shows."""
    rows = [
        (f"{part.letter}: {comparison.name}", *row[1:3])
        for part, found in _parts(results)
        if part.letter in SHORT
        for comparison, row in zip(part.comparisons, _comparisons(part, found), strict=True)
    ]
    heads = ("", "median", "lowest to highest")
    return "\n".join([*_bars(heads, rows), "", on(results)])


def on(results: dict[str, Any]) -> str:
    """Say what it was measured on, and how much of it."""
    machine, amounts = results["machine"], results["amounts"]
    database = machine["postgresql"]
    return (
        f"Measured on {machine['when']}: {machine['processors']} processors"
        f" ({machine['processor']}), {machine['memory']}, {machine['system']},"
        f" Python {machine['python']}, PostgreSQL {database['server_version']}"
        f" (fsync {database['fsync']}, synchronous_commit {database['synchronous_commit']}),"
        f" RabbitMQ {machine['rabbitmq']}; load before the start {machine['load']}."
        f" Rounds: {amounts['rounds']}; programs of a drain: {amounts['programs']:,}."
    )


def _parts(results: dict[str, Any]) -> Iterator[tuple[Part, dict[str, Any]]]:
    for letter, part in PARTS.items():
        if letter in results["parts"]:
            yield part, results["parts"][letter]


def _absolutes(part: Part, found: dict[str, Any]) -> Iterator[Row]:
    """Yield what each contestant carried, where that is a rate or a time that others have too."""
    for contestant in part.contestants:
        reading = found["readings"][contestant.key].get(part.judged_by)
        if reading:
            unit = "/s" if part.judged_by == "rate" else " ms"
            how = _how(contestant, found)
            yield contestant.name, f"{_short(Spread.of(reading).median)}{unit}", _span(reading), how


def _how(contestant: Contestant, found: dict[str, Any]) -> str:
    """Return the way of a peer that was measured, and how quick the others had been."""
    variant = found["variants"].get(contestant.key)
    tried = found["tried"].get(contestant.key, {})
    others = ", ".join(f"{name} {_short(value)}" for name, value in tried.items())
    return f"{variant} (tried: {others})" if variant else ""


def _comparisons(part: Part, found: dict[str, Any]) -> Iterator[Row]:
    for comparison in part.comparisons:
        of_rounds = values(comparison, found["readings"])
        middle = Spread.of(of_rounds).median
        goal = comparison.goal or Goal()
        verdict = goal.judge(middle).value if comparison.goal else ""
        bounds = (_bound(goal.must, goal), _bound(goal.aim, goal))
        shown = f"{_short(middle)}{_unit(comparison)}"
        yield comparison.name, shown, _span(of_rounds), *bounds, verdict


def _unit(comparison: Comparison) -> str:
    if not comparison.unit:
        return " times"
    return comparison.unit if comparison.unit.startswith("/") else f" {comparison.unit}"


def _bound(bound: float | None, goal: Goal) -> str:
    return "" if bound is None else f"{'≤' if goal.at_most else '≥'} {_short(bound)}"


def _span(of_rounds: list[float]) -> str:
    spread = Spread.of(of_rounds)
    return f"{_short(spread.low)} to {_short(spread.high)}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _aligned(rows: list[Row]) -> list[str]:
    widths = (
        [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    )
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _bars(heads: Row, rows: list[Row]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (heads, ("---",) * len(heads), *rows)]


def put(text: str, mark: str, content: str) -> str:
    """Return `text` with `content` between the marks of this name; raises where there are none."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, found, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        raise ValueError(f"there is no {begin} … {end} to fill")
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--write", action="store_true", help="into the documents")
    options = parser.parse_args()
    results = json.loads(options.results.read_text())
    if not options.write:
        print(table(results))
        return 0
    for path, mark, content in (
        (DOCUMENT, "results", markdown(results)),
        (README, "benchmarks", short(results)),
    ):
        try:
            path.write_text(put(path.read_text(), mark, content))
        except ValueError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

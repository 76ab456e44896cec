"""Measures this project beside others, and prints how the figures stand to their goals.

`make bench` runs it on the tests' servers. It empties the tables of the database that DATABASE_URL
names: give it no other. All parts together write benchmarks/results.json and docs/benchmarks.svg;
some of them (`--only A,D`) write into build/.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import contest
from benchmarks.contest import say
from benchmarks.contestant import ROOT, Failed
from benchmarks.machine import described
from benchmarks.parts import PARTS
from benchmarks.places import Places
from benchmarks.report import RESULTS, table, written

PEERS = Path(sys.prefix, "benchmarks", "bin", "python")
CHART = ROOT / "docs" / "benchmarks.svg"
DRAFTS = ROOT / "build"


def letters(given: str) -> list[str]:
    """Return the parts that `--only` names, for argparse."""
    chosen = [letter.strip().upper() for letter in given.split(",") if letter.strip()]
    unknown = [letter for letter in chosen if letter not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no part {unknown[0]}; there are {', '.join(PARTS)}")
    return chosen or list(PARTS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=letters, default=list(PARTS), metavar="A,D,…")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--programs", type=int, default=3000, help="of a drain; all else follows")
    parser.add_argument("--waiting", type=int, default=1_000_000, help="programs that wait in H")
    parser.add_argument("--peers", type=Path, default=PEERS, help="the Python that peers run on")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--chart", type=Path)
    options = parser.parse_args()
    if not options.peers.exists():
        parser.error(f"--peers: there is no {options.peers}; `make bench` makes it")
    began = time.monotonic()
    is_whole = options.only == list(PARTS)
    out = options.out or (RESULTS if is_whole else DRAFTS / "benchmarks.json")
    chart = options.chart or (CHART if is_whole else DRAFTS / "benchmarks.svg")
    out.parent.mkdir(exist_ok=True)
    amounts = {name: getattr(options, name) for name in ("rounds", "programs", "waiting")}
    parts: dict[str, Any] = {}
    results = {"machine": described(), "amounts": amounts, "parts": parts}
    with Places(options.waiting) as places:
        for letter in options.only:
            part = PARTS[letter]
            say(f"{letter}: {part.title}")
            rounds = min(options.rounds, part.rounds or options.rounds)
            try:
                parts[letter] = contest.run(
                    part, options.peers, places, options.programs, rounds, say
                )
            except Failed as error:
                say(str(error))
                return 1
            out.write_text(written(results))
    print(table(results))
    say(f"{(time.monotonic() - began) / 60:.0f} minutes")
    draw(options.peers, out, chart)
    return 0


def draw(python: Path, results: Path, chart: Path) -> None:
    """Draw the chart with what the peers' environment has; without part A there is none."""
    environment = {**os.environ, "BENCHMARK_PEER": "1"}
    command = [str(python), "-m", "benchmarks.chart", str(results), str(chart)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


if __name__ == "__main__":
    sys.exit(main())

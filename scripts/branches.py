#!/usr/bin/env python3
"""Holds that 95 % of the branches were taken, read from `coverage json -o -` on standard input.

coverage's own gate counts lines and branches together, and lines are many: a branch is forgotten
sooner than a line.
"""

import json
import sys
from typing import Any

LEAST = 95  # percent
NAMED = 10  # files


def verdict(report: dict[str, Any]) -> tuple[list[str], bool]:
    """Return what there is to say, and whether enough branches were taken."""
    there, taken = report["totals"]["num_branches"], report["totals"]["covered_branches"]
    if not there:
        return ["No branches were counted: has anything been run?"], False
    enough = taken * 100 >= LEAST * there
    percent = taken * 10_000 // there / 100  # never rounded up: 94.999 is no 95
    lines = [f"Branches taken: {taken:,} of {there:,}, {percent:.2f} % (at least {LEAST} %)"]
    if not enough:
        missing = {
            name: file["summary"]["missing_branches"] for name, file in report["files"].items()
        }
        worst = sorted(filter(missing.get, missing), key=lambda name: (-missing[name], name))
        lines += [f"    {name}: {missing[name]} missing" for name in worst[:NAMED]]
    return lines, enough


def main() -> int:
    lines, enough = verdict(json.load(sys.stdin))
    print(*lines, sep="\n")
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())

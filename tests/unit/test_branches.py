"""`make coverage`: counts the branches alone, unrounded, and fails when it has nothing to count."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def judged(there: int, **taken: int) -> subprocess.CompletedProcess[str]:
    """Judge files of so many branches each, of which so many were taken."""
    files = {
        name: {"summary": {"num_branches": there, "missing_branches": there - number}}
        for name, number in taken.items()
    }
    totals = {"num_branches": there * len(taken), "covered_branches": sum(taken.values())}
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "branches.py"],
        input=json.dumps({"totals": totals, "files": files}),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_what_was_taken_is_said_when_it_is_enough() -> None:
    done = judged(100, a=95)
    assert done.returncode == 0
    assert done.stdout == "Branches taken: 95 of 100, 95.00 % (at least 95 %)\n"


def test_almost_enough_is_not_enough() -> None:
    done = judged(100_000, a=94_999)
    assert done.returncode == 1
    assert "94,999 of 100,000, 94.99 %" in done.stdout


def test_the_files_that_miss_most_are_named_first() -> None:
    done = judged(100, a=100, b=80, c=90)
    assert done.returncode == 1
    assert done.stdout.splitlines()[1:] == ["    b: 20 missing", "    c: 10 missing"]


@pytest.mark.parametrize("taken", [{}, {"a": 0}], ids=["no files", "an empty one"])
def test_no_branches_are_no_success(taken: dict[str, int]) -> None:
    done = judged(0, **taken)
    assert done.returncode == 1
    assert done.stdout == "No branches were counted: has anything been run?\n"


def test_a_report_that_cannot_be_read_is_no_success() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "branches.py"],
        input="",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0

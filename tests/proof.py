"""Run the tests on each database that can be had here, and say of each what was proven.

`python -m tests.proof [KIND…]`: by default on SQLite, PostgreSQL, MariaDB, and what
`TEST_DATABASE_URL` names; `compiled` for what is held against snapshots. No line tells more than
was done in this very run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests.databases import PRIVATE, named

ROOT = Path(__file__).parent.parent

NAMES = {
    "postgresql": "PostgreSQL",
    "sqlite": "SQLite",
    "mariadb": "MariaDB",
    "mysql": "MySQL",
    "sqlserver": "SQL Server",
    "oracle": "Oracle",
    "redshift": "Redshift",
}
COMPILED = "compiled"
PROCESSES = ("tests/acceptance",)  # timed: one after the other
REST = ("tests/integration", "tests/unit")
# On servers of our own each process has its own. Another's is one, for tests one after the other.
AT_ONCE = ("--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile", "--no-loadscope-reorder")

# Of a server that somebody has, only itself can say which of the two it is.
WHICH = "from django.db import connection as c; c.ensure_connection(); print(c.mysql_is_mariadb)"


@dataclass
class Result:
    """What one run of pytest did."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    status: int = 0  # pytest's
    statements: dict[str, int] = field(default_factory=dict)  # held against snapshots, by kind

    @property
    def is_sound(self) -> bool:
        return self.status == 0 and self.passed > 0

    def with_(self, other: Result) -> Result:
        """Return what both runs did."""
        return Result(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
            self.status or other.status,
            {**self.statements, **other.statements},
        )

    def told(self) -> str:
        if not self.passed and not self.failed:
            return "failed (no test was run)"
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        if self.is_sound:
            return f"run ({self.passed} passed{skipped})"
        return f"failed ({self.failed} failed, {self.passed} passed{skipped})"


def main(asked: list[str]) -> int:
    external = named() if os.environ.get("TEST_DATABASE_URL") else None
    known = [*PRIVATE, COMPILED, *([external] if external else [])]
    if unknown := set(asked) - set(known):
        print(f"{', '.join(sorted(unknown))}: there are {', '.join(known)}", file=sys.stderr)
        return 2
    results: dict[str, Result] = {}
    compiled = Result()
    for kind in asked or known:
        print(f"\n{NAMES.get(kind, kind)}:", flush=True)
        if kind == COMPILED:
            compiled = pytest(private("sqlite"), "tests/compiled")
        elif kind == external:
            results[really(kind)] = pytest({}, *PROCESSES, *REST)
        else:
            alone = private(kind)
            results[kind] = pytest(alone, *AT_ONCE, *REST).with_(pytest(alone, *PROCESSES))
    print()
    for line in lines(results, compiled):
        print(line)
    done = [*results.values(), *([compiled] if COMPILED in (asked or known) else [])]
    return 0 if all(result.is_sound for result in done) else 1


def private(kind: str) -> dict[str, str]:
    """Return the environment for a database of our own, whatever `TEST_DATABASE_URL` names."""
    return {"TEST_DATABASE": kind, "TEST_DATABASE_URL": ""}


def lines(results: dict[str, Result], compiled: Result) -> list[str]:
    """Return a line for each database: what was done with it, and no more."""
    told = []
    for kind, name in NAMES.items():
        if kind in results:
            standing = results[kind].told()
        elif compiled.is_sound and kind in compiled.statements:
            held = compiled.statements[kind]
            standing = f"compiled only ({held} statements held against snapshots)"
        else:
            standing = "unproven"
            if kind == "mysql" and "mariadb" in results and results["mariadb"].is_sound:
                standing += " (its backend of Django's ran, on MariaDB)"
        told.append(f"{name:11} {standing}")
    return told


def pytest(environment: dict[str, str], *given: str) -> Result:
    """Run pytest with what is given, options and paths; it prints, and its report is read."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ("-q", "-rfE", "--tb=short", f"--junitxml={report}", "-o", "junit_family=xunit1")
        status = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *given],
            cwd=ROOT,
            env={**os.environ, **environment},
            check=False,
        ).returncode
        if not report.exists():
            return Result(status=status)
        return read(ElementTree.parse(report).getroot(), status)  # noqa: S314 (pytest's own)


def read(report: ElementTree.Element, status: int) -> Result:
    """Return what pytest's report in JUnit's form tells."""
    result = Result(status=status)
    for case in report.iter("testcase"):
        outcomes = {child.tag for child in case}
        if outcomes & {"failure", "error"}:
            result.failed += 1
        elif "skipped" in outcomes:
            result.skipped += 1
        else:
            result.passed += 1
        for found in case.iter("property"):
            kind, separator, word = str(found.get("name")).partition(" ")
            if separator and word == "statements":
                held = result.statements.get(kind, 0) + int(str(found.get("value")))
                result.statements[kind] = held
    return result


def really(kind: str) -> str:
    """Return which of the two that speak MySQL's protocol a server is, by its own words."""
    if kind != "mysql":
        return kind
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "executor_project.settings",
        "DATABASE_URL": os.environ["TEST_DATABASE_URL"],
    }
    answer = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", WHICH],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return "mysql" if answer.stdout.strip() == "False" else "mariadb"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`make audit`: fails on a known vulnerability, and claims no more than was audited."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

CLEAN = {"name": "clean", "version": "1", "vulns": []}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found"}
BAD = {
    "name": "bad",
    "version": "1.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": [], "description": "bad"}],
}


def audit(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Audit with this in the place of pip-audit."""
    (folder / "pip_audit.py").write_text(script)
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "audit.py"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def answering(*dependencies: dict[str, Any]) -> str:
    """Return a pip-audit that found this, with the words that it has for everything."""
    told = json.dumps({"dependencies": dependencies})
    return f"import sys; print({told!r}); sys.exit('No known vulnerabilities found')"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([CLEAN], "Audited 1 packages: no vulnerability is known.\n"),
        (
            [CLEAN, UNKNOWN],
            "Audited 1 packages: no vulnerability is known.\nNot audited: unknown\n",
        ),
        ([UNKNOWN], "Nothing was audited: no advisory for any of 1 packages.\n"),
        ([], "Nothing was audited: no advisory for any of 0 packages.\n"),
    ],
)
def test_what_was_not_audited_is_not_called_clean(
    tmp_path: Path, found: list[dict[str, Any]], said: str
) -> None:
    done = audit(tmp_path, answering(*found))

    assert (done.stdout, done.returncode) == (said, 0), done.stderr


def test_a_known_vulnerability_fails_and_is_named_with_its_remedy(tmp_path: Path) -> None:
    done = audit(tmp_path, answering(CLEAN, BAD, UNKNOWN))

    assert done.stdout == "Known vulnerabilities:\n    bad 1.0: PYSEC-1, mended in 1.1\n"
    assert done.returncode == 1


CONNECTION = "requests.exceptions.ConnectionError: no such host"
TIP = "ERROR:pip_audit._cli:Tip: your network may be blocking this service."
BUSY = "requests.exceptions.HTTPError: 503 Server Error"


@pytest.mark.parametrize("said", [CONNECTION, TIP, BUSY, "ReadTimeout: it took too long"])
def test_without_an_answer_it_says_so_and_goes_on(tmp_path: Path, said: str) -> None:
    done = audit(tmp_path, f"import sys; sys.exit({said!r})")

    assert (done.stdout, done.returncode) == (f"Nothing was audited: {said}\n", 0), done.stderr


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import json; json.no_timeout", "module 'json' has no attribute 'no_timeout'"),
        ("import sys; sys.exit('error: unrecognized arguments')", "unrecognized arguments"),
        ("", "pip-audit said nothing"),
        ("print('{}')", "pip-audit said nothing"),
    ],
)
def test_an_audit_that_breaks_is_none(tmp_path: Path, script: str, said: str) -> None:
    done = audit(tmp_path, script)

    assert done.stdout.startswith("Nothing was audited, pip-audit failed: "), done.stderr
    assert said in done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("audited", "tested", "status"), [(0, 0, 0), (2, 0, 2), (0, 3, 3), (2, 3, 3)]
)
def test_ci_runs_the_tests_whatever_the_audit_finds_and_fails_by_both(
    tmp_path: Path, audited: int, tested: int, status: int
) -> None:
    make = tmp_path / "make"
    make.write_text(f'#!/bin/sh\necho "$1"\n[ "$1" = audit ] && exit {audited}\nexit {tested}\n')
    make.chmod(0o755)

    done = subprocess.run(
        [ROOT / ".ci" / "run"],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.stdout.split("\n")[-3:] == ["audit", "coverage", ""]
    assert done.returncode == status, done.stderr
    assert ("make audit failed" in done.stderr) == (bool(audited) and not tested)

"""The pytest fixture, and that pytest may load its file anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from programs.models import Program, State
from programs.pytest_plugin import programs_inline
from programs.submission import create_program
from programs.testing import Inline
from tests.running import fresh

__all__ = ["programs_inline"]

ROOT = Path(__file__).parents[2]

ELSEWHERE = """
import sys

def test_nothing_of_django_is_there():
    assert [name for name in sys.modules if name.split(".")[0] == "django"] == []
"""


@pytest.mark.django_db
def test_programs_run_at_once(programs_inline: Inline) -> None:
    assert fresh(create_program(["noop"])).state is State.FINISHED


@pytest.mark.django_db(transaction=True)
def test_programs_run_at_once_where_transactions_commit(programs_inline: Inline) -> None:
    assert fresh(create_program(["noop"])).state is State.FINISHED


def test_it_comes_behind_the_database_whatever_the_order(programs_inline: Inline, db: None) -> None:
    create_program(["noop"])
    assert Program.objects.in_state(State.FINISHED).exists()


def test_pytest_is_told_of_it_by_an_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"program_executor": "programs.pytest_plugin"}


def test_it_leaves_projects_alone_that_do_not_use_django(tmp_path: Path) -> None:
    (tmp_path / "test_elsewhere.py").write_text(ELSEWHERE)
    others = {key: value for key, value in os.environ.items() if not key.startswith("DJANGO")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "programs.pytest_plugin", "-c", os.devnull],
        cwd=tmp_path,
        env={**others, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout

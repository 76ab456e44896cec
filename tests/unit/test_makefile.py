"""The environment that `make` makes: its own is made anew and mended, nobody else's is touched."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]

# In the place of a Python: makes an environment of two files, or is interrupted after the first.
PYTHON = """#!/bin/sh
case "$1 $2" in
    "-m venv")
        mkdir -p "$3/bin" && touch "$3/pyvenv.cfg" || exit 1
        test -e "$0.interrupted" && exit 130
        touch "$3/bin/python" ;;
esac
"""


def make(venv: Path) -> subprocess.CompletedProcess[str]:
    python = venv.parent / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    return subprocess.run(
        ["make", f"{venv}/.made", f"VENV={venv}", f"PYTHON={python}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def names(venv: Path) -> list[str]:
    return sorted(path.name for path in venv.iterdir())


def test_an_environment_of_somebody_elses_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    venv.mkdir()
    (venv / "pyvenv.cfg").write_text("home = elsewhere")

    done = make(venv)

    assert done.returncode != 0
    assert "name another folder (VENV=), or remove it" in done.stderr
    assert names(venv) == ["pyvenv.cfg"]


def test_a_folder_that_is_missing_or_empty_is_filled(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    assert make(venv).returncode == 0
    assert names(venv) == [".made", "bin", "pyvenv.cfg"]

    empty = tmp_path / "empty"
    empty.mkdir()
    assert make(empty).returncode == 0
    assert names(empty) == [".made", "bin", "pyvenv.cfg"]


def test_what_was_interrupted_is_made_anew(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    interrupted = tmp_path / "python.interrupted"
    interrupted.touch()
    assert make(venv).returncode != 0
    assert ".made" not in names(venv)
    (venv / "left").touch()

    interrupted.unlink()

    assert make(venv).returncode == 0
    assert names(venv) == [".made", "bin", "pyvenv.cfg"]


def test_an_own_environment_of_another_python_is_made_anew(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    assert make(venv).returncode == 0
    (venv / "left").touch()
    other = venv / "bin" / "python"
    other.write_text("#!/bin/sh\necho another")
    other.chmod(0o755)

    assert make(venv).returncode == 0

    assert names(venv) == [".made", "bin", "pyvenv.cfg"]

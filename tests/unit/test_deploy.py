"""The files by which people deploy: what they start exists, and is stopped in good order."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from programs.conf import settings
from tests.deploying import DEPLOY, IMAGE, ROOT, VENV, commands, documents
from tests.project import execute
from tests.shell import faults

WSGI = "executor_project.wsgi"
UNITS = sorted(DEPLOY.glob("systemd/*"))
STARTED = list(commands())


@pytest.mark.parametrize(("at", "command"), STARTED)
def test_what_is_started_exists_and_takes_its_options(at: str, command: str) -> None:
    assert faults(command) == []


def test_a_worker_is_given_longer_than_it_gives_its_jobs() -> None:
    (compose,) = documents(ROOT / "compose.yaml")
    unit = (DEPLOY / "systemd" / "program-executor-worker@.service").read_text()

    given = [
        compose["services"]["worker"]["stop_grace_period"].removesuffix("s"),
        *re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE),
    ]

    assert len(given) == 2
    assert all(float(seconds) > settings.SHUTDOWN_TIMEOUT + 5 for seconds in given)


def test_the_image_runs_as_somebody_whose_number_is_not_roots() -> None:
    (user,) = re.findall(r"^USER (.+)$", IMAGE.read_text(), re.MULTILINE)
    assert int(user) > 0


def test_what_the_image_holds_is_enough_to_run(tmp_path: Path) -> None:
    for name in re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    own = {"SECRET_KEY": "of this test", "DJANGO_SETTINGS_MODULE": "executor_project.settings"}
    environment = {**os.environ, **own, "DEBUG": ""}

    for command in ("manage.py collectstatic --noinput", "-m gunicorn --check-config " + WSGI):
        execute(sys.executable, *command.split(), cwd=tmp_path, env=environment)

    assert (tmp_path / "staticfiles" / "programs" / "console.css").exists()


def test_no_container_keeps_log_lines_without_end() -> None:
    (compose,) = documents(ROOT / "compose.yaml")
    drivers = {service["logging"]["driver"] for service in compose["services"].values()}
    assert drivers == {"local"}


# systemd ------------------------------------------------------------------------------------


def unit(path: Path) -> configparser.ConfigParser:
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string(path.read_text())
    return read


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_every_service_is_locked_in_and_no_root(path: Path) -> None:
    read = unit(path)
    if path.suffix == ".timer":
        assert path.with_suffix(".service") in UNITS
        return
    service = read["Service"]
    assert service["User"] == "program-executor"
    assert (service["ProtectSystem"], service["NoNewPrivileges"]) == ("strict", "yes")


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("There is no systemd here.")
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("gunicorn", "python"):
        (folder / name).symlink_to("/bin/true")
    for path in UNITS:
        text = path.read_text().replace(VENV, f"{folder}/")
        (tmp_path / path.name.replace("@", "@1")).write_text(text)

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(path) for path in tmp_path.glob("prog*"))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")

"""The databases that parts run on: made when first asked for, and gone with the benchmark."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import psycopg2

from benchmarks.contestant import ROOT, Place

LARGE = "benchmark_large"


class Places:
    """What the environment of a run must say; `waiting` programs are in the large database."""

    def __init__(self, waiting: int) -> None:
        self._waiting = waiting
        self._made: dict[Place, Mapping[str, str]] = {}
        self._folder = tempfile.TemporaryDirectory()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._folder.cleanup()
        if Place.LARGE in self._made:
            _execute(f'DROP DATABASE IF EXISTS "{LARGE}" WITH (FORCE)')

    def environment(self, place: Place) -> Mapping[str, str]:
        if place not in self._made:
            self._made[place] = self._make(place)
        return self._made[place]

    def _make(self, place: Place) -> Mapping[str, str]:
        if place is Place.SQLITE:
            file = Path(self._folder.name, "programs.sqlite3")
            environment = {"DATABASE_URL": f"sqlite:///{file}", "AMQP_URL": ""}
            _migrate(environment)
            return environment
        if place is Place.SERVERS:
            _migrate({})
            return {}
        _execute(f'DROP DATABASE IF EXISTS "{LARGE}" WITH (FORCE)')
        _execute(f'CREATE DATABASE "{LARGE}"')
        url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{LARGE}").geturl()
        environment = {"DATABASE_URL": url}
        _python(
            environment, "-m", "benchmarks.measures", "populate", "--programs", str(self._waiting)
        )
        return environment


def calm() -> None:
    """Have PostgreSQL write what it owes to the disk, so that no run pays for the one before."""
    _execute("CHECKPOINT")


def _execute(statement: str) -> None:
    with closing(psycopg2.connect(os.environ["DATABASE_URL"])) as connection:
        connection.autocommit = True
        connection.cursor().execute(statement)


def _migrate(environment: Mapping[str, str]) -> None:
    _python(environment, "manage.py", "migrate", "--verbosity", "0")


def _python(environment: Mapping[str, str], *command: str) -> None:
    merged = {**os.environ, **environment}
    command = (sys.executable, *command)
    subprocess.run(command, cwd=ROOT, env=merged, stdout=subprocess.DEVNULL, check=True)

"""One system in one measure: how it is run, and what it does and leaves undone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DEADLINE = 900.0  # seconds for one run, of which a million rows are the longest


class Failed(Exception):
    """A run did not end as it should."""


class Place(Enum):
    """Where a system keeps its programs."""

    SERVERS = "the servers"
    LARGE = "a database of its own, in which very many programs wait"
    SQLITE = "a file of SQLite, without a broker"


@dataclass(frozen=True)
class Contestant:
    """A system, or one way to run it. `did`: durability, acks and bookkeeping, in words."""

    key: str
    name: str
    command: tuple[str, ...]  # of Python; the number of programs is added
    programs: float  # of those that the run was asked for
    did: str = ""
    place: Place = Place.SERVERS
    peer: bool = False
    variants: tuple[str, ...] = ()  # of a peer; the best of them is measured
    environment: Mapping[str, str] | None = None

    def run(
        self, python: Path, place: Mapping[str, str], programs: int, variant: str = ""
    ) -> dict[str, Any]:
        """Run it once, and return what it found; raises Failed with what it said."""
        many = max(1, round(programs * self.programs))
        interpreter = str(python) if self.peer else sys.executable
        command = [interpreter, "-m", *self.command, "--programs", str(many)]
        command += ["--variant", variant] if variant else []
        environment = {**os.environ, **place, **(self.environment or {})}
        if self.peer:
            environment.pop("DJANGO_SETTINGS_MODULE", None)
            environment["BENCHMARK_PEER"] = "1"
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=DEADLINE,
                check=True,
            )
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{self.name} was not done after {DEADLINE:.0f} s") from error
        except subprocess.CalledProcessError as error:
            raise Failed(f"{self.name} failed:\n{error.stderr[-4000:]}") from error
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

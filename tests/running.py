"""Running programs in the test's own thread, as a slot would."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.dispatch import Signal

from programs import execution
from programs.lease import Lease
from programs.models import Program
from programs.models.transitions import Standing
from programs.submission import create_program
from programs.worker.control import Plan
from programs.worker.slots import Crew
from tests.databases import SERVER

SLOT = "tests/1.1"

# For a test of several threads, or of what one vendor alone has. The tests' SQLite is in memory: it
# is of one thread, and gone with its connection.
on_server = pytest.mark.parametrize("bookkeeping", [SERVER], indirect=True)
on_postgresql = pytest.mark.parametrize("bookkeeping", ["postgresql"], indirect=True)
on_mysql = pytest.mark.parametrize(
    "bookkeeping", [SERVER if SERVER == "mysql" else "mariadb"], indirect=True
)
on_sqlite = pytest.mark.parametrize("bookkeeping", ["sqlite"], indirect=True)


def claim(program: Program, slot: str = SLOT, lease: float = 60.0) -> Program | None:
    """Claim the program if it is due."""
    return Program.objects.due("default").filter(pk=program.pk).claim(slot, lease)


def claimed(*jobs: str, slot: str = SLOT, lease: float = 60.0, **given: object) -> Program:
    """Create a program and claim it."""
    program = claim(create_program(list(jobs), **given), slot, lease)
    assert program is not None
    return program


def carry(program: Program, lease: float = 60.0) -> Standing:
    """Run a claimed program as far as its claim goes."""
    return execution.carry(program, Lease(lease), lambda: False)


def run(*jobs: str, **given: object) -> Program:
    """Create a program, run it under one claim and return it as it then is."""
    program = claimed(*jobs, **given)
    carry(program)
    return fresh(program)


def fresh(program: Program) -> Program:
    """Return the program as it is in the database now."""
    return Program.objects.get(pk=program.pk)


def make_due(program: Program) -> None:
    """Let the time that a waiting program waits for have come, or its lease run out."""
    Program.objects.filter(pk=program.pk).update(due_at=program.created_at)


@contextlib.contextmanager
def listening(signal: Signal, listener: Any) -> Iterator[None]:
    """Let `listener` hear `signal` as long as the context lasts."""
    signal.connect(listener, weak=False)
    try:
        yield
    finally:
        signal.disconnect(listener)


def crew(threads: int = 1, *, hinted: bool = False, **given: Any) -> Crew:
    """Return the slots of a child, to be driven by the test: their threads are not started."""
    return Crew(Plan("tests/1", ("default",), threads, **given), hinted=hinted)

"""Selections that stay bounded, whatever the table holds; and the command that measures them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest

from programs.inspection import Count, Selection, selection
from programs.models import Program, State
from programs.models.clock import now
from tests.servers import Postgres
from tests.site import ROOT

LATER = timedelta(days=3)


@pytest.fixture
def programs(bookkeeping: str) -> list[Program]:
    """Twelve programs, three of each moment, that take turns in four states."""
    present = now(bookkeeping)
    made = []
    for number in range(12):
        created = present - timedelta(hours=number // 3)
        program = Program(jobs=["noop"], queue="default", created_at=created, epoch=number)
        match number % 4:
            case 0 | 1:
                program.due_at = created
            case 2:
                program.due_at = present + LATER
            case 3:
                program.finished_at = created
        program.save(using=bookkeeping)
        made.append(program)
    return made


def walk(chosen: Selection, size: int) -> Iterator[selection.Page]:
    """Yield the pages one after the other, as somebody who goes on until the end."""
    older = ""
    while True:
        page = chosen.page(size, older)
        yield page
        older = page.older
        if not older:
            return


def in_order(programs: list[Program], state: State | None) -> list[int]:
    meant = [program for program in programs if state is None or program.state is state]
    newest = sorted(meant, key=lambda program: (program.created_at, program.pk), reverse=True)
    return [program.pk for program in newest]


@pytest.mark.parametrize("counted", [100, 1], ids=["few", "many"])
@pytest.mark.parametrize("window", [100, 2], ids=["all in reach", "a narrow window"])
@pytest.mark.parametrize("state", [None, State.WAITING, State.SCHEDULED, State.FINISHED])
def test_page_by_page_each_program_of_a_state_is_shown_once_the_newest_first(
    state: State | None,
    window: int,
    counted: int,
    programs: list[Program],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selection, "WINDOW", window)
    monkeypatch.setattr(selection, "COUNTED", counted)

    shown = [each.pk for page in walk(Selection(state=state), 2) for each in page.programs]

    assert shown == in_order(programs, state)


@pytest.mark.parametrize("counted", [100, 1], ids=["few", "many"])
def test_what_is_sought_in_a_narrow_window_is_found_by_going_on(
    counted: int, programs: list[Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "WINDOW", 2)
    monkeypatch.setattr(selection, "COUNTED", counted)
    chosen = Selection(state=State.WAITING, job="noop", queue="default")

    shown = [each.pk for page in walk(chosen, 5) for each in page.programs]

    assert shown == in_order(programs, State.WAITING)


def test_among_few_of_a_state_all_are_looked_at(
    programs: list[Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "WINDOW", 2)

    page = Selection(state=State.WAITING, q="no such text").page(5)

    assert page == ([], "", None)
    assert Selection(state=State.WAITING, queue="default").count() == Count(6, True)


def test_among_many_of_a_state_the_page_tells_how_far_it_came(
    programs: list[Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "WINDOW", 3)
    monkeypatch.setattr(selection, "COUNTED", 1)

    page = Selection(state=State.WAITING, q="no such text").page(5)

    assert page.searched_back_to == programs[3].created_at
    assert Selection(state=State.WAITING, queue="default").count() == Count(4, False)


def test_the_console_is_filled_and_measured_by_a_command(postgres: Postgres) -> None:
    environment = {**os.environ, "DATABASE_URL": postgres.new_database(), "DEBUG": "1"}
    given = ["--programs", "3000", "--requests", "1", "--only", "list: running"]

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.console", *given],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert "3,000 programs after" in done.stdout, done.stderr
    assert re.search(r"list: running +\d+ +\d+ +\d+ +\d+", done.stdout), done.stdout

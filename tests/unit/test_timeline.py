"""The time of a program, step by step."""

from __future__ import annotations

from datetime import timedelta

import pytest

from programs.admin.timeline import timeline_of
from programs.models import Attempt, Program, State
from programs.submission import create_program
from tests.clients import VIEW, client_of
from tests.console import page_of, program_in

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]


def attempt(program: Program, step: int, began: float, ended: float) -> Attempt:
    """Return an attempt, in seconds since the program's creation."""
    at = program.created_at
    return Attempt(
        step=step,
        started_at=at + timedelta(seconds=began),
        ended_at=at + timedelta(seconds=ended),
    )


def test_waiting_is_told_apart_from_running() -> None:
    program = program_in(State.FINISHED)
    attempts = [attempt(program, 0, 2, 3), attempt(program, 0, 7, 9), attempt(program, 1, 9, 10)]

    times = timeline_of(program, attempts)

    assert times[0].text == "waited 6.00 s, ran 3.00 s"
    assert times[1].text == "waited 0.00 s, ran 1.00 s"
    assert [(p.kind, p.x, p.width) for p in times[0].pieces] == [
        ("waiting", "0.0", "200.0"),
        ("running", "200.0", "100.0"),
        ("waiting", "300.0", "400.0"),
        ("running", "700.0", "200.0"),
    ]


def test_what_took_no_time_is_seen_all_the_same() -> None:
    program = program_in(State.FINISHED)
    times = timeline_of(program, [attempt(program, 0, 1, 1), attempt(program, 1, 5000, 5000)])
    assert [p.width for p in times[1].pieces if p.kind == "running"] == ["2.0"]


@pytest.mark.parametrize(("state", "kind"), [("waiting", "waiting"), ("running", "running")])
def test_what_an_open_program_is_at_lasts_until_now(state: str, kind: str) -> None:
    program = program_in(State(state))
    assert timeline_of(program, [])[0].pieces[-1].kind == kind


def test_time_before_the_attempts_that_are_known_is_not_counted_as_waiting() -> None:
    program = program_in(State.FINISHED)
    times = timeline_of(program, [attempt(program, 0, 100, 101)], are_all=False)
    assert times[0].text == "waited 0.00 s, ran 1.00 s"


def test_clocks_that_disagree_make_no_negative_time() -> None:
    program = create_program(["noop"])
    times = timeline_of(program, [attempt(program, 0, -5, -9)])
    assert times[0].ran == timedelta()


def test_the_page_draws_it() -> None:
    page = client_of(VIEW).get(page_of(program_in(State.ERRORED))).content.decode()
    assert 'class="programs-running-time"' in page
    assert "waited 0.0" in page

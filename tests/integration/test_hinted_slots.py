"""Slots under a stream of hints: none hides a program for ever, nor keeps looks from being made."""

from __future__ import annotations

import pytest

from programs.lease import Lease
from programs.models import Program
from programs.submission import create_program
from programs.transport.hint import Hint
from programs.transport.inbox import Delivery
from programs.worker import slots
from programs.worker.slots import Crew
from tests.running import crew

pytestmark = pytest.mark.usefixtures("bookkeeping")


class Answers:
    """Notes what deliveries are answered with."""

    def __init__(self) -> None:
        self.settled: list[int] = []

    def settle(self, tag: int) -> None:
        self.settled.append(tag)

    def give_back(self, tag: int) -> None:
        raise AssertionError("nothing is given back")


def hint(own: Crew, run_id: str = "no such run id") -> Answers:
    answers = Answers()
    own.inbox.put(Delivery(Hint(run_id), "default", 1, answers))
    return answers


def look(own: Crew) -> Program | None:
    return own.sweep.claim("tests/1.2", 60.0, at_most=1)


def test_a_due_look_waits_for_the_next_hint_while_they_flow() -> None:
    own = crew(hinted=True)
    look(own)
    own.sweep.hurry()

    hint(own)

    assert 0.0 < own.looks_in <= 0.05


def test_hints_that_flow_put_off_no_look_for_longer_than_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = crew(hinted=True)
    look(own)
    long_ago = own.sweep._last_look - 1.01
    monkeypatch.setattr(own.sweep, "_last_look", long_ago)
    own.sweep.hurry()

    hint(own)

    assert own.looks_in == 0.0


def test_a_hint_in_whose_way_a_broken_connection_is_hides_no_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = crew(hinted=True)
    program = create_program(["noop"])
    answers = hint(own, program.run_id)

    def broken() -> None:
        raise RuntimeError("a driver's own")

    monkeypatch.setattr(slots, "STALE", -1.0)
    monkeypatch.setattr(slots, "replace_dead_connections", broken)
    with pytest.raises(RuntimeError):
        own._slots[0]._next(Lease(60.0))

    assert answers.settled == [1]
    assert own.inbox.in_hand() == frozenset()
    assert look(own) == program


@pytest.mark.parametrize("losses", [0, 1])
def test_a_look_leaves_to_a_hint_only_what_that_may_claim(losses: int) -> None:
    own = crew(hinted=True)
    program = create_program(["noop"])
    Program.objects.filter(pk=program.pk).update(losses=losses)

    hint(own, program.run_id)

    found = look(own)
    assert (found == program) is bool(losses)

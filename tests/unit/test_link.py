"""When the publisher's connection sends what was handed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pika
import pytest

from programs.transport.handover import Handover, Outgoing
from programs.transport.hint import Hint
from programs.transport.link import GATHERING, WINDOW, Link

QUEUE = "program-executor"


class Wire:
    """A connection that is open, whose hints are kept, and whose time is the test's."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sent: list[str] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.handover = Handover()
        self.link = Link(self.handover, pika.URLParameters("amqp://localhost"), lambda ready: None)
        self.link._loop.close()
        self.link._loop = Mock(call_later=self._call_later)
        self.link._channel = Mock(basic_publish=self._published)
        self.link._declared.add(QUEUE)
        self.link._ready = True

    def hand_over(self, *run_ids: str) -> None:
        """Leave hints, and let the thread look, as `wake` does."""
        for run_id in run_ids:
            self.handover.put(Outgoing(Hint(run_id), QUEUE, handed_over_at=self.now))
        self.link._send_waiting()

    def pass_time(self, seconds: float) -> None:
        """Let the time pass, and the timers that are due by then."""
        self.now += seconds
        due = [call for at, call in self.timers if at <= self.now]
        self.timers = [(at, call) for at, call in self.timers if at > self.now]
        for call in due:
            call()

    def _call_later(self, delay: float, call: Callable[[], None]) -> None:
        self.timers.append((self.now + delay, call))

    def _published(self, *, body: bytes, **properties: Any) -> None:
        self.sent.append(Hint.decode(body).run_id)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire()
    monkeypatch.setattr("programs.transport.link.time.monotonic", lambda: wire.now)
    return wire


def test_a_hint_after_a_pause_goes_at_once(wire: Wire) -> None:
    wire.hand_over("a")
    assert wire.sent == ["a"]

    wire.pass_time(2 * GATHERING)
    wire.hand_over("b")
    assert wire.sent == ["a", "b"]


def test_hints_right_behind_others_gather_and_go_together(wire: Wire) -> None:
    wire.hand_over("a")
    wire.pass_time(GATHERING / 4)
    wire.hand_over("b")
    wire.pass_time(GATHERING / 4)
    wire.hand_over("c")
    assert wire.sent == ["a"]

    wire.pass_time(GATHERING)
    assert wire.sent == ["a", "b", "c"]
    assert len(wire.handover) == 0


def test_hints_that_gathered_while_the_broker_blocked_go_once_it_takes_them(wire: Wire) -> None:
    wire.hand_over("a")
    wire.hand_over("b")
    wire.link._blocked = True
    wire.pass_time(2 * GATHERING)
    assert wire.sent == ["a"]

    wire.link._on_unblocked(None, None)
    assert wire.sent == ["a", "b"]


def test_as_many_hints_as_may_be_unconfirmed_need_not_gather(wire: Wire) -> None:
    wire.hand_over("first")
    many = [f"r{number}" for number in range(WINDOW)]
    wire.hand_over(*many)
    assert wire.sent == ["first", *many[:-1]]  # one is left: that many are unconfirmed now

"""When the consumer's connection answers for what its slots have settled."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from programs.transport.consumer import ANSWERING, TURN, ConsumerSession
from programs.transport.hint import Hint
from programs.transport.inbox import Inbox

PREFETCH = 8


class Broker:
    """A connection in whose turns happens what the test says, at the time that it says."""

    def __init__(self) -> None:
        self.now = 100.0
        self.turns: list[float] = []  # seconds that each may last
        self.wakes = 0
        self.channel = Mock(is_open=True, consumer_tags=[])
        self._meanwhile: Callable[[], None] = lambda: None
        connection = Mock(process_data_events=self._turn, add_callback_threadsafe=self._woken)
        inbox = Inbox(PREFETCH)
        self.session = ConsumerSession(connection, self.channel, ["default"], inbox, PREFETCH)

    def deliver(self, *tags: int) -> None:
        for tag in tags:
            method = SimpleNamespace(delivery_tag=tag)
            self.session._received("default", None, method, None, Hint(f"r{tag}").encode())

    def turn(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self._meanwhile = meanwhile
        self.session.turn()

    def settle(self, *tags: int) -> None:
        for tag in tags:
            self.session.settle(tag)

    @property
    def acks(self) -> list[int]:
        """The tags that were acknowledged, each with all before it."""
        return [call.args[0] for call in self.channel.basic_ack.call_args_list]

    def _turn(self, seconds: float) -> None:
        self.turns.append(seconds)
        self._meanwhile()

    def _woken(self, callback: Callable[[], None]) -> None:
        self.wakes += 1


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr("programs.transport.consumer.monotonic", lambda: broker.now)
    return broker


def test_the_claims_of_what_has_just_come_are_answered_together_and_soon(broker: Broker) -> None:
    broker.deliver(1, 2, 3)
    broker.turn(lambda: broker.settle(1, 2))
    assert (broker.turns, broker.wakes, broker.acks) == ([ANSWERING], 0, [2])


def test_half_of_what_may_be_in_hand_is_answered_at_once(broker: Broker) -> None:
    broker.deliver(*range(1, PREFETCH + 1))
    broker.turn(lambda: broker.settle(1, 2, 3, 4, 5))
    assert (broker.wakes, broker.acks) == (1, [5])


def test_a_hint_that_has_waited_for_its_slot_is_answered_at_once(broker: Broker) -> None:
    broker.deliver(1)
    broker.now += 2 * ANSWERING
    broker.turn(lambda: broker.settle(1))
    assert (broker.turns, broker.wakes, broker.acks) == ([TURN], 1, [1])


def test_no_answer_waits_for_a_long_turn(broker: Broker) -> None:
    broker.deliver(1)
    broker.turn()
    broker.now += 2 * ANSWERING
    broker.settle(1)  # as a slot may between two turns
    broker.turn()
    broker.turn()
    assert (broker.turns, broker.wakes) == ([ANSWERING, ANSWERING, TURN], 0)
    assert broker.acks == [1]


def test_a_consumer_that_hears_nothing_makes_long_turns(broker: Broker) -> None:
    broker.turn()
    assert broker.turns == [TURN]

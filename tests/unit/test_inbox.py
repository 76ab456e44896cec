"""Where the consumer's thread and the slots meet."""

import threading
import time
from collections.abc import Callable

import pytest

from programs.transport.hint import Hint
from programs.transport.inbox import Delivery, Inbox

LONG = 10.0  # seconds that no test waits for: something ends the wait before


class Answers:
    """Notes what deliveries are answered with."""

    def __init__(self) -> None:
        self.settled: list[int] = []
        self.given_back: list[int] = []

    def settle(self, tag: int) -> None:
        self.settled.append(tag)

    def give_back(self, tag: int) -> None:
        self.given_back.append(tag)


def delivery(tag: int = 1) -> Delivery:
    return Delivery(Hint(f"run-{tag}"), "default", tag, Answers())


class Taker(threading.Thread):
    """A slot that takes once."""

    def __init__(self, inbox: Inbox, timeout: float = LONG) -> None:
        super().__init__(daemon=True)
        self._take: Callable[[], Delivery | None] = lambda: inbox.take(timeout)
        self.taken: Delivery | None = None
        self.start()

    def run(self) -> None:
        self.taken = self._take()

    def result(self) -> Delivery | None:
        self.join(LONG / 2)
        assert not self.is_alive(), "the slot still waits"
        return self.taken


@pytest.fixture
def inbox() -> Inbox:
    return Inbox(slots=2)


@pytest.fixture
def clock(monkeypatch):
    """Time as the inbox sees it, moved by the test."""

    class Clock:
        now = 100.0

    monkeypatch.setattr("programs.transport.inbox.time.monotonic", lambda: Clock.now)
    return Clock


def wait_for_room(inbox: Inbox) -> None:
    deadline = time.monotonic() + LONG
    while not inbox.has_room():
        assert time.monotonic() < deadline, "no slot waits"
        time.sleep(0.001)


def test_deliveries_are_taken_in_their_order(inbox):
    first, second = delivery(1), delivery(2)
    inbox.put(first)
    inbox.put(second)

    assert len(inbox) == 2
    assert inbox.take(LONG) is first
    assert inbox.take(LONG) is second
    assert len(inbox) == 0


def test_a_waiting_slot_gets_what_is_put(inbox):
    taker = Taker(inbox)
    wait_for_room(inbox)
    put = delivery()
    inbox.put(put)

    assert taker.result() is put


def test_a_slot_gives_up_waiting_after_its_timeout(inbox):
    assert inbox.take(0.001) is None


def test_a_ring_sends_all_waiting_slots_away(inbox):
    takers = [Taker(inbox), Taker(inbox)]
    wait_for_room(inbox)
    while any(taker.is_alive() for taker in takers):
        inbox.wake()  # again, for the second may not have begun to wait

    assert [taker.result() for taker in takers] == [None, None]


def test_a_ring_that_nobody_heard_is_kept_for_one_slot(inbox):
    inbox.wake()

    assert inbox.take(LONG) is None
    assert not Taker(inbox, timeout=0.001).result()


def test_a_delivery_comes_before_a_kept_ring(inbox):
    inbox.wake()
    put = delivery()
    inbox.put(put)

    assert inbox.take(LONG) is put
    assert inbox.take(LONG) is None


def test_a_closed_inbox_gives_nothing_and_keeps_nobody(inbox):
    taker = Taker(inbox)
    wait_for_room(inbox)
    inbox.close()
    inbox.put(delivery())

    assert taker.result() is None
    assert inbox.take(LONG) is None
    assert len(inbox.take_back()) == 1


def test_what_comes_into_a_closed_inbox_is_stalled_at_once(inbox):
    inbox.close()
    assert not inbox.stalled()

    inbox.put(delivery())

    assert inbox.stalled()
    assert not inbox.has_room()


def test_it_is_stalled_once_no_slot_has_come_for_a_second(clock, inbox):
    inbox.put(delivery(1))
    inbox.put(delivery(2))
    inbox.take(LONG)
    assert not inbox.stalled()

    clock.now += 0.9
    assert not inbox.stalled()

    clock.now += 0.2
    assert inbox.stalled()


def test_it_is_never_stalled_while_nothing_waits(clock, inbox):
    clock.now += 60

    assert not inbox.stalled()


def test_a_slot_that_takes_ends_the_stall(clock, inbox):
    inbox.put(delivery(1))
    inbox.put(delivery(2))
    clock.now += 60
    assert inbox.stalled()

    inbox.take(LONG)

    assert not inbox.stalled()


def test_there_is_room_only_while_a_slot_waits_for_nothing_that_is_there(inbox):
    assert not inbox.has_room()

    taker = Taker(inbox)
    wait_for_room(inbox)
    inbox.put(delivery())
    taker.result()

    assert not inbox.has_room()


def test_what_waits_can_be_taken_back(inbox):
    waiting = [delivery(1), delivery(2)]
    for each in waiting:
        inbox.put(each)

    assert inbox.take_back() == waiting
    assert len(inbox) == 0


def test_a_delivery_answers_through_the_session_it_came_by():
    session = Answers()
    settled = Delivery(Hint("r"), "default", 7, session)
    given_back = Delivery(Hint("r"), "default", 8, session)

    settled.settle()
    given_back.give_back()

    assert (session.settled, session.given_back) == ([7], [8])


def test_nothing_is_lost_between_many_slots(inbox):
    count = 2000
    taken: list[int] = []

    def slot() -> None:
        while (got := inbox.take(LONG)) is not None:
            taken.append(got.tag)

    slots = [threading.Thread(target=slot, daemon=True) for _ in range(8)]
    for each in slots:
        each.start()
    for tag in range(count):
        inbox.put(delivery(tag))
    deadline = time.monotonic() + LONG
    while len(taken) < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    inbox.close()

    assert sorted(taken) == list(range(count))

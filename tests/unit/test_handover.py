"""The line in which hints wait for the publisher's thread."""

import pytest

from programs.transport import handover
from programs.transport.handover import Handover, Outgoing
from programs.transport.hint import Hint


@pytest.fixture
def line():
    return Handover()


def outgoing(run_id="r", at=100.0):
    return Outgoing(Hint(run_id), "queue", handed_over_at=at)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Time as the line sees it, moved by the test."""

    class Clock:
        now = 100.0

    monkeypatch.setattr("programs.transport.handover.time.monotonic", lambda: Clock.now)
    return Clock


def test_hints_leave_in_their_order_and_no_more_than_asked_for(line):
    for number in range(5):
        line.put(outgoing(f"r{number}"))

    assert [each.hint.run_id for each in line.take(3)] == ["r0", "r1", "r2"]
    assert [each.hint.run_id for each in line.take(3)] == ["r3", "r4"]
    assert line.take(3) == []


def test_the_thread_is_told_once_for_all_hints_that_it_has_not_looked_at(line):
    assert line.put(outgoing())
    assert not line.put(outgoing())

    line.take(10)

    assert line.put(outgoing())


def test_the_thread_is_not_told_of_hints_that_wait_for_confirms(line):
    line.put(outgoing())
    line.put(outgoing())
    line.take(1)

    assert not line.put(outgoing())


def test_the_thread_is_told_again_after_a_second_without_a_look(line):
    line.put(outgoing(at=100.0))

    assert line.put(outgoing(at=101.5))
    assert not line.put(outgoing(at=102.0))


def test_a_full_line_drops_its_oldest_hints(line, monkeypatch):
    monkeypatch.setattr(handover, "LIMIT", 3)
    for number in range(5):
        line.put(outgoing(f"r{number}"))

    assert [each.hint.run_id for each in line.take(10)] == ["r2", "r3", "r4"]


def test_dropped_hints_are_counted_and_told_at_most_every_ten_seconds(line, monkeypatch, caplog):
    monkeypatch.setattr(handover, "LIMIT", 1)
    for at in (100.0, 100.0, 101.0, 109.0, 110.5):
        line.put(outgoing(at=at))

    first, second = [record.getMessage() for record in caplog.records]
    assert "Hints dropped: 1," in first
    assert "Hints dropped: 3," in second


def test_hints_over_a_minute_old_are_dropped(line, clock):
    line.put(outgoing("old", at=100.0))
    line.put(outgoing("new", at=159.0))
    clock.now = 161.0

    assert [each.hint.run_id for each in line.take(1)] == ["new"]
    line.settled(1)
    assert line.wait_settled(0)


def test_all_is_settled_once_every_hint_is_confirmed_given_up_or_dropped(line, monkeypatch):
    monkeypatch.setattr(handover, "LIMIT", 2)
    for _ in range(3):
        line.put(outgoing())
    assert not line.wait_settled(0)

    line.take(10)
    line.settled(2)

    assert line.wait_settled(0)


def test_nobody_waits_for_a_broker_that_fails(line):
    line.put(outgoing())
    line.failing(True)

    assert not line.wait_settled(3600)


def test_a_hint_tells_its_span_once_what_became_of_it(line, clock):
    told: list[str | None] = []
    line.put(Outgoing(Hint("r"), "queue", handed_over_at=0.0, traced=told.append))

    assert line.take(1) == []
    assert told == ["dropped, for it is too old"]

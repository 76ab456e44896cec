"""Reading which queues are paused: what it costs, and what becomes of it in trouble."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import OperationalError, connections

from programs import operations
from programs.models import Queue, State
from programs.models.queue import QueueQuerySet
from programs.submission import create_program, create_programs
from programs.worker.control import Plan
from programs.worker.pauses import Pauses
from programs.worker.slots import Crew
from programs.worker.sweep import Sweep
from tests.pausing import QUEUES, Seconds, hinted, passing, slot_of, statements
from tests.running import crew, fresh, on_server
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("bookkeeping")


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    return passing(monkeypatch)


# What it costs -------------------------------------------------------------------------------


def test_the_paused_queues_are_read_once_a_second_however_much_is_claimed(
    bookkeeping: str, seconds: Seconds
) -> None:
    """A claim by a hint is the statements that it always was, and a comparison."""
    programs = create_programs([{"jobs": ["noop", "noop"]}] * 9)
    own = crew(hinted=True)
    each: list[int] = []
    readings: list[int] = []
    for program in programs[:8]:
        with statements(bookkeeping) as asked:
            assert hinted(own, program)
        each.append(len(asked))
        readings.append(sum(Queue._meta.db_table in sql for sql in asked))
    assert readings == [1] + [0] * 7
    # A claim, and an outcome: BEGIN, UPDATE and INSERT where transactions begin by a statement.
    counts = {"sqlite": (1, 3), "postgresql": (1, 1), "mysql": (2, 2)}
    a_claim, an_outcome = counts[connections[bookkeeping].vendor]
    assert set(each[1:]) == {a_claim + 2 * an_outcome}
    seconds(1.0)
    with statements(bookkeeping) as asked:
        assert hinted(own, programs[8])
    assert sum(Queue._meta.db_table in sql for sql in asked) == 1


def test_claims_are_compiled_for_few_tuples_of_queues_whichever_are_paused(
    bookkeeping: str, seconds: Seconds
) -> None:
    names = tuple(f"q{number}" for number in range(6))
    vars(connections[bookkeeping]).pop("programs_compiled", None)
    own = Crew(Plan("tests/1", names, 1), hinted=True)
    for subset in range(2 ** len(names)):
        Queue.objects.all().delete()
        paused = [name for bit, name in enumerate(names) if subset & 2**bit]
        Queue.objects.bulk_create(Queue(name=name) for name in paused)
        Queue.objects.pause()
        seconds(1.0)
        hinted(own, create_program(["noop"], queue=names[0]), names[subset % len(names)])
    compiled = vars(connections[bookkeeping])["programs_compiled"]
    assert 0 < len([key for key in compiled if key[0] == "claim"]) <= len(names) + 1


def test_a_slot_waits_no_longer_for_the_end_of_a_pause_than_for_the_next_reading(
    seconds: Seconds,
) -> None:
    own = crew(hinted=True)
    slot_of(own)._work()  # the next look is almost a second away
    assert own.pauses.due_in == float("inf")  # nothing is paused: no look is made for that
    operations.pause_queue("default")
    seconds(1.0)
    own.pauses.now()
    seconds(0.9)
    assert own.looks_in < 0.2


# Trouble -------------------------------------------------------------------------------------


def test_a_slot_that_cannot_read_what_is_paused_claims_nothing_and_tries_again(
    monkeypatch,
) -> None:
    program = create_program(["noop"])
    own = crew(hinted=True)
    working = QueueQuerySet.names

    def broken(self: QueueQuerySet) -> frozenset[str]:
        raise OperationalError("the database is away")

    monkeypatch.setattr(QueueQuerySet, "names", broken)
    with pytest.raises(OperationalError):
        hinted(own, program)
    with pytest.raises(OperationalError):
        slot_of(own)._work()
    assert fresh(program).epoch == 0

    monkeypatch.setattr(QueueQuerySet, "names", working)
    slot_of(own)._recover(OperationalError("the database is away"))
    own.rest(slot_of(own).name)
    slot_of(own)._work()
    assert fresh(program).state is State.FINISHED


def test_a_reading_that_fails_between_two_steps_leaves_no_claim_behind(
    seconds: Seconds, job, monkeypatch
) -> None:
    def break_it(self: object, message: object, job_data: object) -> None:
        monkeypatch.setattr(QueueQuerySet, "names", broken)
        seconds(1.0)

    def broken(self: QueueQuerySet) -> frozenset[str]:
        raise OperationalError("the database is away")

    program = create_program([job("breaking", break_it), "noop"])
    own = crew()
    with pytest.raises(OperationalError):
        slot_of(own)._work()
    slot_of(own)._recover(OperationalError("the database is away"))
    after = fresh(program)
    assert (after.worker, after.step, after.state) == (None, 1, State.WAITING)


@on_server
def test_a_reading_that_hangs_holds_up_no_other_slot(monkeypatch) -> None:
    known = Pauses(QUEUES, lambda: None)
    assert known.now() == frozenset()
    operations.pause_queue("reports")
    working, hangs, goes_on = QueueQuerySet.names, threading.Event(), threading.Event()

    def slow(self: QueueQuerySet) -> frozenset[str]:
        if threading.current_thread() is not threading.main_thread():
            hangs.set()
            assert goes_on.wait(10.0)
            return frozenset()  # as it was long ago
        return working(self)

    monkeypatch.setattr(QueueQuerySet, "names", slow)
    eventually(lambda: time.monotonic() >= known._next_reading)
    reader = threading.Thread(target=known.now)
    reader.start()
    assert hangs.wait(10.0)

    assert eventually(known.now, within=1.0) == {"reports"}

    goes_on.set()
    reader.join()
    assert known.now() == {"reports"}  # what came late is older


def test_a_look_alone_needs_no_broker_and_no_crew() -> None:
    operations.pause_queue("default")
    program = create_program(["noop"])
    paused = Sweep("w", ["default"], adaptive=True, paused=Pauses(["default"], print).now)
    assert paused.claim("w/1.1", 60.0, at_most=1) is None
    assert Sweep("w", ["default"], adaptive=True).claim("w/1.1", 60.0, at_most=1) == program

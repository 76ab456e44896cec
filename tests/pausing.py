"""Driving a worker's slots beside queues that are paused."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections

from programs.models import Program
from programs.transport.hint import Hint
from programs.transport.inbox import Delivery
from programs.worker import pauses
from programs.worker.control import Plan
from programs.worker.slots import Crew, Slot

QUEUES = ("default", "reports")

Seconds = Callable[[float], None]


def passing(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    """Return what lets seconds pass for what is known of paused queues, and for it alone."""
    passed = [time.monotonic()]
    monkeypatch.setattr(pauses, "monotonic", lambda: passed[0])

    def let_pass(seconds: float) -> None:
        passed[0] += seconds

    return let_pass


class Settled:
    """The broker's side of a delivery."""

    def __init__(self) -> None:
        self.tags: list[int] = []

    def settle(self, tag: int) -> None:
        self.tags.append(tag)

    def give_back(self, tag: int) -> None:
        pytest.fail("a hint of a paused queue would come back at once, for ever")


def slot_of(own: Crew) -> Slot:
    return own._slots[0]


def two_queues(**given: bool) -> Crew:
    return Crew(Plan("tests/1", QUEUES, 1, **given), hinted=False)


def hinted(own: Crew, program: Program, queue: str = "default") -> bool:
    """Let a hint come, and the slot look at it; tell whether it is settled."""
    session = Settled()
    own.inbox.put(Delivery(Hint(program.run_id), queue, 7, session))
    slot_of(own)._work()
    return session.tags == [7]


@contextlib.contextmanager
def statements(alias: str) -> Iterator[list[str]]:
    """Collect what is asked of the database meanwhile."""
    asked: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append(sql)
        return execute(sql, params, many, context)

    with connections[alias].execute_wrapper(note):
        yield asked

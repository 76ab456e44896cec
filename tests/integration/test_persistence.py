"""Bookkeeping that a database did not take at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, ProgrammingError, connections, transaction

from programs.models import persistence
from programs.models.persistence import VICTIM_TRIES, again_if_victim, persist

pytestmark = pytest.mark.usefixtures("bookkeeping")

LOST = OperationalError("server closed the connection unexpectedly")
VICTIM = OperationalError(1213, "Deadlock found when trying to get lock")
UNMIGRATED = OperationalError("no such table: programs")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persistence, "sleep", lambda _: None)
    monkeypatch.setattr(persistence, "_last_outage", float("-inf"))


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch, bookkeeping: str) -> list[str]:
    """The aliases of the connections that were closed; they stay open."""
    aliases: list[str] = []
    connection = connections[bookkeeping]
    monkeypatch.setattr(connection, "close", lambda: aliases.append(connection.alias))
    return aliases


class Write:
    """A write that fails so many times, by this error, and is counted."""

    def __init__(self, error: Exception, times: float) -> None:
        self.error, self.times, self.tries = error, times, 0

    def __call__(self) -> str:
        self.tries += 1
        if self.tries <= self.times:
            raise self.error
        return "written"


Repeated = Callable[[Callable[[], Any], str], Any]


def test_a_write_is_repeated_until_the_database_takes_it(bookkeeping: str) -> None:
    write = Write(LOST, 3)
    assert persist(write, bookkeeping) == "written"
    assert write.tries == 4


def test_a_write_is_not_repeated_for_longer_than_it_may(bookkeeping: str) -> None:
    write = Write(LOST, float("inf"))
    with pytest.raises(OperationalError):
        persist(write, bookkeeping, patience=0.0)
    assert write.tries == 1


def test_what_no_other_try_can_have_is_not_waited_for(bookkeeping: str) -> None:
    write = Write(UNMIGRATED, float("inf"))
    with pytest.raises(OperationalError):
        persist(write, bookkeeping)
    assert write.tries == 1


def test_what_a_job_has_done_to_the_session_costs_one_new_session(
    bookkeeping: str, closed: list[str]
) -> None:
    write = Write(ProgrammingError("relation does not exist"), 1)
    assert persist(write, bookkeeping) == "written"
    assert closed == [bookkeeping]

    fault = Write(ProgrammingError("relation does not exist"), float("inf"))
    with pytest.raises(ProgrammingError):
        persist(fault, bookkeeping)
    assert fault.tries == 2


@pytest.mark.parametrize("repeat", [persist, again_if_victim])
def test_a_transaction_of_the_callers_is_the_callers_to_repeat(
    repeat: Repeated, bookkeeping: str
) -> None:
    write = Write(VICTIM, float("inf"))
    with pytest.raises(OperationalError), transaction.atomic(using=bookkeeping):
        repeat(write, bookkeeping)
    assert write.tries == 1


@pytest.mark.parametrize("repeat", [persist, again_if_victim])
def test_who_was_given_up_for_another_tries_again_and_remembers_no_outage(
    repeat: Repeated, bookkeeping: str
) -> None:
    write = Write(VICTIM, 3)
    assert repeat(write, bookkeeping) == "written"
    assert write.tries == 4
    assert not persistence.is_settling()


def test_a_victim_again_and_again_is_told_in_the_end(bookkeeping: str) -> None:
    write = Write(VICTIM, float("inf"))
    with pytest.raises(OperationalError):
        again_if_victim(write, bookkeeping)
    assert write.tries == VICTIM_TRIES + 1

    lost = Write(LOST, float("inf"))
    with pytest.raises(OperationalError):
        again_if_victim(lost, bookkeeping)
    assert lost.tries == 1


def test_an_outage_of_a_server_is_remembered_for_a_while(bookkeeping: str) -> None:
    assert persist(Write(LOST, 1), bookkeeping) == "written"
    assert persistence.is_settling() is (connections[bookkeeping].vendor != "sqlite")


def test_a_connection_that_no_longer_answers_is_replaced(
    monkeypatch: pytest.MonkeyPatch, bookkeeping: str, closed: list[str]
) -> None:
    connections[bookkeeping].ensure_connection()
    persistence.replace_dead_connections()
    assert closed == []

    monkeypatch.setattr(connections[bookkeeping], "is_usable", lambda: False)
    persistence.replace_dead_connections()
    assert closed == [bookkeeping]

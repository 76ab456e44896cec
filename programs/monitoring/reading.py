"""What the database knows, for who cannot wait: found out by a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from programs.conf import settings
from programs.models.deadlines import shut_down

ValueT = TypeVar("ValueT")

HANGING = 30.0  # seconds: an inquiry that takes longer is given up, and its connection shut down
GIVEN_UP_AT_MOST = 3  # that still hang: beyond, the last one is waited for
TROUBLED = 1.0  # seconds for which an error is the answer


class Unanswered(Exception):
    """The database has not answered in time."""


class Inquiry(threading.Thread, Generic[ValueT]):
    """One look into the database, over a connection of its own."""

    def __init__(self, find_out: Callable[[], ValueT]) -> None:
        super().__init__(name="reading", daemon=True)
        self._find_out = find_out
        self._connection: BaseDatabaseWrapper | None = None
        self.began_at = monotonic()
        self.ended_at: float | None = None
        self.done = threading.Event()
        self.answer: list[ValueT] = []  # empty where there was none
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._connection = connections[settings.DATABASE]
            self.answer.append(self._find_out())
        except Exception as error:  # noqa: BLE001 (told to who asked)
            self.error = error
        finally:
            self.ended_at = monotonic()
            self.done.set()
            connections.close_all()  # this thread's

    def lasts(self, fresh: float) -> bool:
        """Tell whether who asks now is to have this inquiry's answer, or to wait for it."""
        if self.ended_at is None:
            return monotonic() - self.began_at < HANGING
        return monotonic() - self.ended_at < (TROUBLED if self.error else fresh)

    def give_up(self) -> None:
        """Shut the connection down under the thread, as far as its driver allows that."""
        if self._connection is not None:
            shut_down(self._connection.connection)


class Reading(Generic[ValueT]):
    """The answer to one question in this process, found out at most once in `fresh` seconds.

    However many ask, one thread and one connection find it out. A database that hangs costs who
    asks no more than the time that he has, and this process a few threads.
    """

    def __init__(self, find_out: Callable[[], ValueT], fresh: float) -> None:
        self._find_out = find_out
        self._fresh = fresh
        self._lock = threading.Lock()
        self._inquiry: Inquiry[ValueT] | None = None
        self._given_up: list[Inquiry[ValueT]] = []

    def get(self, within: float) -> ValueT:
        """Return the answer, or raise what finding out did; `Unanswered` after `within` seconds."""
        inquiry = self._present()
        if not inquiry.done.wait(within):
            raise Unanswered(f"the database has not answered within {within:g} s")
        if inquiry.error is not None:
            raise inquiry.error
        return inquiry.answer[0]

    def forget(self) -> None:
        """Find it out anew the next time."""
        with self._lock:
            self._inquiry = None

    def _present(self) -> Inquiry[ValueT]:
        with self._lock:
            inquiry = self._inquiry
            if inquiry is not None and (inquiry.lasts(self._fresh) or not self._may_renew(inquiry)):
                return inquiry
            self._inquiry = inquiry = Inquiry(self._find_out)
            inquiry.start()
            return inquiry

    def _may_renew(self, inquiry: Inquiry[ValueT]) -> bool:
        if inquiry.ended_at is not None:
            return True
        self._given_up = [other for other in self._given_up if other.ended_at is None]
        if len(self._given_up) >= GIVEN_UP_AT_MOST:
            return False
        self._given_up.append(inquiry)
        inquiry.give_up()
        return True

"""What costs much to find out, and is asked for by many at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

ValueT = TypeVar("ValueT")


class Recent(Generic[ValueT]):
    """The answer to one question in this process, found out anew at most once in `seconds`.

    Who asks while it is being found out waits for that answer: it is not found out twice.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = Lock()
        self._question: Hashable = None
        self._answer: list[ValueT] = []  # of the last question alone; empty before the first one
        self._found_at = 0.0

    def get(self, question: Hashable, find_out: Callable[[], ValueT]) -> ValueT:
        """Return the answer of a moment ago, or find it out; an error is no answer."""
        with self._lock:
            is_fresh = monotonic() - self._found_at < self._seconds
            if not (self._answer and is_fresh and self._question == question):
                self._answer.clear()
                self._answer.append(find_out())
                self._question, self._found_at = question, monotonic()
            return self._answer[0]

    def forget(self) -> None:
        """Find it out anew the next time."""
        with self._lock:
            self._answer.clear()

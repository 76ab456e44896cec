"""Which queues of a child are paused: read from the database once a second, for all its slots."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import monotonic

from programs.conf import settings
from programs.models import Queue
from programs.models.deadlines import answer_expected

INTERVAL = 1.0  # seconds from one reading to the next
GRACE = 0.25  # seconds that others go on with what is known, while one slot reads


class Pauses:
    """The queues of a child, and which of them operators have paused.

    `resumed` is called when there are fewer of these than before.
    """

    def __init__(self, queues: Sequence[str], resumed: Callable[[], None]) -> None:
        self._queues = tuple(queues)
        self._resumed = resumed
        self._paused: frozenset[str] | None = None  # None: nobody has read it yet
        self._next_reading = monotonic()
        self._read_at = float("-inf")  # when what is known was asked for
        self._lock = threading.Lock()

    @property
    def due_in(self) -> float:
        """Return the seconds until a slot that waits should look whether a queue was resumed."""
        return max(0.0, self._next_reading - monotonic()) if self._paused else float("inf")

    def now(self) -> frozenset[str]:
        """Return the paused ones as they were at most a second ago.

        Raises what the database raises: who does not know may not go on.
        """
        if self._paused is None or monotonic() >= self._next_reading:
            return self._read()
        return self._paused

    def claimable(self, queue: str) -> tuple[str, ...]:
        """Return of which queues a hint from `queue` may wake a program.

        One at a time where any is paused: claims are compiled for each tuple of queues.
        """
        paused = self.now()
        if not paused:
            return self._queues
        return () if queue in paused else (queue,)

    def _read(self) -> frozenset[str]:
        # No slot waits for another one's reading: its connection may be dead.
        asked_at = monotonic()
        self._next_reading = asked_at + GRACE
        with answer_expected(settings.DATABASE):
            paused = Queue.objects.filter(name__in=self._queues).paused().names()
        with self._lock:
            if asked_at < self._read_at:  # overtaken by one that asked later
                assert self._paused is not None
                return self._paused
            before, self._paused, self._read_at = self._paused, paused, asked_at
            self._next_reading = asked_at + INTERVAL
        if before and before - paused:
            self._resumed()
        return paused

"""Where callers leave hints and the publisher's thread finds them."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from programs.transport.hint import Hint

logger = logging.getLogger(__name__)

LIMIT = 10_000
# Seconds. The sweep has long found the row of a hint this old.
USEFUL_FOR = 60.0
WARNING_INTERVAL = 10.0
# Told once for many hints; told again, for a caller may have been interrupted before it did.
TOLD_FOR = 1.0
NEVER = float("-inf")


@dataclass(slots=True, eq=False)
class Outgoing:
    """A hint on its way to the broker's queue of this name."""

    hint: Hint
    queue: str
    handed_over_at: float = field(default_factory=time.monotonic)
    sent_at: float = 0.0
    returned: bool = False
    sent_again: bool = False
    traced: Callable[[str | None], None] | None = None  # ends its span, where it has one

    def end(self, failure: str | None = None) -> None:
        """Note that the hint is confirmed, or why it is given up."""
        traced, self.traced = self.traced, None
        if traced is not None:
            traced(failure)


class Handover:
    """A bounded line of hints, and the count of those that are not done with yet.

    When it is full the oldest hint goes: during an outage the sweep finds the oldest rows first,
    and once the broker is back the newest hints are the ones still worth sending.

    `on_settled`: called by the publisher's thread when hints are done with.
    """

    def __init__(self, on_settled: Callable[[], None] | None = None) -> None:
        self._on_settled = on_settled
        self._changed = threading.Condition(threading.Lock())  # guards all below
        self._waiting: deque[Outgoing] = deque()
        self._unsettled = 0
        self._told_at = NEVER
        self._failing = False
        self._dropped = 0  # since the last warning
        self._warned_at = NEVER
        self.dropped = self.given_up = self.confirmed = 0  # in all; the link counts the last two

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, outgoing: Outgoing) -> bool:
        """Add a hint; return whether the publisher's thread has to be told."""
        dropped = 0
        oldest = None
        with self._changed:
            if len(self._waiting) >= LIMIT:
                oldest = self._waiting.popleft()
                self._dropped += 1
                self.dropped += 1
                if outgoing.handed_over_at - self._warned_at >= WARNING_INTERVAL:
                    dropped, self._dropped = self._dropped, 0
                    self._warned_at = outgoing.handed_over_at
            else:
                self._unsettled += 1
            self._waiting.append(outgoing)
            tell = outgoing.handed_over_at - self._told_at > TOLD_FOR
            if tell:
                self._told_at = outgoing.handed_over_at
        if oldest is not None:
            oldest.end("dropped, for too many wait")
        if dropped:
            logger.warning(
                "Hints dropped: %d, for more than %d wait; the sweep finds their programs.",
                dropped,
                LIMIT,
                extra={"action": "hints_dropped"},
            )
        return tell

    def take(self, limit: int) -> list[Outgoing]:
        """Return up to `limit` hints that are still useful, oldest first."""
        taken: list[Outgoing] = []
        expired: list[Outgoing] = []
        now = time.monotonic()
        with self._changed:
            while self._waiting and len(taken) < limit:
                outgoing = self._waiting.popleft()
                if now - outgoing.handed_over_at > USEFUL_FOR:
                    expired.append(outgoing)
                    self.dropped += 1
                else:
                    taken.append(outgoing)
            # While some are left the thread comes back by itself, when confirms have made room.
            self._told_at = now if self._waiting else NEVER
        if expired:
            logger.info(
                "Hints dropped: %d, for they are over %.0f s old; the sweep has their programs.",
                len(expired),
                USEFUL_FOR,
                extra={"action": "hints_dropped"},
            )
            for outgoing in expired:
                outgoing.end("dropped, for it is too old")
            self.settled(len(expired))
        return taken

    def settled(self, count: int) -> None:
        """Note that `count` hints taken are confirmed or given up."""
        with self._changed:
            self._unsettled -= count
            if not self._unsettled:
                self._changed.notify_all()
        if self._on_settled is not None:
            self._on_settled()

    def failing(self, failing: bool) -> None:
        """Note whether hints can be sent at all."""
        with self._changed:
            self._failing = failing
            self._changed.notify_all()

    def wait_settled(self, timeout: float) -> bool:
        """Wait until nothing is unsettled; return False on `timeout`, or at once when failing."""
        with self._changed:
            self._changed.wait_for(lambda: not self._unsettled or self._failing, timeout)
            return not self._unsettled

"""The hand-over of deliveries from the consumer's thread to the slots."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from programs.transport.hint import Hint

FLOW = 0.05  # seconds after a delivery in which another one is expected


class Session(Protocol):
    """What a delivery came through: one channel of one connection, alive or gone."""

    def settle(self, tag: int) -> None: ...

    def give_back(self, tag: int) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A hint that the broker keeps until it is settled or given back.

    Both may be called from any thread and any number of times; only the first call counts, and
    none does once the session is gone: the broker has put the hint back by itself.
    """

    hint: Hint
    queue: str
    tag: int
    session: Session

    def settle(self) -> None:
        """Tell the broker that the hint has done its work."""
        self.session.settle(self.tag)

    def give_back(self) -> None:
        """Let the broker hand the hint to another worker."""
        self.session.give_back(self.tag)


class Inbox:
    """Deliveries that wait for a slot, and slots that wait for a delivery.

    `slots`: how many there are in this process.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._changed = threading.Condition(threading.Lock())
        self._waiting: deque[Delivery] = deque()
        self._in_hand: set[str] = set()  # run ids, until their slots are done with them
        self._idle = 0  # slots that wait in take() now
        self._rings = 0
        self._ring_kept = False
        self._closed = False
        self._last_take = time.monotonic()
        self._last_put = float("-inf")

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, delivery: Delivery) -> None:
        """Hand `delivery` to the slot that comes first."""
        with self._changed:
            self._waiting.append(delivery)
            self._in_hand.add(delivery.hint.run_id)
            self._last_put = time.monotonic()
            self._changed.notify()

    def take(self, timeout: float) -> Delivery | None:
        """Wait up to `timeout` seconds for a delivery; None when there is none, or on a ring."""
        with self._changed:
            self._last_take = time.monotonic()
            if self._ring_kept and not self._waiting:
                self._ring_kept = False
                return None
            rings = self._rings
            self._idle += 1
            try:
                self._changed.wait_for(
                    lambda: self._waiting or self._closed or self._rings != rings, timeout
                )
            finally:
                self._idle -= 1
                self._last_take = time.monotonic()
            if self._closed or not self._waiting:
                return None
            return self._waiting.popleft()

    def done(self, delivery: Delivery) -> None:
        """Note that the slot that took `delivery` has claimed its program, or may not."""
        with self._changed:
            self._in_hand.discard(delivery.hint.run_id)

    @property
    def flows_for(self) -> float:
        """Return the seconds for which a slot had better wait for the next delivery."""
        return max(0.0, self._last_put + FLOW - time.monotonic())

    def in_hand(self) -> frozenset[str]:
        """Return the run ids that deliveries name which wait, or which slots are at."""
        with self._changed:
            return frozenset(self._in_hand)

    def wake(self) -> None:
        """Ring all slots that wait, so that they look into the database."""
        with self._changed:
            # With nobody waiting the ring is kept: a slot may have looked just before the row
            # was there, and be on its way to take().
            self._ring_kept = self._idle == 0
            self._rings += 1
            self._changed.notify_all()

    def close(self) -> None:
        """End all waiting, now and from now on; what waits is the consumer's to give back."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stalled(self, seconds: float = 1.0) -> bool:
        """Return whether deliveries wait and no slot has come for one for `seconds`.

        Once the inbox is closed no slot ever comes.
        """
        with self._changed:
            if self._closed or not self._waiting:
                return bool(self._waiting)
            return self._idle == 0 and time.monotonic() - self._last_take >= seconds

    def has_room(self) -> bool:
        """Return whether a slot waits for which there is no delivery."""
        with self._changed:
            return not self._closed and self._idle > len(self._waiting)

    def take_back(self) -> list[Delivery]:
        """Empty the inbox and return what waited in it."""
        with self._changed:
            taken = list(self._waiting)
            self._waiting.clear()
            self._in_hand.difference_update(delivery.hint.run_id for delivery in taken)
            return taken

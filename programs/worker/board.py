"""The board of a child: which slot runs which program, under which lease."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from programs.lease import Lease, lease_clock
from programs.models import Program
from programs.worker.control import Notice


@dataclass(frozen=True)
class Running:
    program: Program
    lease: Lease
    confirmed_at: float  # the claim was committed before this moment


class Board:
    """Shared by the slots, which write on it, and the thread that hears the supervisor."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, Running] = {}
        self._left_behind: set[str] = set()

    @contextmanager
    def running(self, slot: str, program: Program, lease: Lease) -> Iterator[None]:
        """Show that `slot` runs `program`, as long as the context lasts."""
        with self._lock:
            self._running[slot] = Running(program, lease, lease_clock())
        try:
            yield
        finally:
            with self._lock:
                del self._running[slot]

    @property
    def busy(self) -> int:
        """Return how many slots run a program."""
        return len(self._running)

    def may_have_left_a_claim(self, slot: str) -> bool:
        """Tell, once, whether the database saw a claim of `slot` that runs nothing.

        It may be a claim that the slot took for failed, and that was committed all the same.
        """
        with self._lock:
            found = slot in self._left_behind
            self._left_behind.discard(slot)
            return found

    def apply(self, notice: Notice) -> None:
        """Tell the running job of a slot what the supervisor has read about its claim."""
        with self._lock:
            running = self._running.get(notice.slot)
            if running is None:
                if notice.program is not None:
                    self._left_behind.add(notice.slot)
                return
        if running.confirmed_at > notice.asked_at:
            return  # claimed after the supervisor looked: this tells of an earlier claim
        if (running.program.pk, running.program.epoch) != (notice.program, notice.epoch):
            running.lease.lose()
            return
        if notice.renewed:
            running.lease.renew(notice.until)
        if notice.stop_requested:
            running.lease.request_stop()

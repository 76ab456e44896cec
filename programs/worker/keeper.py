"""The keeper: the supervisor's thread that renews leases and releases those of dead children."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic

from django.db import connections

import programs
from programs import execution, registry
from programs.conf import settings
from programs.models import Program, Worker
from programs.models.persistence import note_failure
from programs.worker.control import Notice
from programs.worker.sweep import loss_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Death:
    """A child that is gone: its slots, and whether what it ran counts as lost with it."""

    slots: tuple[str, ...]
    counted: bool


class Keeper(threading.Thread):
    """Does the supervisor's bookkeeping, so that a slow database never blocks the supervisor.

    `live_slots` returns the slots of the children that live now; `tell` hands a child a notice.
    """

    def __init__(
        self,
        worker: str,
        queues: tuple[str, ...],
        live_slots: Callable[[], list[str]],
        tell: Callable[[Notice], None],
    ) -> None:
        super().__init__(name="keeper", daemon=True)
        self._worker = worker
        self._queues = queues
        self._live_slots = live_slots
        self._tell = tell
        self._deaths: deque[Death] = deque()
        self._woken = threading.Event()
        self._ending = threading.Event()
        self._registered = False

    def release(self, slots: Iterable[str], *, counted: bool) -> None:
        """Release soon what a dead child held; `counted`: as lost with its process."""
        self._deaths.append(Death(tuple(slots), counted))
        self._woken.set()

    def end(self, timeout: float) -> None:
        """Release what is left, sign the worker off and end, within `timeout` seconds."""
        self._ending.set()
        self._woken.set()
        self.join(timeout)

    def run(self) -> None:
        """Renew at each interval and release at once, until told to end."""
        next_renewal = monotonic()
        while not (self._ending.is_set() and not self._deaths):
            try:
                self._release_dead()
                if monotonic() >= next_renewal and not self._ending.is_set():
                    self._renew()
                    next_renewal = monotonic() + settings.renewal
            except Exception as error:  # noqa: BLE001 (without renewals all leases would run out)
                self._note(error)
                next_renewal = monotonic() + 0.5
                self._ending.wait(0.5)
            if not self._deaths:
                self._woken.wait(max(0.0, next_renewal - monotonic()))
                self._woken.clear()
        self._sign_off()
        connections.close_all()

    def _renew(self) -> None:
        """Renew the claims of all living children, and tell each slot how its claim stands."""
        if not self._registered:
            self._register()
        slots = self._live_slots()
        asked_at, lease = monotonic(), settings.lease
        held = {holding.slot: holding for holding in Program.objects.renew(slots, lease)}
        for slot in slots:
            holding = held.get(slot)
            if holding is None:
                notice = Notice(slot, asked_at, asked_at + lease)
            else:
                notice = Notice(
                    slot,
                    asked_at,
                    asked_at + lease,
                    holding.program,
                    holding.epoch,
                    holding.renewed,
                    holding.stop_requested,
                )
            self._tell(notice)
        Worker.heartbeat(self._worker)

    def _release_dead(self) -> None:
        while self._deaths:
            death = self._deaths[0]  # stays until it is done: the database may fail in between
            for program in Program.objects.held_by(death.slots):
                standing = program.lose(counted=death.counted)
                logger.warning(
                    "a process ended while it ran step %d (job %s): %s",
                    program.step,
                    program.job,
                    standing.value,
                    extra={"action": "claim_released", "run_id": program.run_id},
                )
                execution.announce(program, standing, loss_of(program, standing))
            self._deaths.popleft()

    def _register(self) -> None:
        Worker.register(
            name=self._worker,
            host=socket.gethostname(),
            pid=os.getpid(),
            queues=self._queues,
            slots=len(self._live_slots()),
            jobs=registry.registered(),
            version=programs.__version__,
        )
        self._registered = True

    def _sign_off(self) -> None:
        try:
            Worker.sign_off(self._worker)
        except Exception as error:  # noqa: BLE001 (the last act: nobody is left to handle it)
            self._note(error)

    def _note(self, error: Exception) -> None:
        note_failure(settings.DATABASE)
        logger.warning(
            "leases could not be renewed, trying again: %s",
            str(error).strip(),
            extra={"action": "renewal_failed", "worker": self._worker},
        )

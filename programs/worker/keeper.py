"""The keeper: the supervisor's bookkeeping, in two threads that cannot hold each other up.

One renews the leases of the children that live, the other releases the claims of those that died.
A locked row, or a listener that hears of a lost program and is slow, costs no neighbour its lease.
"""

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
from programs import execution, registry, signals, tracing
from programs.conf import settings
from programs.lease import lease_clock
from programs.models import Program, Worker
from programs.models.deadlines import answer_expected
from programs.models.persistence import note_failure
from programs.models.transitions import Standing
from programs.worker.control import Notice
from programs.worker.sweep import loss_of

logger = logging.getLogger(__name__)

AFTER_TROUBLE = 0.5  # seconds until the next try


@dataclass(frozen=True)
class Death:
    """A child that is gone: its slots, and whether what it ran counts as lost with it."""

    slots: tuple[str, ...]
    counted: bool


class Keeper:
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
        self._worker = worker
        self._queues = queues
        self._live_slots = live_slots
        self._tell = tell
        self._deaths: deque[Death] = deque()
        self._died = threading.Event()
        self._ending = threading.Event()
        self._registered = False
        self._drain: str | None = None
        self.renewed_at: float | None = None  # by `lease_clock`; None: not once yet
        self._renewer = threading.Thread(target=self._keep_renewing, name="renewer", daemon=True)
        self._releaser = threading.Thread(target=self._keep_releasing, name="releaser", daemon=True)

    def start(self) -> None:
        self._renewer.start()
        self._releaser.start()

    @property
    def drain(self) -> str | None:
        """How an operator asked this worker to end, once one has."""
        return self._drain

    def is_alive(self) -> bool:
        return self._renewer.is_alive() and self._releaser.is_alive()

    def release(self, slots: Iterable[str], *, counted: bool) -> None:
        """Release soon what a dead child held; `counted`: as lost with its process."""
        self._deaths.append(Death(tuple(slots), counted))
        self._died.set()

    def end(self, timeout: float) -> None:
        """Release what is left, sign the worker off and end, within `timeout` seconds."""
        deadline = monotonic() + timeout
        self._ending.set()
        self._died.set()
        for thread in (self._releaser, self._renewer):
            thread.join(max(0.0, deadline - monotonic()))

    # Renewing --------------------------------------------------------------------------------

    def _keep_renewing(self) -> None:
        while not self._ending.is_set():
            pause = settings.renewal
            try:
                with answer_expected(settings.DATABASE):
                    self._renew()
                self.renewed_at = lease_clock()
            except Exception as error:  # noqa: BLE001 (without renewals all leases would run out)
                self._note("leases could not be renewed", error)
                pause = AFTER_TROUBLE
            self._ending.wait(pause)
        try:
            with answer_expected(settings.DATABASE):
                Worker.sign_off(self._worker)
        except Exception as error:  # noqa: BLE001 (the last act: nobody is left to handle it)
            self._note("the worker could not be signed off", error)
        connections.close_all()

    def _renew(self) -> None:
        """Renew the claims of all living children, and tell each slot how its claim stands."""
        slots = self._live_slots()
        asked_at, lease = lease_clock(), settings.lease
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
        self._show_in_list()

    def _show_in_list(self) -> None:
        """Keep the worker's row, which informs people: no lease depends on it."""
        if not self._registered:
            Worker.register(
                name=self._worker,
                host=socket.gethostname(),
                pid=os.getpid(),
                queues=self._queues,
                slots=len(self._live_slots()),
                jobs=registry.registered(),
                version=programs.__version__,
            )
        is_to_end = Worker.heartbeat(self._worker)
        self._registered = is_to_end is not None
        if is_to_end and self._drain is None:
            asked = Worker.objects.get(name=self._worker).last_drain()
            self._drain = "asked to drain" + (f" by {asked.by}" if asked and asked.by else "")

    # Releasing -------------------------------------------------------------------------------

    def _keep_releasing(self) -> None:
        while not (self._ending.is_set() and not self._deaths):
            try:
                self._release_dead()
            except Exception as error:  # noqa: BLE001 (the deaths are noted: tried again)
                self._note("claims of a dead process could not be released", error)
            self._died.wait(AFTER_TROUBLE)
            self._died.clear()
        connections.close_all()

    def _release_dead(self) -> None:
        """Release what dead children held, but for rows that are locked: those a little later.

        A dead child's own statement may still run on the server, and hold its row.
        """
        for _ in range(len(self._deaths)):
            death = self._deaths[0]  # stays first until it is done: the database may fail
            with answer_expected(settings.DATABASE):
                held = list(self._unlocked(death))
            for program in held:
                self._release(program, death)
            with answer_expected(settings.DATABASE):
                if Program.objects.held_by(death.slots).exists():
                    self._deaths.append(death)
            self._deaths.popleft()

    def _unlocked(self, death: Death) -> Iterable[Program]:
        held = Program.objects.held_by(death.slots)
        return held.filter(pk__in=held.unlocked())

    def _release(self, program: Program, death: Death) -> None:
        standing = program.lose(counted=death.counted)
        with tracing.within(program):
            tracing.lost(program, counted=death.counted)
            if death.counted and standing is not Standing.LOST:
                execution.tell(signals.lease_lost, Program, program=program, reason="died")
            logger.warning(
                "a process ended while it held step %d (job %s): %s",
                program.step,
                program.job,
                standing.value,
                extra={"action": "claim_released", "run_id": program.run_id},
            )
            execution.announce(program, standing, loss_of(program, standing))

    def _note(self, what: str, error: Exception) -> None:
        note_failure(settings.DATABASE)
        logger.warning(
            "%s, trying again: %s",
            what,
            str(error).strip(),
            extra={"action": "bookkeeping_failed", "worker": self._worker},
        )

"""The slots of a child: each runs one program at a time."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from time import monotonic

from django.db import Error as DatabaseError
from django.db import connections, reset_queries

from programs import execution, signals, tracing
from programs.conf import settings
from programs.lease import Lease
from programs.models import Program
from programs.models.deadlines import answer_expected
from programs.models.persistence import note_failure, replace_dead_connections
from programs.models.transitions import Standing
from programs.transport.inbox import Delivery, Inbox
from programs.transport.publisher import publish
from programs.worker.board import Board
from programs.worker.control import Plan
from programs.worker.pauses import Pauses
from programs.worker.sweep import Sweep

logger = logging.getLogger(__name__)

SWEEP_EVERY = 10  # looks for work: under a stream of hints, due retries must not starve
SECOND = 1.0  # how long a slot waits that may claim no more
STALE = 60.0  # seconds of idleness after which a slot's connections are checked


class Crew:
    """The slots of one child, and what they share."""

    def __init__(self, plan: Plan, *, hinted: bool) -> None:
        self.plan = plan
        self.inbox = Inbox(plan.threads)
        self.board = Board()
        self.pauses = Pauses(plan.queues, self._hurry)
        self.sweep = Sweep(
            plan.worker,
            plan.queues,
            adaptive=not hinted,
            thorough=plan.burst,
            paused=self.pauses.now,
            hinted=self.inbox.in_hand,
        )
        self.closing = threading.Event()  # no further program is claimed
        self.draining = threading.Event()  # nor is a further step started
        self._lock = threading.Lock()
        self._busy: set[str] = set()  # slots that look into the database, or run what they found
        self._reserved = 0  # claims that slots may still make
        self._claimed = 0
        self._slots = [Slot(name, self) for name in plan.slots]

    def start(self) -> None:
        # A program created by a job of this process need not wait for the next look.
        signals.program_created.connect(self._hurry, weak=False, dispatch_uid=id(self))
        for slot in self._slots:
            slot.start()

    def close(self) -> None:
        """Claim no further program; return at once."""
        self.closing.set()
        self.inbox.close()

    def drain(self) -> None:
        """Start no further step either: what runs goes back to its queue after its step."""
        self.draining.set()
        self.close()

    def is_done(self, within: float) -> bool:
        """Wait up to `within` seconds for the slots to end; tell whether all have."""
        for slot in self._slots:
            if slot.is_alive():
                slot.join(within)
                break
        return not any(slot.is_alive() for slot in self._slots)

    def begin(self) -> bool:
        """Let a slot wait for a program, unless all of `--max-programs` are given out."""
        with self._lock:
            limit = self.plan.max_programs
            if limit is not None and self._reserved + self._claimed >= limit:
                return False
            self._reserved += 1
            return True

    def look(self, slot: str) -> None:
        """Note that `slot` looks into the database now, and may run what it finds."""
        with self._lock:
            self._busy.add(slot)

    def end(self, slot: str, *, claimed: bool, in_trouble: bool = False) -> None:
        """Note that `slot` is done; close when nothing is left to do for this crew.

        A slot in trouble counts as busy until `rest`: it may hold a claim that it must give back.
        """
        if claimed and self.plan.burst:
            self.sweep.hurry()  # what it gave back is due
        with self._lock:
            if not in_trouble:
                self._busy.discard(slot)
            self._reserved -= 1
            self._claimed += claimed
            is_used_up = self._claimed == self.plan.max_programs
            is_drained = self.plan.burst and self.sweep.is_dry and not self._busy
        if is_used_up or is_drained:
            self.close()

    def rest(self, slot: str) -> None:
        """Note that `slot` has left its trouble behind, and holds nothing."""
        self.sweep.hurry()
        with self._lock:
            self._busy.discard(slot)

    @property
    def looks_in(self) -> float:
        """Return the seconds until a slot that waits should look into the database.

        While hints flow, what it found would mostly be what the next of them name: a look may
        wait for these, but not for longer than a second since the last one.
        """
        due_in = min(self.sweep.due_in, self.pauses.due_in)
        return max(due_in, self.inbox.flows_for) if self.sweep.is_fresh else due_in

    def others_wait(self) -> bool:
        """Tell whether another program could use the slot of one whose turn is used up."""
        if len(self.inbox) or self.sweep.has_found:
            return True
        paused = self.pauses.now()
        queues = [queue for queue in self.plan.queues if queue not in paused]
        with answer_expected(settings.DATABASE):
            return Program.objects.due(*queues).exists()

    def _hurry(self, **sent: object) -> None:
        self.sweep.hurry()
        self.inbox.wake()


class Slot(threading.Thread):
    """A thread with a database connection of its own, known by its name in every claim."""

    def __init__(self, name: str, crew: Crew) -> None:
        super().__init__(name=name, daemon=True)
        self._crew = crew
        self._hints_in_a_row = 0
        self._last_use = monotonic()
        self._pause = 0.2  # seconds, after trouble

    def run(self) -> None:
        """Claim, run, and claim again, whatever happens, until the crew closes."""
        while not self._crew.closing.is_set():
            try:
                self._work()
                self._pause = 0.2
            except BaseException as error:  # noqa: BLE001 (a dead slot would look alive)
                self._recover(error)
                self._crew.rest(self.name)
        connections.close_all()

    def _work(self) -> None:
        """Look for one program and run it as far as this claim goes."""
        crew = self._crew
        if crew.board.may_have_left_a_claim(self.name):
            self._release_leftovers()
        if not crew.begin():
            crew.closing.wait(SECOND)
            return
        program, is_well = None, False
        try:
            lease = Lease(settings.lease)
            program = self._next(lease)
            if program is not None:
                self._run(program, lease)
            is_well = True
        finally:
            crew.sweep.end(self.name)
            crew.end(self.name, claimed=program is not None, in_trouble=not is_well)

    def _run(self, program: Program, lease: Lease) -> None:
        with self._crew.board.running(self.name, program, lease):
            standing = execution.carry(program, lease, self._turn(program.queue))
        self._last_use = monotonic()
        reset_queries()  # with DEBUG, Django remembers them, by the thousand
        if standing is Standing.YIELDED and program.queue is not None:
            with tracing.within(program):
                publish(program.run_id, program.queue)
        if standing is Standing.LOST:
            execution.tell(signals.lease_lost, Program, program=program, reason="refused")
            self._release_leftovers()

    # Finding the next program --------------------------------------------------------------

    def _next(self, lease: Lease) -> Program | None:
        """Return the next program, claimed: one that a hint names, or what the sweep finds."""
        crew = self._crew
        at_most = crew.plan.threads
        if self._hints_in_a_row == SWEEP_EVERY - 1:
            crew.sweep.hurry()
            at_most = 1  # the hints of others that are due are on their way
        elif (delivery := crew.inbox.take(timeout=crew.looks_in)) is not None:
            self._hints_in_a_row += 1
            return self._claim_hinted(delivery, lease)
        self._hints_in_a_row = 0
        if crew.closing.is_set():
            return None
        crew.look(self.name)
        self._check_connections()
        lease.restart()
        program = crew.sweep.claim(self.name, lease.seconds, at_most)
        if crew.sweep.has_found:
            crew.inbox.wake()
        return program

    def _claim_hinted(self, delivery: Delivery, lease: Lease) -> Program | None:
        """Claim what a hint names if it is due and nothing speaks against it; settle the hint."""
        try:
            self._check_connections()
            queues = self._crew.pauses.claimable(delivery.queue)
            lease.restart()
            with answer_expected(settings.DATABASE):
                program = self._claim_named(delivery, queues, lease)
        finally:
            delivery.settle()
            self._crew.inbox.done(delivery)
        if program is None:
            logger.debug(
                "hint refused: not due, or claimed already",
                extra={"action": "hint_refused", "run_id": delivery.hint.run_id},
            )
        return program

    def _claim_named(
        self, delivery: Delivery, queues: tuple[str, ...], lease: Lease
    ) -> Program | None:
        # Programs with losses are the sweep's: it sees to it that they run one at a time.
        run_id, slot, seconds = delivery.hint.run_id, self.name, lease.seconds
        program = Program.objects.claim_named(run_id, queues, slot, seconds) if queues else None
        # Into a paused queue as well: no other hint may come.
        if program is None and Program.objects.adopt(run_id, delivery.queue):
            program = Program.objects.claim_named(run_id, queues, slot, seconds) if queues else None
        return program

    def _turn(self, queue: str | None) -> Callable[[], bool]:
        """Return what tells, between steps, whether the program must give way."""
        crew, ends_at = self._crew, monotonic() + settings.TURN

        def must_give_way() -> bool:
            nonlocal ends_at
            if crew.sweep.passed(self.name):
                crew.inbox.wake()
            if crew.draining.is_set() or queue in crew.pauses.now():
                return True
            if monotonic() < ends_at:
                return False
            ends_at = monotonic() + settings.TURN
            return crew.others_wait()

        return must_give_way

    # Trouble ---------------------------------------------------------------------------------

    def _check_connections(self) -> None:
        if monotonic() - self._last_use > STALE:
            replace_dead_connections()
        self._last_use = monotonic()

    def _recover(self, error: BaseException) -> None:
        """Wait until the database answers, and leave no claim behind that nobody runs.

        The commit of a failed claim is unknown: the supervisor renews by slot name and would
        hold it for ever.
        """
        while True:
            self._note(error)
            self._crew.closing.wait(self._pause * random.uniform(0.8, 1.2))
            self._pause = min(self._pause * 2, 4.0)
            try:
                self._release_leftovers()
            except Exception as another:  # noqa: BLE001 (as above)
                error = another
            else:
                return
            if self._crew.closing.is_set():
                return  # the supervisor releases what is left

    def _note(self, error: BaseException) -> None:
        if isinstance(error, DatabaseError):
            note_failure(settings.DATABASE)
            logger.warning(
                "the database does not answer, trying again: %s",
                str(error).strip(),
                extra={"action": "database_lost", "worker": self.name},
            )
        else:
            logger.error(
                "a slot failed, going on: %s",
                error,
                exc_info=error,
                extra={"action": "slot_failed", "worker": self.name},
            )

    def _release_leftovers(self) -> None:
        with answer_expected(settings.DATABASE):
            held = list(Program.objects.held_by([self.name]))
        for program in held:
            execution.announce(program, program.give_back())

"""The sweep: a child's own look into the database for programs that are due."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from time import monotonic

from programs import execution, signals, tracing
from programs.conf import settings
from programs.errors import WorkerLost
from programs.models import Program
from programs.models.deadlines import answer_expected
from programs.models.persistence import SETTLING, is_settling
from programs.models.transitions import Standing

QUICKEST, SLOWEST = 0.02, 1.0  # seconds between two looks that find nothing
LOST_AT_MOST = 16  # expired claims of each queue that one look fetches


class Sweep:
    """Finds due programs of `queues`, oldest first, and claims them; shared by a child's slots.

    `worker`: whose child this is; its own claims are its supervisor's to release.
    `thorough`: every look is for claims left behind as well, for a crew that ends when none is due.
    `adaptive`: without hints the looks start close together and slow down while nothing is
    found; with hints one look a second is enough for what a lost hint or a retry left.
    `paused`: returns the queues of which nothing is claimed. What their lost workers left behind
    is released all the same.
    `hinted`: returns the run ids that hints of this process name: their slots claim those that have
    no losses.
    """

    def __init__(
        self,
        worker: str,
        queues: Sequence[str],
        *,
        adaptive: bool,
        thorough: bool = False,
        paused: Callable[[], frozenset[str]] = frozenset,
        hinted: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._worker = worker
        self._queues = list(queues)
        self._paused = paused
        self._hinted = hinted
        self._adaptive = adaptive
        self._thorough = thorough
        self._hurries = 0
        self._tried: set[int] = set()  # primary keys that slots are about to claim
        self._lock = threading.Lock()
        self._found: deque[Program] = deque()
        self._pause = QUICKEST if adaptive else SLOWEST
        self._next_look = monotonic()
        self._last_look = float("-inf")
        self._next_look_for_lost = monotonic()
        self._seen_locked: dict[int, float] = {}  # primary key -> when
        self.is_dry = False  # the last look found nothing, and no slot has been busy since
        # The slot that runs a step with losses, that program and that step. There is at most one in
        # this process at a time: if its job is what kills, no second suspect is condemned with it.
        self._suspect_slot: str | None = None
        self._suspect: tuple[Program, int] | None = None
        # Slots whose suspects have passed that step. Their jobs may kill at a later one: whom the
        # next loss would condemn does not run beside them either.
        self._former_suspects: set[str] = set()

    @property
    def due_in(self) -> float:
        """Return the seconds until the next look; 0 while something found is left to claim."""
        return 0.0 if self._found else max(0.0, self._next_look - monotonic())

    @property
    def is_fresh(self) -> bool:
        """Tell whether the last look was at most a second ago."""
        return monotonic() - self._last_look <= SLOWEST

    @property
    def has_found(self) -> bool:
        return bool(self._found)

    def hurry(self) -> None:
        """Look at the next occasion: a program was created, or given back by a slot."""
        self._hurries += 1
        self.is_dry = False
        self._pause = QUICKEST if self._adaptive else SLOWEST
        self._next_look = monotonic()

    def claim(self, slot: str, lease: float, at_most: int) -> Program | None:
        """Claim a due program for `slot`, or return None when none is to be had.

        `at_most`: how many programs of each queue a look fetches, for other slots to claim.
        """
        paused = self._paused()
        for candidate in self._candidates(at_most, paused):
            try:
                claimed = self._try(candidate, slot, lease, paused)
            finally:
                with self._lock:
                    self._tried.discard(candidate.pk)
            if claimed is not None:
                self.hurry()  # where one was, there may be more
                return claimed
        return None

    def end(self, slot: str) -> None:
        """Note that `slot` is done with what it claimed."""
        with self._lock:
            self._former_suspects.discard(slot)
            if self._suspect_slot != slot:
                return
            was_suspect = self._suspect is not None
            self._suspect_slot = self._suspect = None
        if was_suspect:
            self.hurry()  # the next one may be waiting

    def passed(self, slot: str) -> bool:
        """End the suspicion of what `slot` runs, if its job has passed the step with losses."""
        suspect = self._suspect
        if self._suspect_slot != slot or suspect is None or suspect[0].step == suspect[1]:
            return False
        with self._lock:
            self._suspect_slot = self._suspect = None
            self._former_suspects.add(slot)
        self.hurry()
        return True

    def _candidates(self, at_most: int, paused: frozenset[str]) -> Iterator[Program]:
        """Yield what was found and nobody has taken yet, with at most one look in between."""
        looked = False
        while True:
            with self._lock:
                if not self._found and not looked and monotonic() >= self._next_look:
                    looked = True
                    with answer_expected(settings.DATABASE):
                        self._look(at_most, paused)
                if not self._found:
                    return
                candidate = self._found.popleft()
                self._tried.add(candidate.pk)
            yield candidate

    def _look(self, at_most: int, paused: frozenset[str]) -> None:
        """Fetch candidates of each queue; the caller holds the lock."""
        self._last_look = monotonic()
        self._next_look = monotonic() + self._pause * random.uniform(0.8, 1.2)
        self._pause = min(self._pause * 2, SLOWEST)
        hurries = self._hurries
        random.shuffle(self._queues)  # no queue is always last
        # Rows that another slot is at may be locked: they must not hold up this one as well.
        hinted = self._hinted()
        most = at_most + len(self._tried) + len(hinted)
        losses_below = None
        if self._suspect_slot is not None:
            losses_below = 1
        elif self._former_suspects:
            losses_below = settings.LOSS_LIMIT - 1
        for queue in self._queues:
            if queue in paused:
                continue
            free = [
                program
                for program in Program.objects.oldest(queue, most, losses_below)
                if program.pk not in self._tried
                # With losses it is ours: a hint that its dead worker left unanswered is refused.
                and (program.losses or program.run_id not in hinted)
            ]
            self._found.extend(free[:at_most])
        looked_for_lost = self._look_for_lost()
        self.is_dry = looked_for_lost and not self._found and hurries == self._hurries

    def _look_for_lost(self) -> bool:
        """Fetch expired claims of other workers, once a second; tell whether it was time for that.

        Apart from what waits, so that many rows of one kind hide none of the other.
        """
        if is_settling() or not (self._thorough or monotonic() >= self._next_look_for_lost):
            return False
        self._next_look_for_lost = monotonic() + SLOWEST
        forgotten = monotonic() - SETTLING
        self._seen_locked = {pk: at for pk, at in self._seen_locked.items() if at > forgotten}
        left_alone = [*self._seen_locked, *self._tried]
        for queue in self._queues:
            lost = Program.objects.ripe(queue).left_behind(self._worker)
            self._found.extend(lost.exclude(pk__in=left_alone)[:LOST_AT_MOST])
        return True

    def _try(
        self, candidate: Program, slot: str, lease: float, paused: frozenset[str]
    ) -> Program | None:
        if candidate.worker is not None and self._is_locked(candidate):
            return None
        if candidate.errored_at is not None:
            with answer_expected(settings.DATABASE):
                candidate.throw_away()
            return None
        if candidate.worker is not None and not self._release_lost(candidate):
            return None
        assert candidate.queue is not None
        if candidate.queue in paused:
            return None  # found before that, or lost: released, and no more
        if not candidate.losses:
            queues = (candidate.queue,)
            with answer_expected(settings.DATABASE):
                return Program.objects.claim_named(candidate.run_id, queues, slot, lease)
        if not self._may_run_suspect(slot, candidate):
            return None
        same = Program.objects.due(candidate.queue).unclaimed()
        claimed = None
        try:
            with answer_expected(settings.DATABASE):
                claimed = same.filter(pk=candidate.pk, epoch=candidate.epoch).claim(slot, lease)
        finally:
            if claimed is None:
                self.end(slot)
            else:
                self._suspect = (claimed, claimed.step)
        return claimed

    def _may_run_suspect(self, slot: str, candidate: Program) -> bool:
        with self._lock:
            in_danger = candidate.losses >= settings.LOSS_LIMIT - 1
            if self._suspect_slot is None and not (in_danger and self._former_suspects):
                self._suspect_slot = slot
            return self._suspect_slot == slot

    def _is_locked(self, lost: Program) -> bool:
        """Tell whether a lost claim must be left alone: its job is alive, in a long transaction.

        Once that has ended, its supervisor has a renewal's time to renew the lease.
        """
        with answer_expected(settings.DATABASE):
            unlocked = Program.objects.filter(pk=lost.pk).unlocked()
        if unlocked:
            return lost.pk in self._seen_locked
        with self._lock:
            self._seen_locked[lost.pk] = monotonic()
        return True

    def _release_lost(self, lost: Program) -> bool:
        """Take the claim from a slot whose lease has run out; tell whether it is to be had now."""
        standing = lost.lose(counted=True, expired=True)
        with tracing.within(lost):
            if standing is not Standing.LOST:  # nobody was quicker
                tracing.lost(lost, counted=True)
                execution.tell(signals.lease_lost, Program, program=lost, reason="expired")
            execution.announce(lost, standing, loss_of(lost, standing))
        lost.worker = None
        return standing is Standing.YIELDED


def loss_of(program: Program, standing: Standing) -> WorkerLost | None:
    """Return the error to raise an alarm with when a loss has ended the program."""
    return WorkerLost(program.error_message) if standing is Standing.ERRORED else None

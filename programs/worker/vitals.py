"""Whether a worker lives, whether it is ready, and what its processes have counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from time import monotonic

import programs
from programs.conf import settings
from programs.lease import lease_clock
from programs.monitoring import catalogue as known
from programs.monitoring.catalogue import Found
from programs.monitoring.checkup import Checkup, Finding
from programs.monitoring.counts import Counts
from programs.worker.control import Plan
from programs.worker.keeper import Keeper
from programs.worker.reporting import Heard, Reports

STUCK = 30.0  # seconds without a turn of the supervisor, which takes one every tenth of a second
# Seconds for which a broker may be away, and a child silent: a restart of RabbitMQ, or a job that
# holds the interpreter for a while, is no reason to take a worker out.
GRACE = 30.0


class Vitals:
    """What the worker's endpoint tells.

    `plans`: returns those of the children that live now. `wanted`: how many there shall be.
    `hinted`: whether they shall hear hints. `told`: whether there is an endpoint, for which they
    report what they count; without one, they count nothing.
    """

    def __init__(
        self,
        worker: str,
        keeper: Keeper,
        plans: Callable[[], Sequence[Plan]],
        *,
        wanted: int,
        hinted: bool,
        told: bool,
    ) -> None:
        self._worker = worker
        self._keeper = keeper
        self._plans = plans
        self._wanted = wanted
        self._hinted = hinted
        self._turned_at = monotonic()
        self._deaths = 0
        self._reports = Reports() if told else None
        self.is_ending = False

    # Told by the supervisor ------------------------------------------------------------------

    def pipe(self, child: str) -> AbstractContextManager[int | None]:
        """Lend what a child, started meanwhile, shall report through; None: it need not.

        Raises OSError where there are no more pipes or threads to be had.
        """
        return nullcontext() if self._reports is None else self._reports.pipe(child)

    def turn(self) -> None:
        """Note that the supervisor has taken another turn."""
        self._turned_at = monotonic()

    def death(self, child: str, *, is_loss: bool) -> None:
        """Note that a child has ended; `is_loss`: unasked."""
        self._deaths += is_loss
        if self._reports is not None:
            self._reports.bury(child)

    # Asked by probes ---------------------------------------------------------------------------

    def life(self) -> Checkup:
        """Tell whether the supervisor works: whoever hears no should start the worker anew.

        Nothing outside of it counts: no restart brings a database back.
        """
        since = monotonic() - self._turned_at
        turning = f"took its last turn {since:.1f} s ago"
        keeping = "renews and releases" if self._keeper.is_alive() else "has ended by a fault"
        return Checkup(
            "alive",
            "dead",
            [
                Finding("supervisor", turning, since < STUCK),
                Finding("keeper", keeping, self._keeper.is_alive() or self.is_ending),
            ],
        )

    def readiness(self) -> Checkup:
        """Tell whether the worker takes up programs, by hints as well where there is a broker."""
        findings = [self._renewing(), self._running()]
        if self._hinted:
            findings.append(self._hearing())
        if self.is_ending:
            findings.append(Finding("worker", "it is ending", False))
        return Checkup("ready", "not ready", findings)

    def _renewing(self) -> Finding:
        renewed_at = self._keeper.renewed_at
        if renewed_at is None:
            return Finding("database", "no lease was renewed yet", False)
        since = lease_clock() - renewed_at
        words = f"leases were renewed {since:.1f} s ago and hold for {settings.lease:g} s"
        return Finding("database", words, since <= settings.lease)

    def _running(self) -> Finding:
        heard = len(list(self._heard_lately()))
        words = f"{heard} of {self._wanted} look for programs"
        return Finding("children", words, heard >= self._wanted)

    def _hearing(self) -> Finding:
        oldest = monotonic() - GRACE
        heard = [each for each in self._heard_lately() if (each.hints_at or 0.0) >= oldest]
        words = f"{len(heard)} of {self._wanted} children hear hints"
        if (is_well := len(heard) >= self._wanted) is False:
            words += "; programs are found in the database all the same"
        return Finding("broker", words, is_well)

    def _heard_lately(self) -> Iterator[Heard]:
        oldest = monotonic() - GRACE
        for plan in self._plans():
            heard = self._reports.of(plan.name) if self._reports else None
            if heard is not None and heard.at >= oldest:
                yield heard

    # Asked by Prometheus -----------------------------------------------------------------------

    def metrics(self) -> Found:
        """Return what is true of this worker's processes."""
        heard = list(self._heard_lately())
        counted = self._reports.counted() if self._reports else Counts()
        renewed_at = self._keeper.renewed_at
        publishers = Counter(each.report.publisher for each in heard)
        found: dict[known.Metric, known.Samples] = {
            known.WORKER_INFO: {(self._worker, programs.__version__): 1},
            known.READY: {(): self.readiness().is_well},
            known.CHILDREN: {(): len(heard)},
            known.CHILD_DEATHS: {(): self._deaths},
            known.SLOTS: {(): sum(len(plan.slots) for plan in self._plans())},
            known.SLOTS_BUSY: {(): sum(each.report.busy for each in heard)},
            known.ATTEMPTS: {(job, end): number for (job, end), number in counted.attempts.items()},
            known.DURATION: {(job,): each for job, each in counted.durations.items()},
            known.LEASES_LOST: _by(counted.leases_lost, "refused", "expired", "died"),
        }
        if renewed_at is not None:
            found[known.RENEWAL_AGE] = {(): lease_clock() - renewed_at}
        if settings.AMQP_URL is not None:
            found[known.PUBLISHERS] = _by(publishers, "idle", "connected", "failing")
            found[known.HINTS] = _by(counted.hints, "confirmed", "given_up", "dropped")
        if self._hinted:
            live = sum(bool(each.report.hears) for each in heard)
            found[known.CONSUMERS] = {("live",): live, ("away",): self._wanted - live}
        return found


def _by(counted: Counter[str], *values: str) -> dict[tuple[str, ...], float]:
    """Return a sample for each value, also for those that have not happened: rates need the 0."""
    return {(value,): counted[value] for value in values}

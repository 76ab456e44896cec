"""What this process counts of its jobs and leases, while somebody may ask for it."""

from __future__ import annotations

import threading
from time import monotonic
from typing import Any

from programs import signals
from programs.job import Job
from programs.models import Ending
from programs.models.transitions import Standing
from programs.monitoring.counts import Counts, Durations
from programs.outcomes import Outcome
from programs.transport import publisher

# Of a job that nobody registered here: its name is made up by whoever created the program, and
# each name would be a series for ever.
UNKNOWN = "(unknown)"


class Tally:
    """Hears the signals of jobs and leases. Without one, a step costs nothing more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counts()
        self._began = threading.local()

    def listen(self) -> None:
        """Count from now on, for as long as the process lives."""
        signals.job_started.connect(self._on_start, weak=False)
        signals.job_finished.connect(self._on_end, weak=False)
        signals.lease_lost.connect(self._on_loss, weak=False)

    def read(self) -> Counts:
        """Return a copy of what was counted so far."""
        copy = Counts(hints=publisher.fates())
        with self._lock:
            copy.add(self._counts)
        return copy

    def _on_start(self, **sent: Any) -> None:
        self._began.at = monotonic()

    def _on_end(
        self, sender: type[Job] | None, outcome: Outcome, standing: Standing, **sent: Any
    ) -> None:
        job = UNKNOWN if sender is None else sender.name
        # As `survive` corrects the history: whatever the job returned, it came too late.
        ending = Ending.ABANDONED if standing is Standing.LOST else outcome.ending
        began = self._began.__dict__.pop("at", None)  # None: nothing ran
        took = None if began is None else monotonic() - began
        with self._lock:
            self._counts.attempts[job, ending.value] += 1
            if took is not None:
                self._counts.durations.setdefault(job, Durations()).observe(took)

    def _on_loss(self, reason: str, **sent: Any) -> None:
        with self._lock:
            self._counts.leases_lost[reason] += 1

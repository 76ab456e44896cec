"""The lease of one claim, as the process that runs the job sees it."""

from __future__ import annotations

import time

# Linux's monotonic clock stands still while the machine sleeps; the database's does not.
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def lease_clock() -> float:
    """Return the seconds that leases are counted in; all processes of a machine share them."""
    return time.clock_gettime(CLOCK)


class Lease:
    """How long a claim still holds, counted on this machine's clock, and what its job is told.

    The supervisor renews it from one thread while a slot reads it in another. A deadline counts
    from *before* the claim or the renewal was sent, so that this side gives a lease up before the
    database's clock lets anybody else take it.

    `seconds`: how long a claim holds without renewal.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.stop_requested = False
        self._lost = False
        self.restart()

    def restart(self) -> None:
        """Count from now: the claim is about to be sent."""
        self._deadline = lease_clock() + self.seconds

    @property
    def live(self) -> bool:
        """Tell whether a job may still be started under this lease."""
        return not self._lost and self.remaining > 0

    @property
    def remaining(self) -> float:
        """Return for how many seconds the claim holds without renewal."""
        return self._deadline - lease_clock()

    def renew(self, deadline: float) -> None:
        """Note that the database holds the claim for us until `deadline` (by `lease_clock`)."""
        self._deadline = max(self._deadline, deadline)

    def request_stop(self) -> None:
        """Tell the running job, through `job_data.stop_requested`, that it shall end."""
        self.stop_requested = True

    def lose(self) -> None:
        """Note that the claim is gone; the running job is told to end as well."""
        self._lost = True
        self.stop_requested = True

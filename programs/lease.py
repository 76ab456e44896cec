"""The lease of one claim, as the process that runs the job sees it."""

from __future__ import annotations

from time import monotonic


class Lease:
    """How long a claim still holds, counted on the monotonic clock, and what its job is told.

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
        self._deadline = monotonic() + self.seconds

    @property
    def live(self) -> bool:
        """Tell whether a job may still be started under this lease."""
        return not self._lost and monotonic() < self._deadline

    def renew(self, deadline: float) -> None:
        """Note that the database holds the claim for us until `deadline` (monotonic clock)."""
        self._deadline = max(self._deadline, deadline)

    def request_stop(self) -> None:
        """Tell the running job, through `job_data.stop_requested`, that it shall end."""
        self.stop_requested = True

    def lose(self) -> None:
        """Note that the claim is gone; the running job is told to end as well."""
        self._lost = True
        self.stop_requested = True

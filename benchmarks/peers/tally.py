"""What a peer's worker saw: when its first job ran, when its last one did, and how many ran.

It is kept in the worker's memory and told over a datagram socket, so that counting costs next to
nothing: a clock that is read and a list that grows.
"""

from __future__ import annotations

import json
import os
import socket
import time

ADDRESS, EXPECTED, LAST_STEP = "TALLY_ADDRESS", "TALLY_EXPECTED", "TALLY_LAST_STEP"


class Tally:
    """Notes each run of a job, and tells how things stand at the end of a drain or of a chain.

    `expected`: runs of a whole drain, after which every run is told. `last_step`: whose runs are
    told, where single chains are timed.
    """

    def __init__(self, address: str, expected: int, last_step: int) -> None:
        self._runs: list[tuple[float, int, int]] = []
        self._address = address
        self._expected = expected
        self._last_step = last_step
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def close(self) -> None:
        self._socket.close()

    def note(self, program: int, step: int) -> None:
        self._runs.append((time.monotonic(), program, step))
        if step == self._last_step or len(self._runs) >= self._expected:
            self._tell()

    def _tell(self) -> None:
        runs = self._runs[:]
        told = {
            "first": min(runs)[0],
            "last": max(runs)[0],
            "runs": len(runs),
            "distinct": len({(program, step) for _, program, step in runs}),
        }
        self._socket.sendto(json.dumps(told).encode(), self._address)


def _of_environment() -> Tally | None:
    given = os.environ
    if ADDRESS not in given:
        return None  # who fills the queue
    return Tally(given[ADDRESS], int(given[EXPECTED]), int(given[LAST_STEP]))


# Made at import: a worker's threads would make one each.
_tally = _of_environment()


def note(program: int, step: int) -> None:
    """Note that this worker ran this step of this program: all that a peer's job does."""
    assert _tally is not None
    _tally.note(program, step)

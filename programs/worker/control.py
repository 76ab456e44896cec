"""What a supervisor and its children tell each other."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

# One short line each, so that the system writes it whole or not at all (PIPE_BUF).
DRAIN = b'"drain"\n'  # to the child: start no further job, end in good order
READY = b"ready\n"  # from the child: its slots look for programs
DONE = b"done\n"  # from the child: it ended in good order, nothing is left behind


@dataclass(frozen=True)
class Plan:
    """What a child shall do: its share of the worker's orders."""

    name: str  # of the child, unique for ever: "worker/number"
    queues: tuple[str, ...]
    threads: int
    burst: bool = False
    max_programs: int | None = None

    @property
    def worker(self) -> str:
        """Return the name of the worker whose child this is."""
        return self.name.rpartition("/")[0]

    @property
    def slots(self) -> tuple[str, ...]:
        """Return the names that this child's claims bear."""
        return tuple(f"{self.name}.{number}" for number in range(1, self.threads + 1))

    def encode(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> Plan:
        given = json.loads(text)
        return cls(**{**given, "queues": tuple(given["queues"])})


@dataclass(frozen=True)
class Notice:
    """What the database says about the claim of one slot, read at `asked_at`.

    Times are of `lease_clock`, which all processes of a machine share.
    """

    slot: str
    asked_at: float
    until: float  # the lease holds until then, if it was renewed
    program: int | None = None  # None: the slot holds nothing
    epoch: int | None = None
    renewed: bool = False
    stop_requested: bool = False

    def encode(self) -> bytes:
        return json.dumps(list(asdict(self).values())).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Notice:
        return cls(*json.loads(line))

"""The journal: where jobs write what they do, outside the database, and tests read it.

A line for each start and each end of a job's side effect. Many processes append to one file, each
line with one write, so that it is there whole or not at all, whatever is killed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from programs.lease import lease_clock
from programs.message import Message


@dataclass(frozen=True)
class Line:
    at: float  # by `lease_clock`, which all processes of a machine share
    event: str  # start, end, or raised: the side effect was broken off by an exception
    run_id: str
    step: int
    attempt: int
    pid: int
    slot: str  # the thread's name


def note(journal: str, event: str, message: Message) -> None:
    """Append a line to the journal."""
    line = (
        f"{lease_clock():.6f} {event} {message.run_id} {message.step} {message.attempt} "
        f"{os.getpid()} {threading.current_thread().name}\n"
    )
    file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def read(journal: Path) -> Iterator[Line]:
    """Yield the journal's lines in their order; none while there is no file."""
    if not journal.exists():
        return
    for text in journal.read_text().splitlines():
        at, event, run_id, step, attempt, pid, slot = text.split(" ", 6)
        yield Line(float(at), event, run_id, int(step), int(attempt), int(pid), slot)

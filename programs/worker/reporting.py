"""What children report to their supervisor while somebody may ask for it (`--health-port`)."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from programs.monitoring.counts import Counts
from programs.monitoring.tally import Tally
from programs.transport import publisher

if TYPE_CHECKING:
    from programs.transport.consumer import Consumer
    from programs.worker.slots import Crew

logger = logging.getLogger(__name__)

EVERY = 1.0  # seconds
LAST_WORDS = 0.5  # seconds in which the last report of a child that is gone is read
LONGEST = 16 * 1024 * 1024  # bytes of one report: what is longer is none


@dataclass(frozen=True)
class Report:
    """How a child stands: what it has counted so far, and its ties to the broker."""

    counts: Counts
    busy: int  # slots that run a program
    publisher: str
    hears: bool | None  # hints, from the broker; None: it is not meant to

    def encode(self) -> bytes:
        said = [self.counts.encode(), self.busy, self.publisher, self.hears]
        return json.dumps(said).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Report:
        counts, *others = json.loads(line)
        return cls(Counts.decode(counts), *others)


class Reporter(threading.Thread):
    """In the child: reports once a second, and a last time at its end."""

    def __init__(self, pipe: int, crew: Crew, consumer: Consumer | None) -> None:
        super().__init__(name="reporter", daemon=True)
        self._pipe = pipe
        self._crew = crew
        self._consumer = consumer
        self._ending = threading.Event()
        self._tally = Tally()
        self._tally.listen()

    def run(self) -> None:
        try:
            with os.fdopen(self._pipe, "wb") as pipe:
                while True:
                    is_last = self._ending.is_set()
                    pipe.write(self._report().encode())
                    pipe.flush()
                    if is_last:
                        return
                    self._ending.wait(EVERY)
        except BrokenPipeError:
            logger.debug("the supervisor is gone", extra={"action": "report_dropped"})

    def end(self, timeout: float) -> None:
        """Report a last time, within `timeout` seconds."""
        self._ending.set()
        self.join(timeout)

    def _report(self) -> Report:
        hears = None if self._consumer is None else self._consumer.live
        return Report(self._tally.read(), self._crew.board.busy, publisher.state(), hears)


@dataclass(frozen=True)
class Heard:
    """The last report of a child, and when it and the broker were last heard of (`monotonic`)."""

    report: Report
    at: float
    hints_at: float | None  # None: it has heard no hints yet


class Reports:
    """In the supervisor: the last report of each child, and the sum of all that are gone.

    So what is counted grows on whatever dies. What a killed child has counted in its last second
    is lost with it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: dict[str, Heard] = {}
        self._gone = Counts()
        self._readers: dict[str, threading.Thread] = {}
        self._own = Tally()  # of the keeper, who releases what dead children held
        self._own.listen()

    @contextmanager
    def pipe(self, child: str) -> Iterator[int]:
        """Lend the end of the pipe that a child, started meanwhile, shall write to.

        Raises OSError where there are no more pipes or threads to be had.
        """
        ours, theirs = os.pipe()
        reader = threading.Thread(
            target=self._read, args=(child, ours), name=f"reports of {child}", daemon=True
        )
        try:
            reader.start()
        except RuntimeError as error:
            os.close(ours)
            os.close(theirs)
            raise OSError(str(error)) from error
        self._readers[child] = reader
        try:
            yield theirs
        except OSError:
            del self._readers[child]  # it reads the pipe's end, and is gone
            raise
        finally:
            os.close(theirs)

    def bury(self, child: str) -> None:
        """Keep what a child that has ended had counted."""
        # It has read the pipe's end, as a rule: unless a fork of a job holds the pipe open.
        self._readers[child].join(LAST_WORDS)
        del self._readers[child]
        with self._lock:
            heard = self._heard.pop(child, None)
            if heard is not None:
                self._gone.add(heard.report.counts)

    def of(self, child: str) -> Heard | None:
        """Return what was last heard of a child; None: nothing yet."""
        return self._heard.get(child)

    def counted(self) -> Counts:
        """Return what this worker's processes have counted, those that are gone included."""
        total = self._own.read()
        with self._lock:
            for counts in (self._gone, *(heard.report.counts for heard in self._heard.values())):
                total.add(counts)
        return total

    def _read(self, child: str, pipe: int) -> None:
        with os.fdopen(pipe, "rb") as lines:
            while line := lines.readline(LONGEST):
                try:
                    report = Report.decode(line)
                except (ValueError, TypeError, KeyError):  # killed within a line
                    logger.debug("a report breaks off", extra={"action": "report_dropped"})
                    continue
                with self._lock:
                    if child in self._readers:  # not buried yet
                        before = self._heard.get(child)
                        self._heard[child] = _heard(report, before)


def _heard(report: Report, before: Heard | None) -> Heard:
    now = monotonic()
    hints_at = now if report.hears else before.hints_at if before else None
    return Heard(report, now, hints_at)

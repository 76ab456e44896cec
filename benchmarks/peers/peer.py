"""One other system: fills its queue, starts one worker, and tells how long that took.

The end is what the worker saw itself, so that a peer without any bookkeeping is not slowed down by
questions. A job that ran twice or never fails the run.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from benchmarks.peers import tally

PATIENCE = 300.0  # seconds for a whole drain, or for one chain
WARM_UP = 5  # chains before the first that is timed
PAUSE = 0.05  # seconds between two chains: the system is idle
NO_END = sys.maxsize
LENGTH = 4096  # bytes of one telling, at most


class Peer(ABC):
    """What the benchmark asks of another system."""

    packages: tuple[str, ...]  # whose versions are told
    variants: dict[str, list[str]]  # the worker's command, after the interpreter

    @abstractmethod
    def empty(self) -> None:
        """Begin anew: no program waits, and nothing is left of earlier ones."""

    @abstractmethod
    def fill(self, programs: range, steps: int, variant: str) -> None:
        """Put these programs of so many steps into the queue."""

    @abstractmethod
    def clear(self) -> None:
        """Remove what a run has made on the servers."""


def drain(peer: Peer, variant: str, programs: int, steps: int) -> dict[str, Any]:
    """Return programs a second, from the first job to the last, of a queue that was full."""
    peer.fill(range(programs), steps, variant)
    expected = programs * steps
    with News() as news:
        with worker(peer, variant, news, expected=expected, last_step=-1):
            told = news.next()
        check(news.rest() or told, expected)  # whatever ran since, before the worker was gone
    return {"rate": programs / (told["last"] - told["first"])}


def latency(peer: Peer, variant: str, programs: int, steps: int) -> dict[str, Any]:
    """Return the median ms from before a chain is started to its last job, on an idle system."""
    spans = []
    last_step = steps - 1
    with News() as news, worker(peer, variant, news, expected=NO_END, last_step=last_step):
        for number in range(WARM_UP + programs):
            time.sleep(PAUSE)
            began = time.monotonic()
            peer.fill(range(number, number + 1), steps, variant)
            told = news.next()
            spans.append((told["last"] - began) * 1000)
            check(told, (number + 1) * steps)
    return {"median": statistics.median(spans[WARM_UP:])}


def check(told: dict[str, Any], expected: int) -> None:
    """Fail unless every job ran once."""
    if (told["runs"], told["distinct"]) != (expected, expected):
        sys.exit(f"wrong outcome: {told['distinct']} of {expected} jobs ran, {told['runs']} times")


class News:
    """What the worker tells of its tally."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        self.address = str(Path(self._folder.name, "tally"))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()
        self._folder.cleanup()

    def next(self) -> dict[str, Any]:
        self._socket.settimeout(PATIENCE)
        told: dict[str, Any] = json.loads(self._socket.recv(LENGTH))
        return told

    def rest(self) -> dict[str, Any] | None:
        """Return the last of what was told since, by a worker that has ended."""
        self._socket.setblocking(False)
        last = None
        with suppress(BlockingIOError):
            while True:
                last = json.loads(self._socket.recv(LENGTH))
        return last


@contextmanager
def worker(
    peer: Peer, variant: str, news: News, *, expected: int, last_step: int
) -> Iterator[None]:
    """Have one worker run, and end it."""
    environment = {
        **os.environ,
        tally.ADDRESS: news.address,
        tally.EXPECTED: str(expected),
        tally.LAST_STEP: str(last_step),
    }
    command = [sys.executable, *peer.variants[variant]]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            yield
        except TimeoutError:
            log.seek(0)
            said = log.read().decode()[-4000:]
            sys.exit(f"not done after {PATIENCE:.0f} s; the worker said:\n{said}")
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

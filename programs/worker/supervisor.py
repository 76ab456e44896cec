"""The supervisor: starts children, replaces those that die, and ends them in good order."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from time import monotonic
from types import FrameType

from programs.conf import settings
from programs.worker.control import DONE, DRAIN, READY, Notice, Plan
from programs.worker.database import prepare_connections
from programs.worker.endpoint import Endpoint
from programs.worker.keeper import Keeper
from programs.worker.reload import CodeWatch
from programs.worker.vitals import Vitals

logger = logging.getLogger(__name__)

TICK = 0.1  # seconds between two looks at the children
LAST_WORDS = 5.0  # seconds for the bookkeeping after the last child has ended
QUICK_DEATH = 5.0  # seconds: children that die sooner, one after the other, are not hurried
# Seconds, the most that the next one waits: what kills a child that was ready is a job, mostly,
# and the programs of its neighbours want to go on.
PATIENCE_UNREADY, PATIENCE_READY = 5.0, 0.5
LINGERING = 5.0  # seconds that a child may take to exit once it is done


@dataclass(frozen=True)
class Orders:
    """What `runworker` was asked to do."""

    queues: tuple[str, ...]
    threads: int
    processes: int
    shutdown_timeout: float  # seconds
    name: str
    burst: bool = False
    max_programs: int | None = None
    reload: bool = False
    health_port: int | None = None


def unique_name(name: str | None) -> str:
    """Return a worker's name that no other ever had: name, host, pid and a random part."""
    host = socket.gethostname().partition(".")[0][:40]
    parts = [name] if name else []
    return "-".join([*parts, host, str(os.getpid()), secrets.token_hex(3)])


class Child:
    """A child process and the two pipes to it.

    `reports`: the end of a third one, for what it has to report.
    """

    def __init__(self, plan: Plan, reports: int | None = None) -> None:
        self.plan = plan
        self.started_at = monotonic()
        self.kill_at: float | None = None  # set once it is asked to end, or is done
        self.was_asked = False  # to end, by this supervisor
        self._heard = b""
        self._lock = threading.Lock()  # the keeper tells, the supervisor closes
        self._is_closed = False
        orders, self._orders = os.pipe()
        try:
            self._answers, answers = os.pipe()
        except OSError:
            os.close(orders)
            os.close(self._orders)
            raise
        try:
            os.set_blocking(self._orders, False)
            os.set_blocking(self._answers, False)
            pipes = [pipe for pipe in (orders, answers, reports) if pipe is not None]
            self._process = self._start(pipes)
        except OSError:
            self.close()
            raise
        finally:
            os.close(orders)
            os.close(answers)

    def _start(self, pipes: list[int]) -> subprocess.Popen[bytes]:
        search_path = os.pathsep.join(path for path in sys.path if path)
        return subprocess.Popen(
            [
                sys.executable,
                *subprocess._args_from_interpreter_flags(),  # type: ignore[attr-defined]
                "-m",
                "programs.worker.child",
                self.plan.encode(),
                *map(str, pipes),
            ],
            pass_fds=pipes,
            env={**os.environ, "PYTHONPATH": search_path},
            stdin=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C on the terminal reaches the supervisor alone
        )

    def tell(self, line: bytes) -> None:
        """Write one line, or drop it when the child does not read: the next one says it again."""
        with self._lock:
            if self._is_closed:
                return
            try:
                os.write(self._orders, line)
            except (BlockingIOError, BrokenPipeError):
                logger.debug("a child does not listen", extra={"action": "notice_dropped"})

    def drain(self, kill_at: float) -> None:
        """Ask the child to end after its running steps; it is killed at `kill_at`."""
        self.was_asked = True
        self.tell(DRAIN)
        self.terminate()  # a full pipe must not keep the order from it
        self.kill_at = kill_at if self.kill_at is None else min(self.kill_at, kill_at)

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self._process.kill()

    @property
    def was_ready(self) -> bool:
        """Whether the child said that its slots look for programs."""
        return READY in self._all_heard()

    @property
    def is_done(self) -> bool:
        """Whether the child said that it ended in good order and left nothing behind."""
        return DONE in self._all_heard()

    def _all_heard(self) -> bytes:
        with contextlib.suppress(BlockingIOError):  # it has not said anything
            self._heard += os.read(self._answers, 64)
        return self._heard

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            os.close(self._orders)
            os.close(self._answers)


class Supervisor:
    """One worker. Only its main thread starts, reaps and kills children.

    Raises OSError where `health_port` cannot be had.
    """

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._children: list[Child] = []
        self._missing: list[int | None] = []  # the shares of children to be started
        self._serial = 0
        self._draining = False
        self._signals = 0
        self._start_after = 0.0  # not before: children that die at once are not hurried
        self._quick_deaths = 0
        self._code = CodeWatch() if orders.reload else None
        self._keeper = Keeper(orders.name, orders.queues, self._live_slots, self._tell)
        port = orders.health_port
        self._vitals = Vitals(
            orders.name,
            self._keeper,
            self._plans,
            wanted=len(self._shares()),
            hinted=settings.AMQP_URL is not None and not orders.burst,
            told=port is not None,
        )
        self._endpoint = None if port is None else Endpoint(port, self._vitals)

    def run(self) -> None:
        """Work until told to end, or until a burst or the last of `max_programs` is over."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        prepare_connections()
        for share in self._shares():
            self._start_child(share)
        self._keeper.start()
        if self._endpoint is not None:
            self._endpoint.start()
        while self._children or self._missing:
            self._vitals.turn()
            self._react()
            self._missing += self._reap()
            if self._draining:
                self._missing.clear()
            while self._missing and monotonic() >= self._start_after:
                self._start_child(self._missing.pop())
            self._kill_overdue()
            if self._code is not None and not self._draining and self._code.has_changed():
                self._missing += self._replace_all()
            time.sleep(TICK)
        self._keeper.end(timeout=LAST_WORDS)
        if self._endpoint is not None:
            self._endpoint.end()

    # Children --------------------------------------------------------------------------------

    def _shares(self) -> list[int | None]:
        """Return how many programs each child may run."""
        limit, processes = self._orders.max_programs, self._orders.processes
        if limit is None:
            return [None] * processes
        shares = [limit // processes + (index < limit % processes) for index in range(processes)]
        return [share for share in shares if share]

    def _start_child(self, max_programs: int | None) -> None:
        self._serial += 1
        plan = Plan(
            name=f"{self._orders.name}/{self._serial}",
            queues=self._orders.queues,
            threads=self._orders.threads,
            burst=self._orders.burst,
            max_programs=max_programs,
        )
        try:
            with self._vitals.pipe(plan.name) as reports:
                self._children = [*self._children, Child(plan, reports)]
        except OSError as error:  # no memory, no process to be had: there may be soon
            logger.error("a child process cannot be started: %s", error)
            self._missing.append(max_programs)
            self._start_after = monotonic() + 1.0

    def _plans(self) -> list[Plan]:
        return [child.plan for child in self._children]

    def _live_slots(self) -> list[str]:
        return [slot for plan in self._plans() for slot in plan.slots]

    def _tell(self, notice: Notice) -> None:
        name = notice.slot.rpartition(".")[0]
        for child in self._children:
            if child.plan.name == name:
                child.tell(notice.encode())

    def _reap(self) -> list[int | None]:
        """Take note of children that ended; return the shares of those to be replaced."""
        to_replace: list[int | None] = []
        for child in list(self._children):
            if child.exit_code is None:
                if child.is_done and child.kill_at is None:
                    child.kill_at = monotonic() + LINGERING
                continue
            self._children = [other for other in self._children if other is not child]
            asked = child.was_asked
            is_loss = not child.is_done and not asked
            self._keeper.release(child.plan.slots, counted=is_loss)
            self._vitals.death(child.plan.name, is_loss=is_loss)
            if not child.is_done:
                if not asked:
                    self._delay_after_death(child)
                    to_replace.append(child.plan.max_programs)
            elif not asked and not self._ends_by_itself:
                to_replace.append(None)  # somebody ended this child alone, in good order
            child.close()
        return to_replace

    @property
    def _ends_by_itself(self) -> bool:
        return self._orders.burst or self._orders.max_programs is not None

    def _delay_after_death(self, child: Child) -> None:
        logger.error(
            "child process %s died with exit code %s; it is replaced",
            child.plan.name,
            child.exit_code,
            extra={"action": "child_died"},
        )
        quick = monotonic() - child.started_at < QUICK_DEATH
        self._quick_deaths = self._quick_deaths + 1 if quick else 0
        if self._quick_deaths > 1:
            longest = PATIENCE_READY if child.was_ready else PATIENCE_UNREADY
            delay = min(0.1 * 2 ** min(self._quick_deaths, 6), longest)
            self._start_after = monotonic() + delay

    def _kill_overdue(self) -> None:
        for child in self._children:
            if child.kill_at is not None and monotonic() >= child.kill_at:
                child.kill()

    def _replace_all(self) -> list[int | None]:
        """Let all children end and return their shares: the code has changed."""
        logger.info("the code has changed: children are replaced", extra={"action": "reload"})
        shares = [child.plan.max_programs for child in self._children if child.kill_at is None]
        for child in self._children:
            child.drain(monotonic() + self._orders.shutdown_timeout)
        return shares

    # Ending ------------------------------------------------------------------------------------

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1  # and nothing else: a lock might be held by what was interrupted

    def _react(self) -> None:
        """Let running steps end, within the timeout, when first asked to; at a second signal not.

        An operator's drain is no signal: what ends every worker in good order may follow it.
        """
        if self._signals > 1 and self._draining:
            for child in self._children:
                child.was_asked, child.kill_at = True, monotonic()
        elif self._draining:
            return
        elif self._signals:
            self._drain("ending", "another signal ends them now")
        elif (drain := self._keeper.drain) is not None:
            self._drain(f"ending, {drain}", "two signals end them now")

    def _drain(self, why: str, sooner: str) -> None:
        self._draining = True
        self._vitals.is_ending = True
        timeout = self._orders.shutdown_timeout
        logger.info(
            "%s: running jobs may take %g s more; %s",
            why,
            timeout,
            sooner,
            extra={"action": "draining"},
        )
        for child in self._children:
            child.drain(monotonic() + timeout)

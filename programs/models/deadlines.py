"""Deadlines for answers of the database: no bookkeeping hangs in a connection that is dead.

TCP misses a peer that is gone within seconds (`programs.worker.database`), unless a proxy or a
pooler in between goes on acknowledging for it. Then libpq would wait for ever. So a worker's
process watches what its bookkeeping waits for: where an answer is late, it asks the server over a
new connection whether that statement still runs there. One that does, behind a lock perhaps, is
left alone. Where the server knows nothing of it, or does not answer either, the connection is shut
down, and the waiting thread gets an error, which it handles as it handles any outage.

A job's own statements are not watched: they may take as long as the job likes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Iterable
from time import monotonic, sleep
from types import TracebackType

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

LATE = 4.0  # seconds without an answer, after which the server is asked
ASKING = 6.0  # seconds that asking may take; `connect_timeout` is 5
TICK = 0.25
NEVER = float("inf")


class answer_expected:
    """While this lasts, the current thread waits for the database `using` and nothing else.

    `until`: by `monotonic`; the connection is shut down then, even if the statement still runs.
    """

    __slots__ = ("_outer", "_thread", "connection", "since", "until")

    def __init__(self, using: str, until: float = NEVER) -> None:
        self.connection: BaseDatabaseWrapper = connections[using]
        self.until = until

    def __enter__(self) -> None:
        self._thread = threading.get_ident()
        self._outer = _waiting.get(self._thread)
        self.since = monotonic()
        _waiting[self._thread] = self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._outer is None:
            del _waiting[self._thread]
        else:
            self._outer.since = monotonic()
            _waiting[self._thread] = self._outer

    @property
    def backend(self) -> int | None:
        """Return the server's number of the process that owes the answer, if there is one."""
        raw = self.connection.connection
        with contextlib.suppress(Exception):  # the driver's own: just being closed
            return raw.info.backend_pid if raw is not None else None
        return None

    def break_off(self) -> None:
        """Shut the connection down under the thread that waits for it."""
        raw = self.connection.connection
        if raw is None:
            return  # just connecting: `connect_timeout` ends that
        logger.warning(
            "the database has not answered for %.0f s: the connection is given up",
            monotonic() - self.since,
            extra={"action": "answer_overdue"},
        )
        shut_down(raw)


_waiting: dict[int, answer_expected] = {}  # by thread; PostgreSQL's alone are ever looked at
_watching = threading.Lock()


def watch_answers() -> None:
    """Begin to watch in this process, for as long as it lives."""
    if _watching.acquire(blocking=False):
        threading.Thread(target=_watch, name="answers", daemon=True).start()


def _watch() -> None:
    while True:
        looked_at = monotonic()
        sleep(TICK)
        try:
            look(stood_still=monotonic() - looked_at > 4 * TICK)
        except Exception:  # no thread to be had, say: there may be soon
            logger.exception("late answers are not looked for", extra={"action": "watch_failed"})


def look(*, stood_still: bool) -> None:
    """Give up what has waited for too long.

    `stood_still`: this process did not run for a while, so that answers may be there, unread.
    """
    waiting = [each for each in list(_waiting.values()) if is_watchable(each.connection)]
    if stood_still:
        for each in waiting:
            each.since = monotonic()
        return
    for each in waiting:
        if monotonic() >= each.until:
            each.break_off()
    late = [each for each in waiting if monotonic() - each.since > LATE]
    if late:
        give_up_dead(late)


def give_up_dead(late: list[answer_expected]) -> None:
    """Ask the server for each of these statements, and end the connections of those not there."""
    asked = {each: (each.since, each.backend) for each in late}
    for alias in {each.connection.alias for each in late}:
        ours = [each for each in late if each.connection.alias == alias]
        alive = running(ours[0].connection, [pid for each in ours if (pid := asked[each][1])])
        for each in ours:
            since, backend = asked[each]
            if _waiting.get(each._thread) is not each or each.since != since:
                continue  # answered meanwhile
            if backend is not None and backend in alive:
                each.since = monotonic()
            else:
                each.break_off()


def running(connection: BaseDatabaseWrapper, backends: Iterable[int]) -> set[int]:
    """Return which of these processes of the server still run a statement; none if it is away."""
    found: set[int] = set()
    probes: list[BaseDatabaseWrapper] = []

    def ask() -> None:
        probe = connection.copy()  # here: it belongs to the thread that makes it
        probes.append(probe)
        with contextlib.suppress(Exception), probe.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND pid = ANY(%s)",
                [list(backends)],
            )
            found.update(pid for (pid,) in cursor.fetchall())
        with contextlib.suppress(Exception):
            probe.close()

    asking = threading.Thread(target=ask, name="asks-the-database", daemon=True)
    asking.start()
    asking.join(ASKING)
    for probe in probes:
        if asking.is_alive() and probe.connection is not None:
            shut_down(probe.connection)
    return found


def is_watchable(connection: BaseDatabaseWrapper) -> bool:
    return connection.vendor == "postgresql"


def shut_down(raw: object) -> None:
    """End a driver's connection without its help: its own lock is held by who waits in it."""
    with contextlib.suppress(Exception):  # closed by the waiting thread at this moment
        descriptor = os.dup(raw.fileno())  # type: ignore[attr-defined]
        with socket.socket(fileno=descriptor) as line:
            line.shutdown(socket.SHUT_RDWR)

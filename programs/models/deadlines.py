"""Deadlines for answers of the database: no bookkeeping hangs in a connection that is dead.

TCP misses a peer that is gone within seconds (`programs.worker.database`), unless a proxy or a
pooler in between goes on acknowledging for it. Then libpq would wait for ever. So a worker's
process watches what its bookkeeping waits for: where an answer is late, it asks the server over a
new connection what became of that session. One that is busy, behind a lock perhaps, is left alone.
Where the server has long answered, or does not answer the question either, the connection is shut
down, and the waiting thread gets an error, which it handles as it handles any outage.

A job's own statements are not watched: they may take as long as the job likes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from enum import Enum
from time import monotonic, sleep
from types import TracebackType

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

LATE = 4.0  # seconds without an answer, after which the server is asked
ASKING = 6.0  # seconds that asking may take; `connect_timeout` is 5
UNSURE = 60.0  # seconds without an answer, after which not to know is reason enough
TICK = 0.25
NEVER = float("inf")

# A pooler gives out process ids of its own, and states can be hidden or not kept at all.
QUESTION = """
SELECT pid, state = 'active' OR state_change > clock_timestamp() - %s * INTERVAL '1 second'
FROM pg_stat_activity WHERE pid = ANY(%s) AND state IS NOT NULL AND state <> 'disabled'
"""


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
        with _lock:  # not while the connection is being shut down
            if self._outer is None:
                del _waiting[self._thread]
            else:
                self._outer.since = monotonic()
                _waiting[self._thread] = self._outer

    @property
    def lasts(self) -> bool:
        """Tell whether the answer is still expected."""
        return _waiting.get(self._thread) is self

    @property
    def backend(self) -> int | None:
        """Return the server's number of the session that owes the answer, if there is one."""
        with contextlib.suppress(Exception):  # the driver's own: just being closed
            raw = self.connection.connection
            return raw.info.backend_pid if raw is not None else None
        return None

    def break_off(self) -> None:
        """Shut the connection down under the thread that waits for it."""
        with _lock:
            if not self.lasts or self.connection.connection is None:
                return  # answered meanwhile; or just connecting, which `connect_timeout` ends
            shut_down(self.connection.connection)
        logger.warning(
            "the database has not answered for %.0f s: the connection is given up",
            monotonic() - self.since,
            extra={"action": "answer_overdue"},
        )


@contextlib.contextmanager
def own_code() -> Iterator[None]:
    """While this lasts, the current thread does the project's own work, which nobody watches."""
    thread = threading.get_ident()
    with _lock:
        expected = _waiting.pop(thread, None)
    try:
        yield
    finally:
        if expected is not None:
            expected.since = monotonic()
            _waiting[thread] = expected


_waiting: dict[int, answer_expected] = {}  # by thread
_lock = threading.Lock()
_watching = threading.Lock()
_asking: list[threading.Thread] = []  # at most one at a time


def watch_answers() -> None:
    """Begin to watch in this process, for as long as it lives."""
    if _watching.acquire(blocking=False):
        threading.Thread(target=_watch, name="answers", daemon=True).start()


def _watch() -> None:
    while True:
        looked_at = monotonic()
        sleep(TICK)
        if monotonic() - looked_at > 4 * TICK:
            sleep(TICK)  # this process stood still: answers may be there, about to be read
        try:
            look()
        except Exception:  # no thread to be had, say: there may be soon
            logger.exception("late answers are not looked for", extra={"action": "watch_failed"})


def look() -> None:
    """Give up what has waited for too long, and ask for what is late."""
    now = monotonic()
    waiting = [each for each in list(_waiting.values()) if each.connection.vendor == "postgresql"]
    for each in waiting:
        if now >= each.until:
            each.break_off()
    late = [each for each in waiting if now - each.since > LATE]
    _asking[:] = [thread for thread in _asking if thread.is_alive()]
    if late and not _asking:
        alias = late[0].connection.alias  # one server at a time
        ours = [each for each in late if each.connection.alias == alias]
        asking = threading.Thread(target=give_up_dead, args=(ours,), name="late", daemon=True)
        _asking.append(asking)
        asking.start()


def give_up_dead(late: Sequence[answer_expected]) -> None:
    """Ask the server for each of these sessions, and end the connections to those not at work."""
    asked = [(each, each.since, each.backend) for each in late]
    standings = sessions(late[0].connection, [pid for _, _, pid in asked if pid is not None])
    for each, since, backend in asked:
        standing = Session.GONE if standings is None else standings.get(backend, Session.UNKNOWN)
        if each.since != since or not each.lasts:
            continue  # answered meanwhile
        if standing is Session.BUSY:
            each.since = monotonic()
        elif standing is Session.GONE or monotonic() - since > UNSURE:
            each.break_off()


class Session(Enum):
    """What the server says of a session that owes an answer."""

    BUSY = "it runs a statement, or ran one a moment ago"
    GONE = "it has long answered, or the server cannot be reached"
    UNKNOWN = "the server answers, but knows nothing of it"


def sessions(
    connection: BaseDatabaseWrapper, backends: Sequence[int]
) -> dict[int | None, Session] | None:
    """Ask over a new connection how these sessions stand; None: the server cannot be reached."""
    found: dict[int | None, Session] = {}
    reached: list[bool] = []
    probes: list[BaseDatabaseWrapper] = []

    def ask() -> None:
        probe = connection.copy()  # here: it belongs to the thread that makes it
        probes.append(probe)
        try:
            with probe.cursor() as cursor:
                cursor.execute("RESET ROLE")  # an assumed role may not see the login's sessions
                cursor.execute(QUESTION, [LATE, list(backends)])
                for pid, busy in cursor.fetchall():
                    found[pid] = Session.BUSY if busy else Session.GONE
            reached.append(True)
        except Exception as error:  # noqa: BLE001 (any driver's own)
            if "FATAL" in str(error):  # the server's own words: too many connections, say
                reached.append(True)
        with contextlib.suppress(Exception):
            probe.close()

    asking = threading.Thread(target=ask, name="asks-the-database", daemon=True)
    asking.start()
    asking.join(ASKING)
    for probe in probes:
        if asking.is_alive() and probe.connection is not None:
            shut_down(probe.connection)
    asking.join(ASKING)  # no second one beside it, whatever the project's `connect_timeout` is
    return found if reached else None


def shut_down(raw: object) -> None:
    """End a driver's connection without its help: its own lock is held by who waits in it."""
    with contextlib.suppress(Exception):  # closed by the waiting thread at this moment
        descriptor = os.dup(raw.fileno())  # type: ignore[attr-defined]
        with socket.socket(fileno=descriptor) as line:
            line.shutdown(socket.SHUT_RDWR)

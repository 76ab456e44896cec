"""How bookkeeping reaches a database that may be away for a while."""

from __future__ import annotations

import contextlib
import logging
import random
import re
from collections.abc import Callable, Iterator
from time import monotonic, sleep
from typing import TypeVar

from django.db import (
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    connections,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper

from programs.models.deadlines import answer_expected

logger = logging.getLogger(__name__)

T = TypeVar("T")

# A lost connection, a lock that was not had in time, a deadlock's victim, a server that is
# starting, read-only or full: all of these may be gone at the next try.
TRANSIENT_ERRORS = (OperationalError, InterfaceError, InternalError)

# "Operational" as well, SQLite and MySQL say; but what migrate did not make, no other try finds,
# and what a column does not take, it will not take the next time (no default, no such character).
UNMIGRATED = re.compile(r"no such (table|column)|has no column named|^\((1054|1364|1366), ")

# A deadlock's victim, or who read what has changed since: rolled back whole, and never an outage.
VICTIM = {1213, 1020, "40P01", "40001"}
VICTIM_TRIES = 20

PATIENCE = 300.0  # seconds: how long a write waits for a database that does not answer
QUICKEST_CONNECT = 2.0  # seconds: libpq knows no shorter `connect_timeout`
SETTLING = 6.0  # seconds after an outage in which others renew before anything is taken over

_last_outage = float("-inf")


def persist(write: Callable[[], T], using: str, patience: float = PATIENCE) -> T:
    """Call `write` until the database has answered, with a new connection after each failure.

    `write` must be safe to repeat: the commit of a failed call is unknown. Inside a transaction
    of the caller's it is called once, since only the caller can repeat that.

    Raises the last of `TRANSIENT_ERRORS` once `patience` (seconds) is used up, and at once where
    it is no outage; the fence keeps whoever comes later from writing over another's work, so a
    long patience is safe.
    """
    connection = connections[using]
    give_up_at = monotonic() + patience
    if connection.in_atomic_block:
        with answer_expected(using):
            return write()
    pause = 0.05
    connection_is_new = False
    while True:
        began = monotonic()
        connect_within(connection, give_up_at - began)
        try:
            with answer_expected(using, until=give_up_at):
                return write()
        except ProgrammingError:
            if connection_is_new:
                raise
            # A job may have left its session with another role or search path.
            let_go(connection)
            connection_is_new = True
            continue
        except TRANSIENT_ERRORS as error:
            if not was_victim(error):
                note_failure(using)
            # Where packets vanish, the next try takes as long as a connection may take.
            next_takes = QUICKEST_CONNECT if monotonic() - began > 1.0 else 0.0
            if not is_outage(error) or monotonic() + pause + next_takes > give_up_at:
                raise
            logger.warning(
                "the database did not take a write, trying again: %s",
                str(error).strip(),
                extra={"action": "database_retry"},
            )
        sleep(pause * random.uniform(0.5, 1.0))
        pause = min(pause * 2, 2.0)


def again_if_victim(do: Callable[[], T], using: str) -> T:
    """Call `do`, again as long as the database has chosen it as a deadlock's victim.

    Inside a transaction of the caller's it is called once: that is rolled back as a whole.
    """
    for _ in range(VICTIM_TRIES):
        try:
            return do()
        except OperationalError as error:
            if not was_victim(error) or connections[using].in_atomic_block:
                raise
            sleep(0.01 * random.random())
    return do()


def was_victim(error: BaseException) -> bool:
    """Tell whether the database has undone this for the sake of another: it may succeed at once."""
    cause = error.__cause__
    code = getattr(cause, "pgcode", None) or getattr(cause, "sqlstate", None)
    return (code or next(iter(error.args), None)) in VICTIM


def is_outage(error: BaseException | None) -> bool:
    """Tell whether the same may succeed in a moment."""
    return isinstance(error, TRANSIENT_ERRORS) and not UNMIGRATED.search(str(error))


def connect_within(connection: BaseDatabaseWrapper, seconds: float) -> None:
    """Let this thread's next connection to PostgreSQL take no longer than that, or 2 s.

    Nothing but libpq itself can end a connection that is being made.
    """
    if connection.vendor != "postgresql" or connection.connection is not None:
        return
    usual = connections.settings[connection.alias]["OPTIONS"].get("connect_timeout")
    limit = max(QUICKEST_CONNECT, min(seconds, usual or PATIENCE))
    own = connection.settings_dict  # of this thread, from here on: others share the alias's
    options = {**own["OPTIONS"], "connect_timeout": int(limit)}
    connection.settings_dict = {**own, "OPTIONS": options}


def note_failure(using: str) -> None:
    """Replace this thread's connection, and remember the outage if the server was lost."""
    global _last_outage
    connection = connections[using]
    if connection.vendor != "sqlite":
        _last_outage = monotonic()
    let_go(connection)


def let_go(connection: BaseDatabaseWrapper) -> None:
    """Close a connection that may be dead: MySQL's driver raises when it closes one again."""
    with contextlib.suppress(*TRANSIENT_ERRORS):
        connection.close()


def is_settling() -> bool:
    """Tell whether the database was lost a moment ago.

    Everybody's leases run out in an outage. Whoever is alive renews within `SETTLING` seconds of
    the return; taking over before that would run jobs twice for nothing.
    """
    return monotonic() - _last_outage < SETTLING


def replace_dead_connections() -> None:
    """Close those of this thread's connections that no longer answer, before a job meets them."""
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None:
            with answer_expected(connection.alias):
                is_usable = connection.is_usable()
            if not is_usable:
                let_go(connection)


STATEMENT_LIMIT = 5_000  # milliseconds


@contextlib.contextmanager
def brief_transaction(using: str) -> Iterator[None]:
    """A transaction whose statements fail rather than wait for long, where the server can be told.

    For what the renewal of leases must not wait for: a migration, say, that locks the table.
    """
    connection = connections[using]
    with contextlib.ExitStack() as stack:
        if connection.vendor == "mysql":
            stack.enter_context(_short_lock_waits(connection))
        stack.enter_context(transaction.atomic(using=using))
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = %s", [STATEMENT_LIMIT])
        yield


# Of rows, and of tables that another session alters.
LOCK_WAITS = ("innodb_lock_wait_timeout", "lock_wait_timeout")


@contextlib.contextmanager
def _short_lock_waits(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let this session of MySQL wait briefly for locks: it knows no setting of one transaction."""
    limit = max(1, STATEMENT_LIMIT // 1000)  # it counts whole seconds
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@" + ", @@".join(LOCK_WAITS))
        usual = cursor.fetchone()
        cursor.execute("SET " + ", ".join(f"{name} = %s" for name in LOCK_WAITS), [limit, limit])
    try:
        yield
    finally:
        with contextlib.suppress(*TRANSIENT_ERRORS), connection.cursor() as cursor:
            cursor.execute("SET " + ", ".join(f"{name} = %s" for name in LOCK_WAITS), usual)

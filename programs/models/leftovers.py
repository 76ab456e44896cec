"""What a job or a listener has left open in the connections of its thread."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from programs.models.deadlines import answer_expected
from programs.models.persistence import let_go


class Transaction(NamedTuple):
    """How far a connection is in a transaction."""

    is_atomic: bool  # as Django knows it
    savepoints: int
    is_idle: bool  # nothing is open below Django's knowledge


class Before(NamedTuple):
    """How a connection stood before what is not ours has used it."""

    transaction: Transaction
    counter: Counter | None = None  # where statements are counted
    begun: int = 0  # that it had counted


UNUSED = Before(Transaction(is_atomic=False, savepoints=0, is_idle=True))


def open_transactions() -> dict[str, Before]:
    """Return how each of this thread's connections stands, by alias."""
    before: dict[str, Before] = {}
    for connection in connections.all(initialized_only=True):
        counter = _counter_of(connection)
        begun = counter.begun if counter else 0
        before[connection.alias] = Before(_transaction(connection), counter, begun)
    return before


def drop_open_transactions(before: dict[str, Before]) -> bool:
    """Roll back what a job left open and replace its connections; tell whether there was any."""
    found = False
    for connection in connections.all(initialized_only=True):
        earlier = before.get(connection.alias, UNUSED)
        if _transaction(connection, earlier) != earlier.transaction:
            found = True
            del connections[connection.alias]  # a new wrapper: nothing of the old state is left
            raw, connection.connection = connection.connection, None
            with contextlib.suppress(Exception):
                if raw is not None:
                    raw.close()
        elif connection.errors_occurred:
            with answer_expected(connection.alias):
                connection.close_if_unusable_or_obsolete()  # no later job shall meet a dead one
    return found


def _transaction(connection: BaseDatabaseWrapper, before: Before | None = None) -> Transaction:
    """Look how a connection stands; `before`: how it stood when it was idle.

    Without that, one that only its server could tell of is taken for idle: our own statements
    leave nothing open.
    """
    idle = True
    if connection.connection is not None and not connection.in_atomic_block:
        try:
            idle = connection.autocommit and _is_idle(connection)
            if idle and before is not None and _may_have_begun(connection, before):
                idle = False  # a server that does not answer has rolled back what there was
                idle = not _has_begun(connection)
        except Exception:  # noqa: BLE001 (the driver's own: the job has closed it by its hand)
            let_go(connection)
    return Transaction(connection.in_atomic_block, len(connection.savepoint_ids), idle)


def _is_idle(connection: BaseDatabaseWrapper) -> bool:
    """Ask the driver whether a transaction is open, as after a BEGIN of the job's own."""
    raw: Any = connection.connection
    if hasattr(raw, "in_transaction"):  # sqlite3
        return not raw.in_transaction
    if hasattr(raw, "get_transaction_status"):  # psycopg2
        return bool(raw.get_transaction_status() == 0 or raw.closed)
    if hasattr(raw, "get_autocommit"):  # mysqlclient, which tells no more than this
        return bool(raw.get_autocommit())
    return True


# MySQL and MariaDB ---------------------------------------------------------------------------

IN_TRANSACTION = 1568  # "Transaction characteristics can't be changed while …"


# With these a statement leaves nothing open where each is committed at once: the driver tells of
# `SET autocommit`, a savepoint outside of a transaction is none.
READS_AND_WRITES = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "SHOW"})
LEAVING_NOTHING = READS_AND_WRITES | {"SET", "SAVEPOINT", "RELEASE"}


class Counter:
    """Counts the statements that may begin a transaction: Django lets it run each of them."""

    def __init__(self) -> None:
        self.begun = 0

    def __call__(self, execute: Callable[..., Any], sql: object, *given: Any) -> Any:
        text = str(sql)
        word, *_ = text.split(maxsplit=1) or ("",)
        if word.upper() not in LEAVING_NOTHING or ";" in text:  # the driver takes several at once
            self.begun += 1
        return execute(sql, *given)


def _may_have_begun(connection: BaseDatabaseWrapper, before: Before) -> bool:
    """Tell whether statements were run since that may have left open what only the server knows.

    To ask it is a round trip, which is spared where there were none. One that counts anew belongs
    to a connection that a job has put in the place of the earlier one.
    """
    counter = _counter_of(connection)
    known = before.counter, before.begun
    return counter is not None and (counter, counter.begun) != known


def _counter_of(connection: BaseDatabaseWrapper) -> Counter | None:
    """Return what counts the statements of a connection to MySQL, from the first question on."""
    if connection.vendor != "mysql":
        return None
    own = vars(connection)
    counter: Counter | None = own.get("programs_counter")
    if counter is None:
        counter = own["programs_counter"] = Counter()
        # As the first one: whoever adds another for a while takes the last one away.
        connection.execute_wrappers.insert(0, counter)
    return counter


def _has_begun(connection: Any) -> bool:
    """Ask the server whether a transaction is open.

    MySQL has no variable for it, and shows its tables of transactions to the privileged alone.
    But it lets nobody say what the next transaction is like while one is open; and to read and
    write, as is said here, is what each of them does unless it is told otherwise.
    """
    with connection.cursor() as cursor:
        if connection.mysql_is_mariadb:
            cursor.execute("SELECT @@in_transaction")
            return bool(cursor.fetchone()[0])
        try:
            cursor.execute("SET TRANSACTION READ WRITE")
        except OperationalError as error:
            if error.args[0] != IN_TRANSACTION:
                raise
            return True
    return False

"""What databases are asked that need not be there: their clocks, and what MySQL alone can tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.db import OperationalError

from programs import checks
from programs.models import leftovers
from programs.models.clock import Utc

FIT = {
    "transaction_isolation": "READ-COMMITTED",
    "character_set_database": "utf8mb4",
    "collation_database": "utf8mb4_bin",
}


# The clock ---------------------------------------------------------------------------------

CLOCKS = [
    ("postgresql", "STATEMENT_TIMESTAMP()", " + %s * INTERVAL '1 second'"),
    ("mysql", "UTC_TIMESTAMP(6)", " + INTERVAL ROUND(%s * 1000000) MICROSECOND"),
    ("oracle", "SYS_EXTRACT_UTC(SYSTIMESTAMP)", " + NUMTODSINTERVAL(%s, 'SECOND')"),
    ("redshift", "SYSDATE", " + %s * INTERVAL '1 second'"),
]


@pytest.mark.parametrize(("vendor", "now", "later"), CLOCKS)
def test_every_clock_counts_seconds_from_its_own_now(vendor: str, now: str, later: str) -> None:
    def asked(clock: Utc) -> Any:
        return getattr(clock, f"as_{vendor}")(None, None)

    assert asked(Utc()) == (now, [])
    assert asked(Utc(after=1.5)) == (now + later, [1.5])


def test_sql_servers_clock_counts_seconds_and_the_rest_apart() -> None:
    now, nothing = Utc().as_microsoft(None, None)
    later, given = Utc(after=1.5).as_microsoft(None, None)
    assert (now, nothing) == ("SYSUTCDATETIME()", [])
    assert later.startswith("DATEADD(MILLISECOND, ")
    assert f"DATEADD(SECOND, CAST(FLOOR(%s) AS INT), {now})" in later
    assert given == [1.5] * later.count("%s") == [1.5] * 3


def test_a_clock_that_nobody_knows_is_not_guessed() -> None:
    with pytest.raises(NotImplementedError, match="the clock of access is not known"):
        Utc().as_sql(None, SimpleNamespace(vendor="access"))


# MySQL, or MariaDB ----------------------------------------------------------------------------


def told(monkeypatch: pytest.MonkeyPatch, vendor: str, **variables: str) -> list[CheckMessage]:
    """Check a server that says this of itself."""

    class Cursor:
        def execute(self, sql: str) -> None:
            assert sql == checks.FOR_MYSQL

        def fetchall(self) -> list[tuple[str, str]]:
            return list(variables.items())

    @contextmanager
    def cursor() -> Iterator[Cursor]:
        yield Cursor()

    server = SimpleNamespace(vendor=vendor, cursor=cursor)
    monkeypatch.setattr(checks, "connections", {"default": server})
    return checks.mysql_is_fit(None, databases=["default"])


def test_a_mysql_as_it_should_be_is_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, "mysql", **FIT) == []


def test_what_older_servers_call_their_isolation_is_understood(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    older = {**FIT, "tx_isolation": FIT["transaction_isolation"]}
    del older["transaction_isolation"]
    assert told(monkeypatch, "mysql", **older) == []


@pytest.mark.parametrize(
    ("wrong", "code", "named"),
    [
        ({"transaction_isolation": "SERIALIZABLE"}, "programs.W005", "SERIALIZABLE"),
        ({"collation_database": "utf8mb4_general_ci"}, "programs.W006", "utf8mb4_general_ci"),
        ({"character_set_database": "latin1"}, "programs.W006", "utf8mb4_bin"),
    ],
)
def test_a_mysql_that_is_not_fit_is_told_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str], code: str, named: str
) -> None:
    (warning,) = told(monkeypatch, "mysql", **{**FIT, **wrong})
    assert warning.id == code
    assert named in warning.msg
    assert warning.hint


def test_other_databases_are_not_asked_for_mysqls_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert told(monkeypatch, "postgresql") == []
    assert checks.mysql_is_fit(None, databases=[]) == []
    assert checks.mysql_is_fit(None) == []


# What a job has left open on MySQL and MariaDB --------------------------------------------------


class Connected:
    """A connection of Django's to a server that is or is not in a transaction."""

    vendor = "mysql"
    alias = "default"
    in_atomic_block = errors_occurred = is_lost = False
    autocommit = True

    def __init__(self, *, is_mariadb: bool, is_open: bool = False) -> None:
        self.mysql_is_mariadb, self._is_open = is_mariadb, is_open
        self.execute_wrappers: list[Any] = []
        self.savepoint_ids: list[str] = []
        self.asked: list[str] = []
        self.connection: Any = SimpleNamespace(get_autocommit=lambda: True)

    @contextmanager
    def cursor(self) -> Iterator[Connected]:
        yield self

    def execute(self, sql: str) -> None:
        self.execute_wrappers[0](lambda *given: self.asked.append(sql), sql, None, False, {})
        if self.is_lost:
            raise OperationalError(2013, "Lost connection to server during query")
        if self._is_open and sql.startswith("SET"):
            raise OperationalError(1568, "Transaction characteristics can't be changed")

    def fetchone(self) -> tuple[int]:
        return (int(self._is_open),)

    def close(self) -> None:
        self.connection = None


def left_open(
    monkeypatch: pytest.MonkeyPatch, connection: Connected, *statements: str, lost: bool = False
) -> bool:
    """Tell what is found behind a job that has run these statements, and lost its connection."""

    class Connections:
        def all(self, initialized_only: bool = False) -> list[Connected]:
            return [connection]

        def __delitem__(self, alias: str) -> None:
            pass

    monkeypatch.setattr(leftovers, "connections", Connections())
    before = leftovers.open_transactions()
    for statement in statements:
        connection.execute(statement)
    connection.asked.clear()
    connection.is_lost = lost
    return leftovers.drop_open_transactions(before)


@pytest.mark.parametrize(
    ("is_mariadb", "question"),
    [(True, "SELECT @@in_transaction"), (False, "SET TRANSACTION READ WRITE")],
)
@pytest.mark.parametrize("statement", ["BEGIN", "/* ! */ begin", "CALL mine()", "SELECT 1; BEGIN"])
@pytest.mark.parametrize("is_open", [True, False])
def test_a_server_is_asked_once_behind_a_job_that_may_have_begun_a_transaction(
    monkeypatch: pytest.MonkeyPatch, is_mariadb: bool, question: str, statement: str, is_open: bool
) -> None:
    connection = Connected(is_mariadb=is_mariadb, is_open=is_open)

    assert left_open(monkeypatch, connection, statement, "UPDATE a SET b = 1") is is_open
    assert connection.asked == [question]


@pytest.mark.parametrize("is_mariadb", [True, False])
def test_a_server_is_not_asked_behind_a_job_that_can_have_begun_none(
    monkeypatch: pytest.MonkeyPatch, is_mariadb: bool
) -> None:
    connection = Connected(is_mariadb=is_mariadb)
    harmless = ("  update a SET b = 1", "SELECT 1", "SET autocommit = 1")
    asked = []

    for statements in ((), harmless, ("BEGIN",), (), harmless[:1]):
        assert not left_open(monkeypatch, connection, *statements)
        asked.append(len(connection.asked))

    assert asked == [0, 0, 1, 0, 0]
    assert len(connection.execute_wrappers) == 1


@pytest.mark.parametrize("is_mariadb", [True, False])
@pytest.mark.parametrize(("statement", "is_lost"), [("BEGIN", True), ("UPDATE a SET b = 1", False)])
def test_what_a_server_that_does_not_answer_may_have_rolled_back_is_no_success(
    monkeypatch: pytest.MonkeyPatch, is_mariadb: bool, statement: str, is_lost: bool
) -> None:
    connection = Connected(is_mariadb=is_mariadb)

    assert left_open(monkeypatch, connection, statement, lost=True) is is_lost
    assert (connection.connection is None) is is_lost

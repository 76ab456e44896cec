"""What MySQL and MariaDB do otherwise: deadlocks, locks, transactions, isolation and collation."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import OperationalError, connections, transaction

from programs.checks import mysql_is_fit
from programs.models import Program, Queue, State, persistence
from programs.models.persistence import again_if_victim, brief_transaction, persist
from programs.submission import create_programs
from tests.running import on_mysql, on_sqlite, run

VICTIM = OperationalError(1213, "Deadlock found when trying to get lock")


@on_mysql
def test_the_victim_of_a_deadlock_is_repeated_and_no_outage(bookkeeping: str) -> None:
    first, second = (program.pk for program in create_programs([{"jobs": ["noop"]}] * 2))
    both_hold_one = threading.Barrier(2)
    tries: list[int] = []

    def lock(*keys: int) -> None:
        tries.append(1)
        with transaction.atomic(using=bookkeeping):
            for key in keys:
                Program.objects.filter(pk=key).update(losses=0)
                if len(tries) <= 2 and key == keys[0]:
                    both_hold_one.wait(10)

    def other() -> None:
        again_if_victim(lambda: lock(second, first), bookkeeping)
        connections.close_all()

    beside = threading.Thread(target=other)
    beside.start()
    again_if_victim(lambda: lock(first, second), bookkeeping)
    beside.join(20)

    assert len(tries) == 3
    assert not persistence.is_settling()


@on_sqlite
def test_an_outcome_that_was_a_victim_is_written_and_its_connection_kept(bookkeeping: str) -> None:
    connection, errors = connections[bookkeeping].connection, [VICTIM, VICTIM]

    def write() -> bool:
        if errors:
            raise errors.pop()
        return True

    assert persist(write, bookkeeping)
    assert connections[bookkeeping].connection is connection
    assert not persistence.is_settling()


@on_sqlite
def test_inside_a_transaction_of_the_callers_a_victim_is_the_callers(bookkeeping: str) -> None:
    tries: list[int] = []

    def write() -> None:
        tries.append(1)
        raise VICTIM

    with pytest.raises(OperationalError), transaction.atomic(using=bookkeeping):
        again_if_victim(write, bookkeeping)
    assert len(tries) == 1


@on_mysql
def test_a_session_waits_for_locks_as_long_as_before_once_a_brief_transaction_is_over(
    bookkeeping: str,
) -> None:
    def limits() -> tuple[int, ...]:
        with connections[bookkeeping].cursor() as cursor:
            cursor.execute("SELECT @@innodb_lock_wait_timeout, @@lock_wait_timeout")
            return tuple(cursor.fetchone())

    before = limits()
    with brief_transaction(bookkeeping):
        assert limits() == (5, 5)
        with brief_transaction(bookkeeping):
            assert limits() == (5, 5)
    assert limits() == before


@on_mysql
def test_a_wrong_isolation_and_a_wrong_collation_are_told(bookkeeping: str) -> None:
    assert mysql_is_fit(None, databases=[bookkeeping]) == []
    connection = connections[bookkeeping]
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT @@collation_database")
        (fit,) = cursor.fetchone()
        cursor.execute(f"ALTER DATABASE `{name}` COLLATE utf8mb4_general_ci")
        try:
            found = mysql_is_fit(None, databases=[bookkeeping])
        finally:
            cursor.execute(f"ALTER DATABASE `{name}` COLLATE {fit}")

    assert [message.id for message in found] == ["programs.W005", "programs.W006"]
    assert "REPEATABLE-READ" in found[0].msg
    assert "utf8mb4_general_ci" in found[1].msg


@pytest.fixture(params=[True, False], ids=["as MariaDB", "as MySQL"])
def ask(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let what is open be asked as of either: MariaDB understands the question to MySQL as well."""

    def ask(alias: str) -> None:
        known = vars(connections[alias])
        monkeypatch.setitem(known, "mysql_is_mariadb", known["mysql_is_mariadb"] and request.param)

    return ask


def executing(*statements: str, alias: str, at_last: Callable[[str], None]) -> Callable[..., None]:
    """Return what a job does that runs these statements, and makes a queue."""

    def execute(self, message, job_data) -> None:
        with connections[alias].cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        Queue.objects.create(name="made")
        at_last(alias)

    return execute


@on_mysql
@pytest.mark.parametrize("statement", ["BEGIN", "START TRANSACTION", "SET autocommit = 0"])
def test_what_a_job_leaves_open_below_django_fails_it_and_is_rolled_back(
    bookkeeping: str, job: Callable[..., str], statement: str, ask: Callable[[str], None]
) -> None:
    name = job("begins", executing(statement, alias=bookkeeping, at_last=ask))

    program = run(name, "noop")

    assert program.state is State.ERRORED
    assert "left a database transaction open" in str(program.error_message)
    assert not Queue.objects.exists()
    assert run("noop").state is State.FINISHED


@on_mysql
@pytest.mark.parametrize("statements", [(), ("BEGIN", "COMMIT")])
def test_a_job_that_leaves_nothing_open_is_asked_about_in_vain(
    bookkeeping: str,
    job: Callable[..., str],
    statements: tuple[str, ...],
    ask: Callable[[str], None],
) -> None:
    name = job("commits", executing(*statements, alias=bookkeeping, at_last=ask))

    program = run(name, "count")

    assert program.state is State.FINISHED
    assert program.job_data == {"count": {"n": 1}}
    assert Queue.objects.get().name == "made"


@on_mysql
@pytest.mark.parametrize(
    ("statements", "state"), [(("BEGIN",), State.ERRORED), ((), State.FINISHED)]
)
def test_what_is_rolled_back_by_a_connection_lost_behind_the_job_is_no_success(
    bookkeeping: str,
    job: Callable[..., str],
    statements: tuple[str, ...],
    state: State,
    ask: Callable[[str], None],
) -> None:
    def lose(alias: str) -> None:
        ask(alias)
        mine = connections[alias].connection.thread_id()
        other = connections[alias].copy()
        with other.cursor() as cursor:
            cursor.execute(f"KILL {mine}")
        other.close()

    name = job("loses", executing(*statements, alias=bookkeeping, at_last=lose))

    program = run(name, "noop")

    assert program.state is state
    assert Queue.objects.exists() is (state is State.FINISHED)
    assert run("noop").state is State.FINISHED

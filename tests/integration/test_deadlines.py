"""Answers that never come: the network is a black hole, or only a lock is in the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import dj_database_url
import pytest
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django import DjangoDbBlocker

from programs.models import deadlines
from programs.models.deadlines import answer_expected, watch_answers
from programs.models.persistence import persist
from tests.faults.proxy import Proxy, Weather
from tests.servers import Postgres
from tests.waiting import eventually

FAR = "far"  # the alias of the database behind the proxy


@pytest.fixture
def proxy(
    postgres: Postgres, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Proxy]:
    """The network between this process and its database; late is what takes half a second."""
    monkeypatch.setattr(deadlines, "LATE", 0.5)
    proxy = Proxy(postgres.url)
    parsed = {**dj_database_url.parse(proxy.url(postgres.url)), "OPTIONS": {"connect_timeout": 5}}
    connections.settings[FAR] = connections.configure_settings({"default": {}, FAR: parsed})[FAR]
    watch_answers()
    with django_db_blocker.unblock():
        yield proxy
        proxy.close()
        connections[FAR].close()
        del connections[FAR]
    del connections.settings[FAR]


def ask(statement: str = "SELECT 1", until: float = deadlines.NEVER) -> None:
    with answer_expected(FAR, until), connections[FAR].cursor() as cursor:
        cursor.execute(statement)


def in_a_thread(work: Callable[[], None]) -> list[BaseException | None]:
    """Run `work` in a thread with connections of its own; what it ended in is told in a list."""
    ended: list[BaseException | None] = []

    def run() -> None:
        try:
            work()
            ended.append(None)
        except OperationalError as error:
            ended.append(error)
        finally:
            connections[FAR].close()

    threading.Thread(target=run, daemon=True).start()
    return ended


def other_session(postgres: Postgres) -> BaseDatabaseWrapper:
    """Return a connection beside the proxy."""
    session = connections[FAR].copy()
    session.settings_dict = {
        **session.settings_dict,
        "PORT": dj_database_url.parse(postgres.url)["PORT"],
    }
    return session


@pytest.mark.parametrize("weather", [Weather.BLACK_HOLE, Weather.HALF_OPEN])
def test_a_connection_in_which_no_answer_comes_is_given_up(proxy: Proxy, weather: Weather) -> None:
    ask()
    with proxy.during(weather):
        started = time.monotonic()
        with pytest.raises(OperationalError):
            ask()
        assert time.monotonic() - started < 1 + 5 + 2  # late, connect_timeout, looks
    connections[FAR].close()
    ask()


def test_a_statement_that_waits_for_a_lock_is_left_alone(proxy: Proxy, postgres: Postgres) -> None:
    holder = other_session(postgres)
    with holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(7)")
        ended = in_a_thread(lambda: ask("SELECT pg_advisory_lock(7)"))
        time.sleep(2.5)  # five times as long as what is late
        assert not ended
        cursor.execute("SELECT pg_advisory_unlock(7)")
    eventually(lambda: ended)
    assert ended == [None]
    holder.close()


def test_a_server_that_knows_nothing_of_the_session_is_not_believed_at_once(
    proxy: Proxy, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a pooler, which gives out numbers of its own."""
    monkeypatch.setattr(deadlines.answer_expected, "backend", 1)
    ended = in_a_thread(lambda: ask("SELECT pg_sleep(3)"))
    eventually(lambda: ended)
    assert ended == [None]

    monkeypatch.setattr(deadlines, "UNSURE", 1.0)
    with pytest.raises(OperationalError):
        ask("SELECT pg_sleep(60)")


def test_a_server_that_takes_no_more_connections_is_there(proxy: Proxy, postgres: Postgres) -> None:
    holder = other_session(postgres)
    with holder.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        (database,) = cursor.fetchone()
        cursor.execute("CREATE ROLE narrow LOGIN CONNECTION LIMIT 1")
        cursor.execute(f'GRANT ALL ON DATABASE "{database}" TO narrow')
    holder.close()
    connections.settings[FAR]["USER"] = "narrow"

    ended = in_a_thread(lambda: ask("SELECT pg_sleep(3)"))

    eventually(lambda: ended)
    assert ended == [None]


def test_at_its_end_even_a_statement_that_runs_is_given_up(proxy: Proxy) -> None:
    ask()
    with pytest.raises(OperationalError):
        ask("SELECT pg_sleep(60)", until=time.monotonic() + 0.3)


def test_a_line_that_is_slow_is_left_alone(proxy: Proxy) -> None:
    """One span may hold many round trips: a session that was busy a moment ago is at work."""
    ask()
    raw = connections[FAR].connection
    proxy.delay = 0.1
    with answer_expected(FAR), connections[FAR].cursor() as cursor:
        for _ in range(15):
            cursor.execute("SELECT 1")
    assert connections[FAR].connection is raw


def test_an_idle_connection_is_never_touched(proxy: Proxy) -> None:
    ask()
    raw = connections[FAR].connection
    time.sleep(1.5)  # three times as long as what is late
    ask()
    assert connections[FAR].connection is raw


def test_a_write_without_a_connection_takes_no_longer_than_it_may(proxy: Proxy) -> None:
    """A job's last words before its lease ends must not wait for a connection beyond that."""
    with proxy.during(Weather.BLACK_HOLE):
        started = time.monotonic()
        with pytest.raises(OperationalError):
            persist(ask, FAR, patience=2.0)
        assert time.monotonic() - started < 2.0 + 0.9
    persist(ask, FAR)

"""A database that is away or read-only: console and API say so, and heal without a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
import pytest
from django.db import connections

from programs.models import Operation, Program, State
from programs.submission import create_program
from tests.servers import Postgres
from tests.site import SITE, Site
from tests.web import Answer, Browser, Start

pytestmark = pytest.mark.parametrize("site", ["postgresql"], indirect=True)

API, LIST = "/api/programs/", "/admin/programs/program/"
BODY = {"jobs": ["noop"]}


@contextmanager
def read_only(url: str) -> Iterator[None]:
    """Let the database refuse writes in each new session."""

    def alter(value: str) -> None:
        with closing(psycopg2.connect(url)) as connection:
            connection.autocommit = True
            name = connection.info.dbname
            cursor = connection.cursor()
            cursor.execute("SET default_transaction_read_only = off")
            cursor.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {value}')

    alter("on")
    try:
        yield
    finally:
        alter("off")


def is_unavailable(answer: Answer) -> bool:
    """Tell whether it is a 503 that says when to come again, and nothing of the database."""
    assert answer.status == 503, answer
    assert answer.headers["Retry-After"] == "5"
    assert not any(word in answer.text for word in ("127.0.0.1", "postgres", "Traceback"))
    return True


def is_a_page(answer: Answer) -> bool:
    return is_unavailable(answer) and "<h1>Not available</h1>" in answer.text


def is_json(answer: Answer) -> bool:
    return is_unavailable(answer) and answer.json()["status"] == 503


def assert_it_works(ada: Browser) -> None:
    assert ada.post(API, BODY).status == 201
    assert ada.get(LIST).status == 200
    assert ada.submit(f"{LIST}add/", jobs="noop", queue="default").status == 302


def test_a_read_only_database_lets_nothing_be_created_or_half_done(
    site: Site, start_web: Start
) -> None:
    program = create_program(["noop"], using=SITE)
    ada = start_web().client("right")

    with read_only(site.environment["DATABASE_URL"]):
        assert ada.get(API).status == ada.get(LIST).status == 200
        assert is_json(ada.post(API, BODY))
        assert is_json(ada.post(f"{API}{program.run_id}/stop/", {}))
        assert is_a_page(ada.submit(f"{LIST}add/", jobs="noop", queue="default"))
        assert is_a_page(ada.submit(f"{LIST}{program.pk}/stop/", reason="late"))

    unchanged = Program.objects.using(SITE).get()
    assert (unchanged.state, unchanged.updated_at) == (State.WAITING, program.updated_at)
    assert not Operation.objects.using(SITE).exists()
    assert_it_works(ada)


def test_nobody_logs_in_while_the_database_is_read_only(site: Site, start_web: Start) -> None:
    web = start_web()
    client = web.client()

    with read_only(site.environment["DATABASE_URL"]):
        assert is_a_page(client.log_in("ada", "right"))
        assert is_a_page(client.log_in("ada", "wrong"))

    assert client.log_in("ada", "right").status == 302


@pytest.mark.parametrize("form", [False, True])
def test_a_connection_that_is_kept_does_not_stay_read_only(
    site: Site, start_web: Start, form: bool
) -> None:
    ada = start_web().client("right")

    with read_only(site.environment["DATABASE_URL"]):
        ada.port = start_web(TEST_CONN_MAX_AGE="600").port
        for _ in range(4):  # both threads
            if form:
                assert is_a_page(ada.submit(f"{LIST}add/", jobs="noop", queue="default"))
            else:
                assert is_json(ada.post(API, BODY))

    for _ in range(4):
        assert_it_works(ada)


@pytest.fixture
def offline(postgres: Postgres) -> Callable[[], Any]:
    """A context in which the server of the database is stopped."""
    if not postgres.private:
        pytest.skip("the PostgreSQL of TEST_DATABASE_URL is not ours to stop")

    @contextmanager
    def stopped() -> Iterator[None]:
        connections[SITE].close()
        postgres.stop()
        try:
            yield
        finally:
            postgres.start()

    return stopped


def test_a_database_that_is_away_is_told_even_where_the_session_cannot_be_read(
    start_web: Start, offline: Callable[[], Any]
) -> None:
    web = start_web()
    ada = web.client("right")

    with offline():
        assert ada.get("/").status == 200
        assert is_json(ada.get(API))
        assert is_json(ada.get(API, Accept="text/html"))
        assert is_json(ada.post(API, BODY))
        assert is_a_page(ada.get(LIST))
        assert is_a_page(ada.submit(f"{LIST}add/", jobs="noop", queue="default"))
        assert is_a_page(web.client().log_in("ada", "right"))

    assert_it_works(ada)
    assert "the database failed a request: connection to server" in web.output

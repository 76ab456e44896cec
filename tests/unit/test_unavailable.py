"""A database that is full: console and API say so, nothing is half done, and it heals."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import InterfaceError, InternalError, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from pytest_django.fixtures import Settings

from executor_project.failures import server_error
from executor_project.policy import hash_of
from programs.models import Program, State
from programs.submission import create_program
from tests.clients import policy_of, post

pytestmark = pytest.mark.filterwarnings("ignore:No directory at")  # of collected static files

API, LIST = "/api/programs/", "/admin/programs/program/"
LARGE = "x" * 200_000
FORM = {"jobs": "noop", "queue": "default", "program_data": f'{{"large": "{LARGE}"}}'}
BODY = {"jobs": ["noop"], "program_data": {"large": LARGE}}
NO_LIMIT = 2**31 - 1  # pages

failures: list[Exception] = []


def fail(request: HttpRequest) -> HttpResponse:
    raise failures[0]


urlpatterns = [path("failing/", fail)]
handler500 = server_error


def failing_with(error: Exception) -> Any:
    failures[:] = [error]
    return Client(raise_request_exception=False).get("/failing/")


@contextmanager
def full() -> Iterator[None]:
    """Let the database grow no further."""
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite can be told to be full")

    def execute(statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    execute("VACUUM")  # there is no room in it either
    execute("PRAGMA max_page_count = 1")  # SQLite takes the pages that there are instead
    try:
        yield
    finally:
        execute(f"PRAGMA max_page_count = {NO_LIMIT}")


@pytest.fixture
def ada(transactional_db: None) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("ada"))
    return client


def test_the_api_answers_503_and_when_to_come_again(ada: Client) -> None:
    with full():
        answer = post(ada, API, BODY)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert answer.json()["detail"] == (
        "The database does not answer, or stores nothing, at the moment. Try again."
    )


def test_a_browser_gets_the_same_from_the_api(ada: Client) -> None:
    with full():
        answer = ada.post(API, BODY, "application/json", headers={"accept": "text/html"})

    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_reason_is_logged(ada: Client, caplog: pytest.LogCaptureFixture) -> None:
    with full():
        post(ada, API, BODY)

    assert "the database failed a request: database or disk is full" in caplog.messages


def test_the_console_answers_503_and_when_to_come_again(ada: Client) -> None:
    with full():
        answer = ada.post(f"{LIST}add/", FORM)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "<h1>Not available</h1>" in answer.content.decode()


@pytest.mark.parametrize("page", [API, f"{LIST}add/"])
def test_nothing_is_half_done_and_all_is_well_once_there_is_room(ada: Client, page: str) -> None:
    def create() -> int:
        answer = post(ada, page, BODY) if page == API else ada.post(page, FORM)
        return int(answer.status_code)

    with full():
        assert create() == 503
        assert not Program.objects.exists()
        assert ada.get(LIST).status_code == 200

    assert create() in (201, 302)
    assert Program.objects.count() == 1


@pytest.mark.parametrize("error", [OperationalError, InterfaceError, InternalError])
@pytest.mark.urls(__name__)
def test_each_error_of_a_database_that_may_come_back_is_a_503(error: Callable[..., Any]) -> None:
    answer = failing_with(error("postgres://ada:secret@db/programs is gone"))

    assert answer.status_code == 503
    assert "secret" not in answer.content.decode()


@pytest.mark.urls(__name__)
def test_an_asgi_server_answers_the_same() -> None:
    failures[:] = [OperationalError("gone")]
    client = AsyncClient(raise_request_exception=False)

    assert async_to_sync(client.get)("/failing/").status_code == 503


@pytest.fixture
def closed(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each connection that is let go: the middle of a request is no other's time."""
    aliases: list[str] = []
    monkeypatch.setattr(connection, "close", lambda: aliases.append(connection.alias))
    connection.ensure_connection()
    return aliases


@pytest.mark.urls(__name__)
def test_a_page_lets_a_spoiled_connection_go(closed: list[str]) -> None:
    assert failing_with(ValueError()).status_code == 500
    assert closed == []

    assert failing_with(OperationalError("gone")).status_code == 503
    assert closed == ["default"]


@pytest.mark.urls(__name__)
def test_an_asgi_server_lets_it_go_in_the_thread_that_has_it(closed: list[str]) -> None:
    failures[:] = [OperationalError("gone")]

    async_to_sync(AsyncClient(raise_request_exception=False).get)("/failing/")

    assert closed == ["default"]


def test_the_api_lets_it_go_where_no_project_around_it_does(
    ada: Client, closed: list[str], settings: Settings
) -> None:
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "Renewal" not in name]

    with full():
        assert post(ada, API, BODY).status_code == 503

    assert closed == ["default"]


@pytest.mark.parametrize("change", ["TO gone", "COLUMN queue TO gone"])
@pytest.mark.parametrize("page", [API, LIST])
def test_a_database_without_its_tables_is_not_said_to_come_back(
    db: None, page: str, change: str
) -> None:
    if not connection.features.can_rollback_ddl:
        pytest.skip("what the test does to the table would stay")
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("ada"))
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {Program._meta.db_table} RENAME {change}")

    assert client.get(page).status_code == 500


@pytest.mark.urls(__name__)
def test_any_other_error_is_a_500() -> None:
    answer = failing_with(ValueError("secret"))

    assert answer.status_code == 500
    assert "Retry-After" not in answer.headers
    assert "secret" not in answer.content.decode()


@pytest.mark.parametrize("error", [OperationalError, ValueError])
@pytest.mark.urls(__name__)
def test_the_policy_allows_the_style_that_stands_in_the_page(error: Callable[..., Any]) -> None:
    answer = failing_with(error())

    (style,) = re.findall(r"<style>(.*?)</style>", answer.content.decode(), re.DOTALL)
    assert policy_of(answer)["style-src"] == f"'self' {hash_of(style)}"


# By a trigger, so that it is the database that refuses.
REFUSE = {
    "sqlite": (
        "CREATE TEMP TRIGGER refusing BEFORE INSERT ON main.django_admin_log "
        "BEGIN SELECT RAISE(ABORT, 'refused'); END",
        "DROP TRIGGER refusing",
    ),
    "mysql": (
        "CREATE TRIGGER refusing BEFORE INSERT ON django_admin_log "
        "FOR EACH ROW SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 4025, MESSAGE_TEXT = 'refused'",
        "DROP TRIGGER refusing",
    ),
    "postgresql": (
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '23514'; END$$; "
        "CREATE TRIGGER refusing BEFORE INSERT ON django_admin_log "
        "FOR EACH ROW EXECUTE FUNCTION refuse()",
        "DROP FUNCTION refuse() CASCADE",
    ),
}


def test_a_program_whose_creation_cannot_be_recorded_is_not_created(ada: Client) -> None:
    form = {"jobs": "noop", "queue": "default"}
    refuse, allow = REFUSE[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(refuse)
        try:
            refused = ada.post(f"{LIST}add/", form)
        finally:
            cursor.execute(allow)

    assert refused.status_code == 500
    assert not Program.objects.exists()
    assert ada.post(f"{LIST}add/", form).status_code == 302


def test_a_program_is_stopped_with_its_record_or_not_at_all(ada: Client) -> None:
    programs = [create_program(["noop"]) for _ in range(20)]

    with full():
        reason = {"reason": "late" * 500}
        statuses = [
            post(ada, f"{API}{program.run_id}/stop/", reason).status_code for program in programs
        ]

    assert set(statuses) == {200, 503}
    for program, status in zip(programs, statuses, strict=True):
        program.refresh_from_db()
        assert (program.state is State.STOPPED) == (status == 200)
        assert program.operations.count() == (status == 200)

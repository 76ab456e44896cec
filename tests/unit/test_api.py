"""The REST API: what another service sees and does, and what it may not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from programs.models import Ending, Operation, Program, State
from programs.submission import create_program
from tests.clients import ADD, STOP, VIEW, client_of, post

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

PROGRAMS = "/api/programs/"


@pytest.fixture
def grace() -> Client:
    return client_of(VIEW, ADD, STOP)


def stop_of(program: Program) -> str:
    return f"{PROGRAMS}{program.run_id}/stop/"


# List and retrieve --------------------------------------------------------------------------


def test_the_list_is_read_page_by_page_newest_first(grace: Client) -> None:
    created = [create_program(["noop"]).run_id for _ in range(5)]

    seen, url = [], f"{PROGRAMS}?page_size=2"
    while url:
        page = grace.get(url).json()
        seen += [program["run_id"] for program in page["results"]]
        url = page["next"]

    assert seen == created[::-1]


def test_the_list_does_not_read_the_data(
    grace: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(10):
        create_program(["noop"], {"large": "x"})

    with django_assert_num_queries(4) as captured:  # session, user, permissions, the list
        results = grace.get(PROGRAMS).json()["results"]

    assert "program_data" not in results[0]
    assert not any("program_data" in query["sql"] for query in captured.captured_queries)


CURSORS = [
    "nonsense",
    "~",
    "~1",
    "2026-11-24T00:00:00~1",  # without a zone
    "2026-11-24T00:00:00+00:00~x",
    "2026-11-24T00:00:00+00:00~-1",
    "2026-11-24T00:00:00+00:00~" + "9" * 40,
    "\0",
    "",
]


@pytest.mark.parametrize("ordering", ["", "&ordering=created_at"])
@pytest.mark.parametrize("cursor", CURSORS)
def test_a_cursor_of_ones_own_making_is_refused(grace: Client, cursor: str, ordering: str) -> None:
    answer = grace.get(f"{PROGRAMS}?cursor={quote(cursor)}{ordering}")

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == ["cursor"]


BAD_QUERIES = [
    ("page_size", "nonsense"),
    ("page_size", "9" * 40),
    ("page_size", "-1"),
    ("page_size", "0"),
    ("page_size", "201"),
    ("page_size", "٣"),
    ("state", "nonsense"),
    ("state", ""),
    ("queue", "\0"),
    ("queue", "x" * 256),
    ("q", " "),
    ("since", "nonsense"),
    ("since", "0001-01-01T00:00:00+14:00"),
    ("until", "9999-12-31T23:59:59-14:00"),
    ("in_progress", "1"),
    ("in_progress", "TRUE"),
    ("step_retry_count__gte", "-1"),
    ("step_retry_count__gte", "1.5"),
    ("ordering", "jobs"),
    ("unheard_of", "\0"),
]


@pytest.mark.parametrize(("name", "value"), BAD_QUERIES)
def test_a_bad_parameter_is_refused_by_name(grace: Client, name: str, value: str) -> None:
    answer = grace.get(PROGRAMS, {name: value})

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [name]


def test_a_program_is_retrieved_with_its_newest_attempts(grace: Client) -> None:
    program = create_program(["noop"], {"year": 2024})
    for number in range(1, 61):
        program.attempts.create(
            step=0,
            job="noop",
            number=number,
            epoch=number,
            worker="w/0.1",
            ended_at=datetime.now(UTC),
            outcome=Ending.ERRORED,
            message="no such order",
            log="page 1 of 3",
        )

    answer = grace.get(f"{PROGRAMS}{program.run_id}/").json()

    assert answer["program_data"] == {"year": 2024}
    assert [attempt["number"] for attempt in answer["attempts"]] == list(range(60, 10, -1))
    assert answer["attempts"][0]["log"] == "page 1 of 3"


@pytest.mark.parametrize("run_id", ["unheard_of", "%00", "a%00b", "x" * 5000, "%ff", "..", "%2F"])
def test_a_run_id_that_is_not_there_is_not_found(grace: Client, run_id: str) -> None:
    assert grace.get(f"{PROGRAMS}{run_id}/").status_code == 404
    assert post(grace, f"{PROGRAMS}{run_id}/stop/", {}).status_code == 404


# Stop ---------------------------------------------------------------------------------------


def test_a_program_is_stopped_and_the_operation_kept(grace: Client) -> None:
    program = create_program(["noop"])

    response = post(grace, stop_of(program), {"reason": "no longer wanted"})

    operation = Operation.objects.get()
    assert (response.status_code, response.json()["state"]) == (200, "stopped")
    assert (operation.by, operation.reason) == ("grace", "no longer wanted")


def test_a_program_is_stopped_without_a_body(grace: Client) -> None:
    program = create_program(["noop"])

    assert post(grace, stop_of(program), "").json()["state"] == "stopped"


def test_a_stop_in_a_state_that_does_not_allow_it_is_a_conflict(grace: Client) -> None:
    program = create_program(["noop"])
    post(grace, stop_of(program), {})

    response = post(grace, stop_of(program), {})

    assert response.status_code == 409
    assert response.json()["detail"].endswith(
        "is stopped (last stopped by grace): it cannot be stopped"
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": 7}, "reason"),
        ({"reason": None}, "reason"),
        ({"reason": {}}, "reason"),
        ({"reason": "\0"}, "reason"),
        ({"reason": "\ud800"}, "reason"),
        ({"reason": "x" * 2001}, "reason"),
        ({"why": "x"}, "why"),
        ([], ""),
    ],
)
def test_a_bad_reason_is_refused(grace: Client, body: Any, field: str) -> None:
    program = create_program(["noop"])

    response = post(grace, stop_of(program), body)

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert Program.objects.get().state is State.WAITING


# Permissions --------------------------------------------------------------------------------


def reach(client: Client, endpoint: str, program: Program) -> int:
    """Call one endpoint and return the status."""
    calls = {
        "list": lambda: client.get(PROGRAMS),
        "retrieve": lambda: client.get(f"{PROGRAMS}{program.run_id}/"),
        "create": lambda: post(client, PROGRAMS, {"jobs": ["noop"]}),
        "stop": lambda: post(client, stop_of(program), {}),
    }
    status: int = calls[endpoint]().status_code
    return status


NEEDED = {"list": {VIEW}, "retrieve": {VIEW}, "create": {ADD}, "stop": {VIEW, STOP}}
every_endpoint = pytest.mark.parametrize("endpoint", NEEDED)


@every_endpoint
def test_an_endpoint_is_open_to_who_holds_its_permissions(endpoint: str) -> None:
    client = client_of(*NEEDED[endpoint])

    assert reach(client, endpoint, create_program(["noop"])) in (200, 201)


@every_endpoint
def test_an_endpoint_is_closed_to_who_lacks_one_of_them(endpoint: str) -> None:
    program = create_program(["noop"])
    for lacking in NEEDED[endpoint]:
        User.objects.all().delete()
        client = client_of(*({VIEW, ADD, STOP, "change_program", "delete_program"} - {lacking}))

        assert reach(client, endpoint, program) == 403

    assert Program.objects.get().state is State.WAITING


@every_endpoint
def test_an_endpoint_is_closed_to_strangers(endpoint: str, client: Client) -> None:
    assert reach(client, endpoint, create_program(["noop"])) == 401


@pytest.mark.parametrize("endpoint", ["create", "stop"])
def test_a_change_needs_the_token_of_its_session(endpoint: str) -> None:
    client = client_of(VIEW, ADD, STOP, enforce_csrf_checks=True)

    assert reach(client, endpoint, create_program(["noop"])) == 403


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_a_program_is_not_changed_or_deleted_by_hand(method: str) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    program = create_program(["noop"])

    response = getattr(client, method)(
        f"{PROGRAMS}{program.run_id}/", content_type="application/json"
    )

    assert response.status_code == 405
    assert Program.objects.filter(pk=program.pk).exists()


# Around it ----------------------------------------------------------------------------------


def test_the_api_can_be_browsed(grace: Client) -> None:
    run_at = datetime.now(UTC) + timedelta(hours=1)
    program = create_program(["noop"], {"x": "<script>alert(1)</script>"}, run_at=run_at)

    for url in (PROGRAMS, f"{PROGRAMS}{program.run_id}/"):
        response = grace.get(url, headers={"accept": "text/html"})

        assert response.status_code == 200
        assert b"<script>alert" not in response.content

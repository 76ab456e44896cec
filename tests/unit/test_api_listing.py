"""The API's list of programs: what it is asked for, in which order, and page by page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from programs.api import listing
from programs.models import Program, State
from programs.submission import create_program
from tests.clients import VIEW, client_of
from tests.console import program_in

pytestmark = pytest.mark.django_db

PROGRAMS = "/api/programs/"
QUERIES = 5  # session, user, permissions, the window, the page
DAY = datetime(2026, 1, 1, tzinfo=UTC)
ENDED = {State.FINISHED, State.ERRORED, State.STOPPED}


@pytest.fixture
def grace() -> Client:
    return client_of(VIEW)


def found(client: Client, **query: Any) -> list[str]:
    """Return the run ids of all pages."""
    seen: list[str] = []
    answer = client.get(PROGRAMS, query).json()
    while True:
        seen += [program["run_id"] for program in answer["results"]]
        if not answer["next"]:
            return seen
        answer = client.get(answer["next"]).json()


def created(number: int) -> list[str]:
    """Create programs, an hour apart, and return their run ids, oldest first."""
    run_ids = []
    for index in range(number):
        program = create_program(["noop"])
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=index)
        Program.objects.filter(pk=program.pk).update(created_at=at)
        run_ids.append(program.run_id)
    return run_ids


@pytest.mark.parametrize("state", State)
def test_a_state_finds_those_in_it(grace: Client, state: State) -> None:
    programs = {each: program_in(each).run_id for each in State}

    assert found(grace, state=state.value) == [programs[state]]


def test_in_progress_finds_those_that_have_not_ended(grace: Client) -> None:
    programs = {state: program_in(state).run_id for state in State}
    ended = {programs[state] for state in ENDED}

    assert set(found(grace, in_progress="false")) == ended
    assert set(found(grace, in_progress="true")) == set(programs.values()) - ended


def test_retries_are_counted(grace: Client) -> None:
    programs = [create_program(["noop"]) for _ in range(3)]
    for count, program in enumerate(programs):
        Program.objects.filter(pk=program.pk).update(step_retry_count=count)

    assert found(grace, step_retry_count__gte=1) == [programs[2].run_id, programs[1].run_id]
    assert len(found(grace, step_retry_count__gte=0)) == 3


@pytest.mark.parametrize("ordering", ["", "created_at"])
def test_a_definition_finds_what_was_started_from_it(grace: Client, ordering: str) -> None:
    started, _ = (create_program(["noop"], definition=name) for name in ("orders", None))

    query = {"definition": "orders", **({"ordering": ordering} if ordering else {})}

    assert found(grace, **query) == [started.run_id]
    (shown,) = grace.get(PROGRAMS, query).json()["results"]
    assert shown["definition"] == "orders"


@pytest.mark.parametrize("page_size", [1, 2, 3, 7])
@pytest.mark.parametrize(
    ("ordering", "is_reversed"), [("", True), ("-created_at", True), ("created_at", False)]
)
def test_an_ordering_holds_over_the_pages(
    grace: Client, ordering: str, is_reversed: bool, page_size: int
) -> None:
    run_ids = created(7)
    query = {"ordering": ordering} if ordering else {}

    seen = found(grace, page_size=page_size, **query)

    assert seen == (run_ids[::-1] if is_reversed else run_ids)


@pytest.mark.parametrize("ordering", ["created_at", "-created_at"])
def test_programs_of_one_moment_come_once_each(grace: Client, ordering: str) -> None:
    run_ids = created(5)
    Program.objects.update(created_at=datetime(2026, 1, 1, tzinfo=UTC))

    seen = found(grace, ordering=ordering, page_size=2)

    assert seen == (run_ids if ordering == "created_at" else run_ids[::-1])


def test_filters_hold_together_and_over_the_pages(grace: Client) -> None:
    kept = [create_program(["noop"], queue="reports").run_id for _ in range(3)]
    create_program(["count"], queue="reports")
    create_program(["noop"])

    query = {"queue": "reports", "job": "noop", "in_progress": "true", "page_size": 2}

    assert found(grace, **query) == kept[::-1]
    assert found(grace, ordering="created_at", **query) == kept


@pytest.mark.parametrize("ordering", ["", "created_at", "-created_at"])
def test_dates_bound_what_is_looked_at(grace: Client, ordering: str) -> None:
    run_ids = created(6)
    query = {"ordering": ordering} if ordering else {}

    seen = found(grace, since="2026-01-01T02:00:00Z", until="2026-01-01T04:00:00Z", **query)

    assert set(seen) == set(run_ids[2:4])


@pytest.mark.parametrize("ordering", ["created_at", "-created_at"])
def test_a_search_pauses_and_tells_how_far_it_came(
    grace: Client, ordering: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "WINDOW", 3)
    run_ids = created(9)
    wanted = run_ids[0] if ordering == "-created_at" else run_ids[-1]
    Program.objects.filter(run_id=wanted).update(queue="rare")

    first = grace.get(PROGRAMS, {"queue": "rare", "ordering": ordering}).json()

    assert first["results"] == []
    assert first["searched_back_to"] is not None
    assert found(grace, queue="rare", ordering=ordering) == [wanted]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"state": "errored"},
        {"queue": "default", "in_progress": "true", "ordering": "created_at"},
    ],
)
def test_a_page_takes_few_queries_however_many_programs_there_are(
    grace: Client, django_assert_max_num_queries: DjangoAssertNumQueries, query: dict[str, str]
) -> None:
    for state in State:
        for _ in range(3):
            program_in(state)

    with django_assert_max_num_queries(QUERIES) as captured:
        assert grace.get(PROGRAMS, query).json()["results"]

    statements = " ".join(each["sql"] for each in captured.captured_queries)
    assert "COUNT(" not in statements
    assert '"program_data"' not in statements


def test_the_address_of_the_next_page_keeps_the_question(grace: Client) -> None:
    created(2)

    address = grace.get(PROGRAMS, {"page_size": 1, "queue": "default"}).json()["next"]

    assert address.startswith("http://testserver/api/programs/?")
    assert "queue=default" in address
    assert "page_size=1" in address


@pytest.mark.parametrize("ordering", [{}, {"ordering": "created_at"}])
def test_a_project_without_time_zones_is_asked_for_moments_that_have_one(
    grace: Client, settings: Settings, ordering: dict[str, str]
) -> None:
    settings.USE_TZ = False
    program = create_program(["noop"])

    assert found(grace, since="2026-01-01T00:00:00Z", **ordering) == [program.run_id]
    assert found(grace, until="2026-01-01T00:00:00Z", **ordering) == []


def test_the_next_page_of_a_program_with_a_strange_run_id_is_found(grace: Client) -> None:
    program = create_program(["noop"])
    Program.objects.filter(pk=program.pk).update(run_id="a?b%c#d")
    for number in (1, 2):
        program.attempts.create(
            step=0, job="noop", epoch=number, number=number, outcome="errored", ended_at=DAY
        )

    page = grace.get("/api/programs/a%3Fb%25c%23d/attempts/?page_size=1").json()

    assert [each["number"] for each in page["results"]] == [2]
    assert [each["number"] for each in grace.get(page["next"]).json()["results"]] == [1]

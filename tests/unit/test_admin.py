"""The console: what an operator sees."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from programs.admin.levers import LEVERS
from programs.errors import OperationRefused
from programs.models import Operation, Program, State, Verb, Worker
from programs.submission import create_program
from tests.console import (
    LIST,
    add_attempt,
    failing,
    page_for,
    page_of,
    program_in,
    run,
)

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]


# The page of one program --------------------------------------------------------------------


def test_the_page_shows_steps_attempts_and_data(admin_client: Client) -> None:
    program = create_program(["noop", "behave", "count"], failing("no such order"))
    run(program)

    page = admin_client.get(page_of(program)).content.decode()

    assert "RuntimeError: no such order" in page
    assert "Traceback (most recent call last)" in page
    assert f"w/0.{program.pk}" in page
    for standing in ("done", "errored", "not run"):
        assert f">{standing}</span>" in page


def test_the_page_shows_the_log_of_an_attempt(admin_client: Client) -> None:
    program = create_program(["noop"])
    add_attempt(program, log="page 1 of 3\npage 2 of 3")

    page = admin_client.get(page_of(program)).content.decode()

    assert "<summary>Log</summary>" in page
    assert "page 1 of 3\npage 2 of 3</pre>" in page


def test_the_page_tells_skipped_steps_until_they_are_retried(admin_client: Client) -> None:
    program = create_program(["behave", "noop"], failing())
    run(program)
    admin_client.post(page_for(Verb.SKIP, program), {"reason": "known"})
    assert ">skipped</span>" in admin_client.get(page_of(program)).content.decode()

    admin_client.post(page_for(Verb.STOP, program))
    admin_client.post(page_for(Verb.RETRY, program), {"from_step": "0"})

    assert ">skipped</span>" not in admin_client.get(page_of(program)).content.decode()


def test_the_page_shows_only_the_newest_attempts(admin_client: Client) -> None:
    program = create_program(["noop"])
    for number in range(1, 61):
        add_attempt(program, number=number, epoch=number)

    page = admin_client.get(page_of(program)).content.decode()

    assert page.count("<summary>Attempt") == 50
    assert "There are older attempts than those shown." in page


def test_the_page_takes_as_many_queries_for_much_history_as_for_little(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    program = create_program(["noop", "noop"])
    with CaptureQueriesContext(connection) as for_little:
        admin_client.get(page_of(program))
    for number in range(1, 21):
        add_attempt(program, number=number, epoch=number)
        program.operations.create(verb=Verb.PAUSE)

    with django_assert_num_queries(len(for_little)):
        admin_client.get(page_of(program))


@pytest.mark.parametrize("state", list(State))
def test_the_page_offers_exactly_what_the_state_allows(admin_client: Client, state: State) -> None:
    offered, accepted = set(), set()
    for verb, lever in LEVERS.items():
        program = program_in(state)
        if page_for(verb, program) in admin_client.get(page_of(program)).content.decode():
            offered.add(verb)
        arguments = {"program_data": {"new": 1}} if verb is Verb.EDIT else {}
        try:
            lever.act(program, reason="why not", **arguments)
        except OperationRefused:
            continue
        accepted.add(verb)

    # A second stop does nothing more than the first one: it is accepted, and not offered.
    assert offered == accepted - ({Verb.STOP} if state is State.STOPPING else set())


def test_nothing_is_changed_or_deleted_through_the_stock_pages(admin_client: Client) -> None:
    program = program_in(State.WAITING)

    assert (
        admin_client.post(page_of(program), {"_saveasnew": "1", "jobs": '["x"]'}).status_code == 405
    )
    assert admin_client.post(f"{LIST}{program.pk}/delete/", {"post": "yes"}).status_code == 403
    admin_client.post(
        LIST, {"action": "delete_selected", "_selected_action": program.pk, "post": "yes"}
    )

    assert list(Program.objects.all()) == [program]


@pytest.mark.parametrize("object_id", ["4711", "nonsense", "_00", "9" * 40])
def test_a_program_that_is_not_there_is_not_found(admin_client: Client, object_id: str) -> None:
    assert admin_client.get(f"{LIST}{object_id}/change/").status_code == 404
    assert admin_client.post(f"{LIST}{object_id}/stop/").status_code == 404


# Workers and operations ---------------------------------------------------------------------


@pytest.fixture(params=["worker", "operation"])
def other_list(request: pytest.FixtureRequest) -> str:
    create_program(["noop"]).operations.create(verb=Verb.STOP)
    Worker.register(name="w", host="h", pid=1, queues=["q"], slots=1, jobs=[], version="1")
    return f"/admin/programs/{request.param}/"


def test_workers_and_operations_are_read_and_nothing_else(
    admin_client: Client, other_list: str
) -> None:
    model: Any = {"worker": Worker, "operation": Operation}[other_list.split("/")[3]]
    pk = model.objects.get().pk

    assert admin_client.get(other_list).status_code == 200
    assert admin_client.get(f"{other_list}{pk}/change/").status_code == 200
    for page in (f"{other_list}{pk}/change/", f"{other_list}{pk}/delete/", f"{other_list}add/"):
        assert admin_client.post(page, {"_saveasnew": "1", "post": "yes"}).status_code == 403
    assert model.objects.count() == 1


def test_operations_outlive_their_program(admin_client: Client) -> None:
    program = program_in(State.WAITING)
    admin_client.post(page_for(Verb.STOP, program), {"reason": "no longer wanted"})
    Program.objects.filter(pk=program.pk)._raw_delete("default")

    page = admin_client.get("/admin/programs/operation/").content.decode()

    assert "no longer wanted" in page
    assert "deleted since" in page


# A site of one's own ------------------------------------------------------------------------


@pytest.mark.urls("tests.two_sites")
def test_the_console_works_in_a_site_of_ones_own(admin_client: Client) -> None:
    admin_client.post("/ops/programs/program/add/", {"jobs": "noop", "queue": "default"})
    program = Program.objects.get()
    stop = f"/ops/programs/program/{program.pk}/stop/"

    page = admin_client.get(f"/ops/programs/program/{program.pk}/change/").content.decode()
    response = admin_client.post(stop, {"reason": "enough"})

    assert stop in page
    assert 'href="/admin/' not in page
    assert response["Location"] == f"/ops/programs/program/{program.pk}/change/"
    for url in ("program/", "program/add/", "worker/", "operation/"):
        assert 'href="/admin/' not in admin_client.get(f"/ops/programs/{url}").content.decode()

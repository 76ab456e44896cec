"""The list of operations: what operators did, found by who, what, to what and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from programs import operations
from programs.inspection import audit
from programs.models import Operation, Program, State, Verb, Worker
from programs.submission import create_program
from tests.clients import client_of
from tests.console import page_of, program_in

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

OPERATIONS = "/admin/programs/operation/"
LOOK = "view_operation"
HOSTILE = '<script>alert("x")</script>\u202egnp.exe'


def listed(client: Client, **parameters: str) -> list[str]:
    """Return the reasons of the operations on the page: the tests tell them apart by these."""
    return [row.reason for row in client.get(OPERATIONS, parameters).context["operations"]]


def shown(client: Client, url: str = OPERATIONS, **parameters: str) -> str:
    return client.get(url, parameters).content.decode()


@pytest.fixture
def deeds() -> Program:
    """Things that were done to a program, a queue and a worker; the program is returned."""
    program = program_in(State.WAITING)
    Worker.register(name="w/1", host="h", pid=1, queues=[], slots=1, jobs=[], version="1")
    operations.pause_program(program, by="ada", reason="one")
    operations.pause_queue("a/b", by="grace", reason="two")
    operations.drain_worker("w/1", by="ada", reason="three")
    operations.resume_queue("a/b", by="ada", reason="four")
    return program


@pytest.mark.usefixtures("deeds")
def test_everything_that_was_done_is_listed_newest_first(admin_client: Client) -> None:
    assert listed(admin_client) == ["four", "three", "two", "one"]


def test_each_leads_to_what_it_was_done_to(admin_client: Client, deeds: Program) -> None:
    page = shown(admin_client)

    assert f'<a href="{page_of(deeds)}"><bdi>{deeds.run_id}</bdi></a>' in page
    assert '<a href="/admin/programs/queue/"><bdi>queue a/b</bdi></a>' in page
    assert '<a href="/admin/programs/worker/"><bdi>worker w/1</bdi></a>' in page


@pytest.mark.usefixtures("deeds")
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"verb": "pause_queue"}, ["two"]),
        ({"by": "ada"}, ["four", "three", "one"]),
        ({"by": "ad"}, []),
        ({"subject": "a/b"}, ["four", "two"]),
        ({"subject": "w/1"}, ["three"]),
        ({"subject": "a/b", "by": "grace"}, ["two"]),
        ({"verb": "retry"}, []),
    ],
)
def test_the_list_is_filtered_by_its_url(
    admin_client: Client, filters: dict[str, str], found: list[str]
) -> None:
    assert listed(admin_client, **filters) == found


def test_the_list_is_filtered_by_run_id(admin_client: Client, deeds: Program) -> None:
    assert listed(admin_client, subject=deeds.run_id) == ["one"]
    assert listed(admin_client, subject=deeds.run_id, verb="stop") == []


@pytest.mark.usefixtures("deeds")
def test_the_list_is_filtered_by_days_of_which_the_last_counts(admin_client: Client) -> None:
    today, old = datetime.now(UTC), datetime.now(UTC) - timedelta(days=10)
    Operation.objects.filter(reason="one").update(created_at=old)

    assert listed(admin_client, until=f"{old:%Y-%m-%d}") == ["one"]
    assert listed(admin_client, since=f"{today - timedelta(days=1):%Y-%m-%d}") == [
        *("four", "three", "two")
    ]


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        ("verb", "burn"),
        ("since", "yesterday"),
        ("until", "2026-02-31"),
        ("by", "x" * 256),
        ("subject", "a\0b"),
        ("older", "first"),
        ("older", "9" * 30),
        ("older", "\u00b2"),
    ],
)
def test_a_wrong_filter_is_named_and_kept(admin_client: Client, parameter: str, text: str) -> None:
    answer = admin_client.get(OPERATIONS, {parameter: text})

    assert answer.status_code == 200
    assert answer.context["error"].startswith(f"{parameter}: ")
    assert answer.context["operations"] == []


def test_older_ones_are_found_page_by_page(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    program = create_program(["noop"])
    Operation.objects.bulk_create(
        Operation(program=program, verb=Verb.PAUSE, by="ada", reason=str(number))
        for number in range(120)
    )
    found, url = [], f"{OPERATIONS}?by=ada"

    for _ in range(3):
        with django_assert_max_num_queries(6):
            answer = admin_client.get(url)
        found += [row.reason for row in answer.context["operations"]]
        url = f"{OPERATIONS}{answer.context['older_url']}"

    assert found == [str(number) for number in reversed(range(120))]
    assert answer.context["older_url"] == ""


def test_a_search_pauses_and_says_how_far_it_came(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "WINDOW", 2)
    for reason in ("sought", "b", "c", "d"):
        by = "ada" if reason == "sought" else "grace"
        operations.pause_program(create_program(["noop"]), by=by, reason=reason)

    first = admin_client.get(OPERATIONS, {"by": "ada"})
    second = admin_client.get(f"{OPERATIONS}{first.context['older_url']}")

    assert first.context["operations"] == []
    assert "Looked at back to" in first.content.decode()
    assert [row.reason for row in second.context["operations"]] == ["sought"]


def test_details_are_left_to_the_page_of_each_operation(admin_client: Client) -> None:
    program = create_program(["noop"], {"year": 2024, "password": "hunter2"})
    operations.edit_data(program, program_data={"year": 2025, "password": "hunter3"}, by="ada")
    operations.pause_queue("reports")
    edit, pause = Operation.objects.order_by("pk")
    viewer = client_of(LOOK, "view_program")

    pages = {each.pk: shown(viewer, f"{OPERATIONS}{each.pk}/change/") for each in (edit, pause)}

    assert "2024" not in shown(viewer)
    assert pages[edit.pk].index("2024") < pages[edit.pk].index("2025")
    assert "hunter" not in pages[edit.pk]
    assert pages[pause.pk].index(">open<") < pages[pause.pk].index(">paused<")
    assert "hunter3" in shown(admin_client, f"{OPERATIONS}{edit.pk}/change/")


def test_what_operators_wrote_is_shown_as_text(admin_client: Client) -> None:
    operations.pause_queue('<script>"a', by=HOSTILE, reason=HOSTILE)
    operation = Operation.objects.get()

    for page in (
        shown(admin_client),
        shown(admin_client, by=HOSTILE, subject=HOSTILE),
        shown(admin_client, f"{OPERATIONS}{operation.pk}/change/"),
    ):
        assert "<script>alert" not in page
        assert '<script>"a' not in page
        assert "\u202e" not in page


def test_nobody_has_done_anything_yet(admin_client: Client) -> None:
    assert "Nobody has done anything yet." in shown(admin_client)
    assert "None of those that were looked at" in shown(admin_client, by="ada")


def test_the_list_needs_the_permission_to_view_operations() -> None:
    assert client_of("view_program").get(OPERATIONS).status_code == 403
    assert client_of(LOOK).get(OPERATIONS).status_code == 200
    assert client_of(LOOK).post(OPERATIONS).status_code == 405


@pytest.mark.urls("tests.two_sites")
@pytest.mark.usefixtures("deeds")
def test_it_works_in_a_site_of_ones_own(admin_client: Client) -> None:
    page = shown(admin_client, "/ops/programs/operation/")

    assert "/ops/programs/queue/" in page
    assert 'href="/admin/' not in page

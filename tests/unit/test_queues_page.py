"""The page of queues: how each stands, and pausing and resuming one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from programs import operations
from programs.admin import queue as pages
from programs.errors import BrokerUnavailable
from programs.inspection import queues as inspected
from programs.inspection.recent import Recent
from programs.models import Operation, Program, Queue, Verb, Worker
from programs.submission import create_program
from programs.transport.depth import Depth
from tests.clients import client_of
from tests.console import LIST, claim, texts

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

QUEUES = "/admin/programs/queue/"
LOOK, MANAGE = "view_queue", "manage_queues"
HOSTILE = '<script>alert("x")</script>'
NAMES = ["default", "a/b", HOSTILE, "\u05d0\u05d1\u05d2", "50% & more?", "."]


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """Let no page show what a broker answered to another test."""
    pages.recent_depths.forget()
    yield
    pages.recent_depths.forget()


def shown(client: Client, url: str = QUEUES) -> str:
    return client.get(url).content.decode()


def facts(client: Client) -> dict[str, Any]:
    """Return the rows of the page, by the names of their queues."""
    return {row.name: row for row in client.get(QUEUES).context["queues"]}


def page_to(deed: str, name: str) -> str:
    return f"{QUEUES}{deed}/?name={quote(name, safe='')}"


def worker(*queues: str) -> None:
    Worker.register(name="w", host="h", pid=1, queues=queues, slots=1, jobs=[], version="1")


# What it shows --------------------------------------------------------------------------------


def test_each_queue_tells_what_waits_runs_and_is_scheduled(admin_client: Client) -> None:
    worker("default", "idle")
    claim(create_program(["noop"]))
    for _ in range(2):
        create_program(["noop"])
    create_program(["noop"], run_at=datetime.now(UTC) + timedelta(hours=1))
    old = create_program(["noop"], queue="reports")
    due_at = datetime.now(UTC) - timedelta(minutes=3)
    Program.objects.filter(pk=old.pk).update(due_at=due_at)

    rows = facts(admin_client)

    default, reports, idle = rows["default"], rows["reports"], rows["idle"]
    assert (default.due, default.running, default.scheduled) == ("2", "1", "1")
    assert (default.workers, default.is_stuck) == (1, False)
    assert (reports.due, reports.workers) == ("1", 0)
    assert reports.oldest.startswith("3 min ")
    assert reports.is_stuck
    assert (idle.due, idle.oldest, idle.workers) == ("0", "-", 1)


def test_what_a_lost_worker_left_behind_is_due_and_does_not_run(admin_client: Client) -> None:
    program = claim(create_program(["noop"]))
    due_at = datetime.now(UTC) - timedelta(minutes=1)
    Program.objects.filter(pk=program.pk).update(due_at=due_at)

    row = facts(admin_client)["default"]

    assert (row.due, row.running) == ("1", "0")


def test_it_counts_no_further_than_a_page_may(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspected, "COUNTED", 2)
    for _ in range(3):
        create_program(["noop"])

    assert facts(admin_client)["default"].due == "more than 2"


def test_each_number_leads_to_its_programs(admin_client: Client) -> None:
    create_program(["noop"], queue="a/b&c")

    assert f'href="{LIST}?queue=a%2Fb%26c&amp;state=waiting"' in shown(admin_client)


def test_a_paused_queue_says_since_when_and_by_whom(admin_client: Client) -> None:
    operations.pause_queue("reports", by="grace", reason="the printer is broken")

    row = facts(admin_client)["reports"]

    assert row.paused.startswith(f"since {datetime.now(UTC):%Y-}")
    assert row.paused.endswith(" by grace")


def test_there_may_be_more_queues_than_are_shown(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(60):
        create_program(["noop"], queue=f"q{number:02}")
    operations.pause_queue("zzz")

    with django_assert_max_num_queries(160):
        page = shown(admin_client)

    assert page.count("<tr data-row>") == 50
    assert "There are more queues than these 50." in page
    assert ">zzz<" in page  # what is paused is not left out


def test_without_queues_it_says_so(admin_client: Client) -> None:
    assert "No live worker serves a queue, none is paused" in shown(admin_client)


# The broker -----------------------------------------------------------------------------------


@pytest.fixture
def broker(settings: Settings) -> None:
    url = "amqp://guest:secret@broker.invalid/"
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "AMQP_URL": url}
    worker("reports", "mail")


@pytest.mark.usefixtures("broker")
def test_the_brokers_numbers_are_asked_for_once_in_a_while(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def depths(names: tuple[str, ...], within: float) -> dict[str, Depth]:
        asked.append(names)
        return {"reports": Depth(1234, 2)}

    monkeypatch.setattr(pages, "depths", depths)
    monkeypatch.setattr(pages, "recent_depths", Recent(600.0))  # on a slow machine, too
    for _ in range(3):
        rows = facts(admin_client)

    assert (rows["reports"].messages, rows["reports"].consumers) == ("1,234", "2")
    assert (rows["mail"].messages, rows["mail"].consumers) == ("-", "-")
    assert asked == [("mail", "reports")]


@pytest.mark.usefixtures("broker")
def test_a_broker_that_is_away_costs_the_page_one_line(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def depths(names: tuple[str, ...], within: float) -> dict[str, Depth]:
        raise BrokerUnavailable(f"broker.invalid does not answer: {HOSTILE}")

    monkeypatch.setattr(pages, "depths", depths)
    page = shown(admin_client)

    assert "broker.invalid does not answer: &lt;script&gt;" in page
    assert page.count("<tr data-row>") == 2


def test_without_a_broker_there_are_no_columns_for_it(admin_client: Client) -> None:
    worker("default")

    assert "consumers" not in shown(admin_client)


# Pausing and resuming -------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_queue_of_any_name_is_paused_and_resumed(admin_client: Client, name: str) -> None:
    for deed, verb in (("pause", Verb.PAUSE_QUEUE), ("resume", Verb.RESUME_QUEUE)):
        asked = admin_client.get(page_to(deed, name))
        answer = admin_client.post(page_to(deed, name), {"reason": "why not"}, follow=True)

        assert HOSTILE not in asked.content.decode() + answer.content.decode()
        assert texts(answer) == [f"Queue {name} is {deed}d."]
        operation = Operation.objects.get(verb=verb)
        assert (operation.subject, operation.by, operation.reason) == (name, "admin", "why not")
        assert (Queue.objects.get().paused_at is not None) == (deed == "pause")
        Operation.objects.all().delete()


@pytest.mark.parametrize("name", NAMES)
def test_the_page_leads_to_the_lever_of_each_queue(admin_client: Client, name: str) -> None:
    create_program(["noop"], queue=name)
    row = facts(admin_client)[name]

    admin_client.post(row.switch_url, {"reason": ""})

    assert Queue.objects.get().name == name
    assert f'href="{facts(admin_client)[name].switch_url}"' in shown(admin_client)
    assert "/resume/" in facts(admin_client)[name].switch_url


def test_of_two_who_pause_at_once_the_second_is_told(admin_client: Client) -> None:
    operations.pause_queue("reports", by="grace")

    answer = admin_client.post(page_to("pause", "reports"), {"reason": ""}, follow=True)

    assert "grace" in texts(answer)[0]
    assert "it cannot be paused" in texts(answer)[0]
    assert Operation.objects.count() == 1


@pytest.mark.parametrize("name", ["x" * 101, "a\u202eb", "a\nb"])
def test_a_name_that_no_queue_can_have_is_refused_on_its_page(
    admin_client: Client, name: str
) -> None:
    page = admin_client.post(page_to("pause", name), {"reason": "kept as it was typed"})

    assert "Queue:" in page.content.decode()
    assert "kept as it was typed" in page.content.decode()
    assert "\u202e" not in page.content.decode()
    assert not Queue.objects.exists()


@pytest.mark.parametrize("query", ["", "?name=", "?name=%20"])
def test_a_page_for_no_queue_is_not_found(admin_client: Client, query: str) -> None:
    assert admin_client.get(f"{QUEUES}pause/{query}").status_code == 404


def test_a_queue_is_steered_by_post_and_with_a_token() -> None:
    manager = client_of(LOOK, MANAGE, enforce_csrf_checks=True)

    assert manager.get(page_to("pause", "reports")).status_code == 200
    assert manager.post(page_to("pause", "reports")).status_code == 403
    assert not Queue.objects.exists()


def test_who_may_only_look_is_told_which_permission_is_missing() -> None:
    worker("default")
    viewer = client_of(LOOK)

    page = shown(viewer)

    assert "“Can pause and resume queues”" in page
    assert "/pause/" not in page
    for deed in ("pause", "resume"):
        assert viewer.get(page_to(deed, "default")).status_code == 403
        assert viewer.post(page_to(deed, "default"), {"reason": ""}).status_code == 403
    assert not Queue.objects.exists()


def test_who_may_manage_and_not_look_comes_back_to_the_index() -> None:
    answer = client_of(MANAGE).post(page_to("pause", "default"), {"reason": ""})

    assert answer["Location"] == "/admin/"
    assert Queue.objects.get().paused_at is not None


def test_the_page_needs_the_permission_to_view_queues() -> None:
    assert client_of(MANAGE).get(QUEUES).status_code == 403
    assert client_of(LOOK).post(QUEUES).status_code == 405


@pytest.mark.urls("tests.two_sites")
def test_it_works_in_a_site_of_ones_own(admin_client: Client) -> None:
    create_program(["noop"])
    lever = "/ops/programs/queue/pause/?name=default"

    page = shown(admin_client, "/ops/programs/queue/")
    answer = admin_client.post(lever, {"reason": ""})

    assert f'href="{lever}"' in page
    assert 'href="/admin/' not in page + shown(admin_client, lever)
    assert answer["Location"] == "/ops/programs/queue/"

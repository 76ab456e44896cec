"""The page of workers: who is there, what each runs, and draining one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from programs import operations
from programs.admin import worker as pages
from programs.models import Operation, Program, Verb, Worker
from programs.models.clock import Utc
from programs.submission import create_program
from tests.clients import client_of
from tests.console import claim, page_of, texts

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

WORKERS = "/admin/programs/worker/"
LOOK, DRAIN = "view_worker", "drain_worker"
HOSTILE = '<script>alert("x")</script>\u202egnp.exe'


def worker(name: str = "w", jobs: tuple[str, ...] = ("noop",)) -> Worker:
    Worker.register(
        name=name, host="host", pid=7, queues=["default"], slots=8, jobs=jobs, version="1.2"
    )
    return Worker.objects.get(name=name)


def lost(name: str) -> Worker:
    found = worker(name)
    Worker.objects.filter(name=name).update(last_seen_at=Utc(after=-3600.0))
    return found


def page_to_drain(found: Worker) -> str:
    return f"{WORKERS}{found.pk}/drain/"


def shown(client: Client, url: str = WORKERS) -> str:
    return client.get(url).content.decode()


def groups(client: Client) -> dict[str, list[Any]]:
    """Return the workers that the page shows, by how they stand."""
    return {key: workers for key, _, workers in client.get(WORKERS).context["groups"]}


# What it shows --------------------------------------------------------------------------------


def test_workers_are_live_lost_or_ended(admin_client: Client) -> None:
    worker("alive"), lost("silent"), worker("gone")
    Worker.sign_off("gone")

    found = groups(admin_client)

    names = {key: [each.name for each in workers] for key, workers in found.items()}
    assert names == {"live": ["alive"], "lost": ["silent"], "ended": ["gone"]}
    assert found["lost"][0].seen == "1 h 0 min ago"


def test_a_worker_tells_who_it_is_and_what_it_serves_and_knows(admin_client: Client) -> None:
    worker("w", jobs=("noop", "import_orders"))

    (row,) = groups(admin_client)["live"]

    assert (row.place, row.version, row.queues) == ("host, process 7", "1.2", "default")
    assert row.jobs == ["import_orders", "noop"]
    assert "Jobs that it knows (2)" in shown(admin_client)


def test_a_worker_tells_what_its_slots_run_and_for_how_long(admin_client: Client) -> None:
    worker("w"), worker("w/0")  # a name may be the beginning of another's slots
    program = claim(create_program(["noop"]))
    Program.objects.filter(pk=program.pk).update(
        step_started_at=datetime.now(UTC) - timedelta(minutes=2)
    )

    rows = {row.name: row for row in groups(admin_client)["live"]}

    (running,) = rows["w"].running
    assert (running.run_id, running.job) == (program.run_id, "noop")
    assert running.since.startswith("2 min ")
    assert running.url == page_of(program)
    assert (rows["w"].used, rows["w"].slots) == (1, 8)
    assert (rows["w/0"].used, rows["w/0"].running) == (0, [])
    assert "1 of 8" in shown(admin_client)


def test_of_many_running_programs_the_longest_ones_are_shown(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "RUNNING_SHOWN", 2)
    worker("w")
    claimed = [claim(create_program(["noop"])) for _ in range(3)]

    (row,) = groups(admin_client)["live"]

    assert [running.run_id for running in row.running] == [each.run_id for each in claimed[:2]]
    assert row.used == 3
    assert "those 2 are shown that have run for longest" in shown(admin_client)


def test_it_takes_as_many_queries_for_many_workers_as_for_one(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        worker(f"live-{number}"), lost(f"lost-{number}")
        claim(create_program(["noop"]))

    with django_assert_max_num_queries(8):
        assert shown(admin_client).count("<article") == 40


def test_no_more_of_those_that_are_gone_are_shown_than_help(admin_client: Client) -> None:
    for number in range(55):
        worker(f"gone-{number}")
        Worker.sign_off(f"gone-{number}")

    ended = groups(admin_client)["ended"]

    assert len(ended) == 50
    assert ended[0].name == "gone-54"


def test_without_a_worker_it_says_what_that_means(admin_client: Client) -> None:
    assert "No worker lives: nothing runs until one is started." in shown(admin_client)


def test_hostile_names_are_shown_as_text(admin_client: Client) -> None:
    found = worker(HOSTILE, jobs=(HOSTILE,))

    for url in (WORKERS, page_to_drain(found), f"{WORKERS}{found.pk}/change/"):
        page = shown(admin_client, url)
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;\\u202egnp.exe" in page


def test_it_asks_for_itself_and_gets_what_moves_alone(admin_client: Client) -> None:
    assert 'hx-get="?live=1" hx-trigger="every 5s, programs:look"' in shown(admin_client)
    assert "<html" not in shown(admin_client, f"{WORKERS}?live=1")


# Draining -------------------------------------------------------------------------------------


def test_a_live_worker_is_drained_with_a_reason(admin_client: Client) -> None:
    found = worker("w")
    assert page_to_drain(found) in shown(admin_client)

    answer = admin_client.post(page_to_drain(found), {"reason": "new version"}, follow=True)

    assert texts(answer) == ["Worker w is asked to drain."]
    operation = Operation.objects.get(verb=Verb.DRAIN_WORKER)
    assert (operation.subject, operation.by, operation.reason) == ("w", "admin", "new version")
    assert "draining since" in shown(admin_client)
    assert page_to_drain(found) not in shown(admin_client)


def test_what_cannot_be_drained_says_why(admin_client: Client) -> None:
    draining, silent = worker("draining"), lost("silent")
    operations.drain_worker("draining", by="grace")

    told = {
        found.name: texts(admin_client.post(page_to_drain(found), {"reason": ""}, follow=True))
        for found in (draining, silent)
    }

    assert "is draining" in told["draining"][0]
    assert "grace" in told["draining"][0]
    assert "has not been heard of" in told["silent"][0]
    assert Operation.objects.count() == 1


def test_a_worker_is_drained_by_post_and_with_a_token() -> None:
    found = worker("w")
    client = client_of(LOOK, DRAIN, enforce_csrf_checks=True)

    assert client.get(page_to_drain(found)).status_code == 200
    assert client.post(page_to_drain(found)).status_code == 403
    assert not Operation.objects.exists()


def test_who_may_only_look_is_told_which_permission_is_missing() -> None:
    found = worker("w")
    viewer = client_of(LOOK)

    page = shown(viewer)

    assert "“Can drain workers”" in page
    assert "/drain/" not in page
    assert viewer.get(page_to_drain(found)).status_code == 403
    assert viewer.post(page_to_drain(found), {"reason": ""}).status_code == 403
    assert not Operation.objects.exists()


def test_the_page_needs_the_permission_to_view_workers() -> None:
    assert client_of("view_program").get(WORKERS).status_code == 403
    assert client_of(LOOK).post(WORKERS).status_code == 405


@pytest.mark.parametrize("key", ["4711", "nonsense", "9" * 40])
def test_a_worker_that_is_not_there_is_not_found(admin_client: Client, key: str) -> None:
    assert admin_client.get(f"{WORKERS}{key}/drain/").status_code == 404


@pytest.mark.urls("tests.two_sites")
def test_it_works_in_a_site_of_ones_own(admin_client: Client) -> None:
    found = worker("w")
    claim(create_program(["noop"]))
    lever = f"/ops/programs/worker/{found.pk}/drain/"

    page = shown(admin_client, "/ops/programs/worker/")
    answer = admin_client.post(lever, {"reason": ""})

    assert f'href="{lever}"' in page
    assert 'href="/admin/' not in page + shown(admin_client, lever)
    assert answer["Location"] == "/ops/programs/worker/"

"""The overview: how things stand, in one page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib import admin
from django.test import Client, override_settings
from django.urls import path
from pytest_django import DjangoAssertNumQueries

from programs.admin import overview
from programs.admin.charts import bar_chart
from programs.admin.overview import recent_endings, recent_jobs
from programs.inspection import Count
from programs.inspection.recent import Recent
from programs.inspection.statistics import Recently
from programs.models import Ending, Operation, Program, State, Worker
from programs.submission import create_program
from tests.clients import VIEW, client_of
from tests.console import LIST, add_attempt, failing, program_in, run

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

PAGE = f"{LIST}overview/"
HOSTILE = '<script>alert("x")</script>\u202egnp.exe'


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """Let no page show what another test's programs did."""
    for recent in (recent_endings, recent_jobs):
        recent.forget()
    yield
    for recent in (recent_endings, recent_jobs):
        recent.forget()


def overview_of(client: Client, url: str = PAGE) -> str:
    return client.get(url).content.decode()


def test_it_counts_the_programs_in_each_state_and_leads_to_them(admin_client: Client) -> None:
    for state in State:
        program_in(state)

    page = overview_of(admin_client)

    for state in State:
        assert f'href="{LIST}?state={state.value}"><b>1</b>' in page


def test_it_counts_no_further_than_a_page_may(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = {State.WAITING: Count(10_000, False)}
    monkeypatch.setattr(overview, "counts", lambda: many)

    assert "<b>more than 10,000</b>" in overview_of(admin_client)


def test_it_draws_what_ended_lately_and_says_it_in_a_table(admin_client: Client) -> None:
    for state in (State.FINISHED, State.FINISHED, State.ERRORED):
        program_in(state)
    Program.objects.create(
        run_id="old", jobs=["noop"], finished_at=datetime.now(UTC) - timedelta(hours=5)
    )

    page = overview_of(admin_client)

    assert "Finished per minute: " in page
    assert ">2 in all, at most " in page  # of the last hour
    assert ">3 in all, at most " in page  # of the last day
    assert page.count("<figure") == 4
    assert page.count("As a table") == 2


def test_without_programs_it_says_so(admin_client: Client) -> None:
    page = overview_of(admin_client)

    assert page.count(">none</span>") == 4
    assert "No program waits for a slot." in page
    assert "No job has run yet." in page
    assert "No attempt failed." in page


def test_it_ranks_jobs_by_their_times_and_by_their_failures(admin_client: Client) -> None:
    program = create_program(["noop"])
    now = datetime.now(UTC)
    for epoch, (job, took) in enumerate(
        [("slow", 90.0), ("slow", 30.0), ("quick", 0.004), ("quick", 0.004)]
    ):
        program.attempts.create(
            step=0,
            job=job,
            number=1,
            epoch=epoch,
            worker="w/0.1",
            started_at=now - timedelta(seconds=took),
            ended_at=now,
            outcome=Ending.ERRORED if job == "quick" else Ending.SUCCEEDED,
        )

    slowest, failing_ones = overview_of(admin_client).split('id="failing"')

    assert slowest.index(">slow<") < slowest.index(">quick<")
    assert "1 min 30 s" in slowest
    assert "<td>4 ms</td>" in slowest
    assert "newest 4 attempts" in slowest
    assert ">slow<" not in failing_ones
    assert "<td>2</td><td>2</td><td>100.0 %</td>" in failing_ones


def test_it_tells_for_how_long_the_oldest_of_a_queue_waits(admin_client: Client) -> None:
    for minutes in (2, 90):
        program = create_program(["noop"], queue="reports")
        due_at = datetime.now(UTC) - timedelta(minutes=minutes)
        Program.objects.filter(pk=program.pk).update(due_at=due_at)
    create_program(["noop"], queue="later", run_at=datetime.now(UTC) + timedelta(hours=1))

    page = overview_of(admin_client)

    assert f'href="{LIST}?queue=reports&amp;state=waiting"' in page
    assert "1 h 30 min" in page
    assert "queue=later" not in page


def test_what_costs_much_is_found_out_once_in_a_while(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Recent[Recently](600.0)  # on a slow machine, too
    monkeypatch.setattr(overview, "recent_jobs", kept)
    program_in(State.FINISHED)
    assert "newest 2 attempts" in overview_of(admin_client)

    add_attempt(create_program(["noop"]))

    assert "newest 2 attempts" in overview_of(admin_client)
    kept.forget()
    assert "newest 3 attempts" in overview_of(admin_client)


def test_it_takes_a_bounded_number_of_queries(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(70):
        create_program(["noop"], queue=f"q{number:02}")
        run(create_program(["behave"], failing()))

    with django_assert_max_num_queries(68):  # 50 queues, 8 states, 4 endings, attempts, session
        page = overview_of(admin_client)

    assert "There are more than 50 queues" in page
    assert "And 35 more." in page  # of those 50


def test_it_asks_for_itself_and_gets_what_moves_alone(admin_client: Client) -> None:
    whole, part = overview_of(admin_client), overview_of(admin_client, f"{PAGE}?live=1")

    assert 'hx-get="?live=1" hx-trigger="every 10s, programs:look"' in whole
    assert part.lstrip().startswith('<div id="programs-overview"')
    assert "<html" not in part


def test_hostile_names_are_shown_as_text(admin_client: Client) -> None:
    create_program(["noop"], queue='<script>"a/b')
    program = create_program(["noop"])
    add_attempt(program, started_at=datetime.now(UTC))
    program.attempts.update(job=HOSTILE)

    page = overview_of(admin_client)

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;\\u202egnp.exe" in page
    assert '<script>"a/b' not in page
    assert "%3Cscript%3E%22a%2Fb" in page


def test_it_needs_the_permission_to_view_programs() -> None:
    assert client_of("view_worker").get(PAGE).status_code == 403
    assert client_of(VIEW).get(PAGE).status_code == 200
    assert Client().get(PAGE).status_code == 302


def test_it_leads_to_what_its_reader_may_see() -> None:
    page = overview_of(client_of(VIEW, "view_queue"))

    assert 'href="/admin/programs/queue/">Queues' in page
    assert 'href="/admin/programs/operation/"' not in page


def test_the_index_of_the_app_leads_there() -> None:
    assert f'href="{PAGE}"' in client_of(VIEW).get("/admin/programs/").content.decode()
    assert PAGE not in client_of("view_worker").get("/admin/programs/").content.decode()


def test_the_index_of_a_site_without_programs_leads_nowhere(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = admin.AdminSite(name="few")
    few.register(Worker)
    urls = [path("few/", few.urls)]
    monkeypatch.setattr(sys.modules[__name__], "urlpatterns", urls, raising=False)

    with override_settings(ROOT_URLCONF=__name__):
        index = overview_of(admin_client, "/few/programs/")

    assert 'href="/few/programs/worker/"' in index
    assert "Overview" not in index


def test_nothing_is_done_there(admin_client: Client) -> None:
    program_in(State.WAITING)

    assert admin_client.post(PAGE, {"_selected_action": "1"}).status_code == 405
    assert not Operation.objects.exists()


@pytest.mark.urls("tests.two_sites")
def test_it_works_in_a_site_of_ones_own(admin_client: Client) -> None:
    program_in(State.WAITING)

    page = overview_of(admin_client, "/ops/programs/program/overview/")

    index = overview_of(admin_client, "/ops/programs/")

    assert 'href="/ops/programs/program/?state=waiting"' in page
    assert 'href="/ops/programs/program/overview/"' in index
    assert 'href="/admin/' not in page + index


def test_bars_are_drawn_from_nothing_to_the_highest() -> None:
    chart = bar_chart("k", "finished", "t", "minute", [("1", 0), ("2", 1), ("3", 1000)])

    assert [(bar.y, bar.height) for bar in chart.bars] == [("98.0", "2.0"), ("0.0", "100.0")]
    assert (chart.width, chart.highest) == (30, "1,000")
    assert chart.ticks == ["1", "2", "3"]

"""The list of programs: its rows, filters, counts and pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from programs.admin import listing
from programs.inspection import selection
from programs.models import Program, State, Worker
from programs.submission import create_program
from tests.clients import VIEW, client_of
from tests.console import LIST, claim, failing, page_of, program_in, run

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

QUERIES = 16  # of a page, at most, however many rows there are
# Days, as the fields show them: the first moment that is meant, and the first that is not.
MOMENTS = {"2019-12-31": "2019-12-31T00:00:00", "2020-01-01": "2020-01-02T00:00:00"}
HOSTILE = "\"><script>alert('\u202e')</script>"


def read(client: Client, **given: str) -> str:
    answer = client.get(LIST, given)
    assert answer.status_code == 200
    return answer.content.decode()


def listed(page: str) -> list[str]:
    """Return the run ids of the rows, in their order."""
    return re.findall(r'<th scope="row".*?<bdi>(.*?)</bdi>', page)


def link(page: str, text: str) -> str:
    """Return the address of the first link of this text."""
    found = re.search(rf'<a href="([^"]*)"[^>]*>{re.escape(text)}<', page)
    assert found, text
    return LIST + unescape(found[1]).removeprefix(LIST)


def count_of(page: str, state: str) -> str:
    found = re.search(rf'id="count-{state}"[^>]*>(.*?)<', page)
    assert found
    return found[1]


# Rows -----------------------------------------------------------------------------------------


def test_a_row_says_where_its_program_stands_and_leads_to_it(admin_client: Client) -> None:
    program = create_program(
        ["noop", "behave", "noop"], failing("no such order"), created_by="hopper", queue="default"
    )
    run(program)

    page = read(admin_client)

    assert "step 2 of 3: behave" in page
    assert "no such order" in page
    assert ">hopper</bdi>" in page
    assert f'data-href="{page_of(program)}"' in page
    assert admin_client.get(link(page, "<bdi>" + program.run_id)).status_code == 200


def test_a_row_says_who_holds_its_program_and_which_retry_is_next(admin_client: Client) -> None:
    held = claim(create_program(["noop"]))
    again = program_in(State.SCHEDULED)
    Program.objects.filter(pk=again.pk).update(step_retry_count=2, error_message="no answer")

    page = read(admin_client)

    assert f"held by {held.worker}</bdi>" in page
    assert "retry 2 of 3: no answer</bdi>" in page


def test_a_row_says_when_its_program_is_due_or_when_it_ended(admin_client: Client) -> None:
    program = program_in(State.ERRORED)
    Program.objects.update(errored_at=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))
    scheduled = program_in(State.SCHEDULED)
    assert scheduled.due_at is not None

    assert f"{scheduled.due_at:%Y-%m-%d %H:%M:%S}" in read(admin_client)
    page = read(admin_client, state="errored")

    assert listed(page) == [program.run_id]
    assert "2026-03-04 05:06:07" in page


def test_rows_that_another_program_inserted_badly_are_shown(admin_client: Client) -> None:
    Program.objects.create(run_id="odd", jobs=["noop"], step=7)
    Program.objects.create(run_id="worse", jobs="noop")
    Program.objects.create(run_id="worst", jobs=[{"a": 1}, None])

    page = read(admin_client)

    assert "step 8 of 1: no such job" in page
    assert "step 1 of 0: no such job" in page
    assert "inserted by another program" in page
    assert sorted(listed(page)) == ["odd", "worse", "worst"]


def test_what_others_wrote_is_text_and_cannot_turn_what_stands_beside_it(
    admin_client: Client,
) -> None:
    Program.objects.create(
        run_id=HOSTILE, jobs=[HOSTILE], queue=HOSTILE, created_by=HOSTILE, error_message=HOSTILE
    )
    Worker.register(
        name=HOSTILE, host="h", pid=1, queues=[HOSTILE], slots=1, jobs=[HOSTILE], version="1"
    )

    for given in ({}, {"q": HOSTILE}, {"queue": HOSTILE}, {"since": HOSTILE}, {"older": HOSTILE}):
        page = read(admin_client, **given)

        assert "<script>alert" not in page
        shown = re.sub(r'<input[^>]* value="[^"]*"', "", page)  # a field holds what was typed
        assert "\u202e" not in shown


# States ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(State))
def test_a_state_is_chosen_by_its_chip(admin_client: Client, state: State) -> None:
    expected = program_in(state)
    program_in(State.WAITING if state is not State.WAITING else State.PAUSED)
    everything = read(admin_client)

    page = admin_client.get(link(everything, state.label + " ")).content.decode()

    assert len(listed(everything)) == 2
    assert listed(page) == [expected.run_id]
    assert f'programs-{state.value}">{state.label}<' in page
    assert f'state={state.value}" aria-current="page"' in page


def test_chips_count_each_state_as_far_as_one_counts(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "COUNTED", 2)
    for state in (State.PAUSED, State.PAUSED, State.WAITING, State.WAITING, State.WAITING):
        program_in(state)

    page = read(admin_client, state="paused")

    assert count_of(page, "paused") == "2"
    assert count_of(page, "waiting") == "2+"
    assert count_of(page, "finished") == "0"


def test_chips_keep_the_other_filters_and_count_nothing_then(admin_client: Client) -> None:
    page = read(admin_client, queue="reports", q="é&", state="paused", older="2026~1")

    assert "?state=errored&amp;q=%C3%A9%26&amp;queue=reports" in page
    assert count_of(page, "paused") == ""


# Filters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"queue": "reports"},
        {"q": "no such order"},
        {"q": "HOPPER"},
        {"q": "behav"},
        {"job": "behave"},
        {"worker": "w9"},
        {"until": "2020-01-01T00:00:00"},
        {"since": "2019-12-31", "until": "2020-01-01"},
    ],
)
def test_programs_are_found_by_each_filter(admin_client: Client, given: dict[str, str]) -> None:
    found = create_program(["behave"], queue="reports", created_by="hopper")
    create_program(["noop"])
    Program.objects.filter(pk=found.pk).update(
        error_message="there is no such order",
        worker="w9/0.1",
        created_at=datetime(2019, 12, 31, 12, tzinfo=UTC),
    )

    page = read(admin_client, **given)

    assert listed(page) == [found.run_id]
    for name, text in given.items():
        assert re.search(rf'name="{name}" value="{MOMENTS.get(text, text)}"', page), name


def test_a_program_is_found_by_its_run_id(admin_client: Client) -> None:
    found, other = create_program(["noop"]), create_program(["noop"])

    assert listed(read(admin_client, q=found.run_id)) == [found.run_id]
    assert listed(read(admin_client, q=other.run_id[:20])) in ([other.run_id], [])


def test_fields_propose_what_is_known(admin_client: Client) -> None:
    Worker.register(
        name="w7", host="h", pid=1, queues=["reports"], slots=1, jobs=["far_away"], version="1"
    )

    page = read(admin_client)

    for name in ("w7", "reports", "far_away", "default", "noop"):
        assert f'<option value="{name}">' in page


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("since", "yesterday", "Must be a day or a moment"),
        ("until", "2026-13-01", "Must be a day or a moment"),
        ("q", "x" * 256, "Must be at most 255 characters"),
        ("queue", "a\0b", "Must be at most 255 characters"),
        ("state", "asleep", "Must be one of scheduled, waiting"),
        ("older", "yesterday", "Is no cursor that a page has given"),
        ("older", "2026-01-01~1", "Is no cursor that a page has given"),
    ],
)
def test_a_wrong_parameter_is_told_beside_its_field_and_nothing_is_lost(
    admin_client: Client, name: str, text: str, reason: str
) -> None:
    create_program(["noop"])

    page = read(admin_client, **{"job": "noop", name: text})

    assert '<p class="errornote">' in page
    assert reason in page
    assert listed(page) == []
    assert 'name="job" value="noop"' in page
    if name not in ("state", "older"):
        assert f'id="search-{name}-error"' in page
        assert re.search(rf'name="{name}" value="{text}"[^>]* aria-invalid="true"', page)


# Pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{}, {"state": "waiting"}, {"job": "noop"}])
def test_one_goes_through_all_pages_and_back(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 2)
    made = [create_program(["noop"]).run_id for _ in range(5)]

    first = read(admin_client, **given)
    second = admin_client.get(link(first, "Older")).content.decode()
    third = admin_client.get(link(second, "Older")).content.decode()

    assert listed(first) + listed(second) + listed(third) == made[::-1]
    assert ">Older<" not in third
    assert listed(admin_client.get(link(third, "Newest")).content.decode()) == made[:2:-1]
    for name, text in given.items():
        assert f"{name}={text}" in link(second, "Older")


def test_a_search_that_paused_says_how_far_it_came_and_goes_on(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "WINDOW", 3)
    monkeypatch.setattr(listing, "WINDOW", 3)
    oldest = create_program(["noop"], created_by="hopper")
    for day in range(1, 6):
        newer = create_program(["noop"])
        at = datetime(2030, 1, day, tzinfo=UTC)
        Program.objects.filter(pk=newer.pk).update(created_at=at)

    page = read(admin_client, q="hopper")

    assert listed(page) == []
    assert "Looked through the newest 3 programs, back to 2030-01-02 00:00:00." in page
    further = admin_client.get(link(page, "Search older ones")).content.decode()
    assert listed(further) == [oldest.run_id]


# Who may do what ------------------------------------------------------------------------------


def test_nobody_sees_the_list_without_the_permission() -> None:
    assert client_of("add_program").get(LIST).status_code == 403
    assert client_of("add_program").get(LIST, {"live": "1"}).status_code == 403


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_the_list_changes_nothing(admin_client: Client, method: str) -> None:
    answer: HttpResponse = getattr(admin_client, method)(LIST)

    assert answer.status_code == 405


def test_links_are_those_of_pages_that_the_user_may_see() -> None:
    page = read(client_of(VIEW, "view_worker"))
    main = page.partition("<main")[2]

    assert ">Create<" not in main
    assert 'href="/admin/programs/worker/"' in main
    assert 'href="/admin/programs/operation/"' not in main


# The cost -------------------------------------------------------------------------------------


@pytest.mark.parametrize("older", [{}, {"older": "2099-01-01T00:00:00+00:00~1"}])
@pytest.mark.parametrize("given", [{}, {"state": "scheduled"}, {"q": "noop"}, {"worker": "w"}])
def test_a_page_takes_no_more_queries_for_many_programs(
    django_assert_max_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, str],
    older: dict[str, str],
) -> None:
    monkeypatch.setattr(selection, "COUNTED", 10)
    monkeypatch.setattr(selection, "WINDOW", 30)
    later = datetime.now(UTC) + timedelta(hours=1)
    for _ in range(60):
        create_program(["noop"], run_at=later)
    grace = client_of(VIEW, "stop_program", "pause_program")

    with django_assert_max_num_queries(QUERIES) as queries:
        read(grace, **given, **older)

    assert not any("program_data" in query["sql"] for query in queries.captured_queries)


def test_without_htmx_the_page_is_whole_and_does_not_ask(
    admin_client: Client, settings: Settings
) -> None:
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "django_htmx"]
    program = create_program(["noop"])

    page = read(admin_client)

    assert listed(page) == [program.run_id]
    assert "hx-get" not in page
    assert "htmx-2.min.js" not in page

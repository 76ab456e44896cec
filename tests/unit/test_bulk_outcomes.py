"""The console: how far a bulk operation is, and what became of each program."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import Client

from programs import operations
from programs.admin import outcomes
from programs.admin.outcomes import bulk_outcomes
from programs.bulk import start
from programs.inspection import Selection
from programs.models import BulkOutcome, Program, State, Verb
from programs.submission import create_program
from tests.clients import VIEW, client_of
from tests.console import LIST, program_in, run

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]


def outcomes_url(program: Program, query: str = "") -> str:
    return f"{LIST}{program.pk}/outcomes/{query}"


def carrier(number: int = 0, refused: int = 0, refusal: str = "it is finished") -> Program:
    """Return a bulk operation that has gone over so many programs, which are gone since."""
    program = start(Verb.STOP, selection=Selection(), by="ada", reason="a flood", total=number)
    rows = [BulkOutcome(bulk=program, run_id=f"{place:024x}") for place in range(number)]
    for row in rows[:refused]:
        row.refusal = refusal
    BulkOutcome.objects.bulk_create(rows)
    program.job_data = {"programs.bulk": {"done": number - refused, "refused": refused}}
    program.save()
    return program


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", page)))


def section(program: Program) -> str:
    """Return the part of the program's page that tells of a bulk operation."""
    context = {"bulk": bulk_outcomes(program), "program": program}
    return render_to_string("admin/programs/program/bulk_outcomes.html", context)


def test_it_tells_what_was_asked_for_how_far_it_is_and_links_to_each_program() -> None:
    waiting, finished = program_in(State.WAITING), program_in(State.FINISHED)
    program = start(Verb.STOP, run_ids=[waiting.run_id, finished.run_id], by="ada", reason="flood")

    before = text_of(section(program))
    run(program)
    program.refresh_from_db()
    page = section(program)
    after = text_of(page)

    assert "Stop 2 selected programs" in before
    assert "0 done, 0 refused, of 2." in before
    assert "1 done, 1 refused." in after
    assert "flood" in after
    assert f"{finished.run_id} refused program {finished.run_id} is finished" in after
    assert after.index(finished.run_id) < after.index(waiting.run_id)  # the refused ones first
    for each in (waiting, finished):
        assert f'href="{LIST}{each.pk}/change/"' in page
    assert f'href="{outcomes_url(program)}"' in page


def test_it_shows_its_progress_while_it_is_open() -> None:
    program = carrier(8, refused=3)
    order = program.program_data
    Program.objects.filter(pk=program.pk).update(program_data={**order, "total": 10})
    program.refresh_from_db()

    assert '<progress value="8" max="10" aria-label="Programs treated">' in section(program)
    operations.stop_program(program)
    program.refresh_from_db()
    assert "<progress" not in section(program)


def test_it_tells_so_where_it_is_not_known_how_many_there_are() -> None:
    program = start(Verb.STOP, selection=Selection(), by="ada")

    page = section(program)

    assert "0 done, 0 refused so far." in page
    assert "<progress" not in page


def test_its_filters_are_told_in_words() -> None:
    given = {"state": "errored", "q": "no space", "since": "2026-01-31", "queue": "a/b"}
    program = start(Verb.RETRY, selection=Selection.parse(given), by="ada")

    report = bulk_outcomes(program)

    assert report is not None
    assert report.heading == "Retry all programs that match"
    assert dict(report.facts).items() >= {
        ("state", "errored"),
        ("text", "no space"),
        ("queue", "a/b"),
        ("errored since", "2026-01-31 00:00:00"),
    }


@pytest.mark.parametrize("program_data", [{}, {"verb": "edit"}, {"verb": "stop", "run_ids": [[]]}])
def test_a_program_that_is_none_or_that_was_broken_by_hand_has_no_report(
    program_data: dict[str, Any], admin_client: Client
) -> None:
    program = create_program(["programs.bulk"], program_data)
    other = create_program(["noop"])

    for each in (program, other):
        assert bulk_outcomes(each) is None
        assert section(each).strip() == ""
        assert admin_client.get(outcomes_url(each)).status_code == 404


def test_the_page_of_outcomes_goes_on_to_older_ones_until_all_were_seen(
    admin_client: Client,
) -> None:
    program = carrier(250, refused=120)

    seen: list[str] = []
    query = ""
    while True:
        page = admin_client.get(outcomes_url(program, query)).context["page"]
        seen += [outcome.run_id for outcome in page.outcomes]
        if not page.older:
            break
        query = f"?before={page.older}"

    every = BulkOutcome.objects.filter(bulk=program).order_by("-run_id")
    assert seen == list(every.values_list("run_id", flat=True))


@pytest.mark.parametrize("window", [7, 50, 1000])
def test_those_of_one_kind_are_all_found_a_part_at_a_time(
    window: int, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "WINDOW", window)
    monkeypatch.setattr(outcomes, "PAGE_SIZE", 5)
    program = carrier(60, refused=12)

    seen: list[str] = []
    query = "?only=refused"
    while True:
        page = admin_client.get(outcomes_url(program, query)).context["page"]
        seen += [outcome.run_id for outcome in page.outcomes]
        if not page.older:
            break
        query = f"?only=refused&before={page.older}"

    refused = BulkOutcome.objects.filter(bulk=program).refused().order_by("-run_id")
    assert seen == list(refused.values_list("run_id", flat=True))


@pytest.mark.parametrize("query", ["?only=nonsense", "?before=%00", f"?before={'x' * 256}"])
def test_a_wrong_address_of_outcomes_is_not_found(admin_client: Client, query: str) -> None:
    assert admin_client.get(outcomes_url(carrier(1), query)).status_code == 404


def test_outcomes_ask_the_database_no_more_for_many_programs(
    django_assert_max_num_queries: Any,
) -> None:
    program = carrier(200, refused=80)
    client = client_of(VIEW)

    with django_assert_max_num_queries(8):
        client.get(outcomes_url(program, "?only=done"))
    with django_assert_max_num_queries(6):
        bulk_outcomes(program)


def test_outcomes_are_for_those_who_may_view_and_nothing_is_changed_there() -> None:
    program = carrier(1)

    assert client_of("stop_program").get(outcomes_url(program)).status_code == 403
    assert client_of(VIEW).get(outcomes_url(program)).status_code == 200
    assert client_of(VIEW).post(outcomes_url(program)).status_code == 405


def test_hostile_outcomes_only_stand_there(admin_client: Client) -> None:
    program = carrier(2, refused=1, refusal="<script>alert('x')</script>\u202egnp.exe")
    BulkOutcome.objects.create(bulk=program, run_id="<b>\u202e'&?#/")

    for page in (section(program), admin_client.get(outcomes_url(program)).content.decode()):
        assert "<script>alert" not in page
        assert "&lt;b&gt;\\u202e&#x27;&amp;?#/" in page
        assert "\u202e" not in page


def test_a_cursor_of_odd_letters_leads_on(admin_client: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr(outcomes, "PAGE_SIZE", 1)
    program = carrier(1)
    BulkOutcome.objects.create(bulk=program, run_id="a&b=c/#? d")

    page = admin_client.get(outcomes_url(program)).content.decode()
    match = re.search(r'href="(\?only=[^"]*before=[^"]+)"', page)
    assert match is not None
    after = admin_client.get(outcomes_url(program, unescape(match[1]))).context["page"]

    assert [outcome.run_id for outcome in after.outcomes] == ["0" * 24]


@pytest.mark.urls("tests.two_sites")
def test_it_stays_in_the_admin_site_that_it_was_begun_in(admin_client: Client) -> None:
    waiting = program_in(State.WAITING)
    address = f"/ops/programs/program/bulk/?verb=stop&run_id={waiting.run_id}"

    form = admin_client.get(address).context["form"]
    sent = {"token": form["token"].value(), "up_to": form["up_to"].value()}
    response = admin_client.post(address, sent)
    program = Program.objects.latest("pk")
    run(program)

    assert response["Location"] == f"/ops/programs/program/{program.pk}/change/"
    for url in (response["Location"], f"/ops/programs/program/{program.pk}/outcomes/"):
        page = admin_client.get(url).content.decode()
        assert f'href="/ops/programs/program/{waiting.pk}/change/"' in page
        assert 'href="/admin/' not in page

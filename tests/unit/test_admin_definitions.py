"""The console's pages of definitions: the list, the page of one, and who may do what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from programs.definition import save_definition, start_program
from programs.models import Definition, Operation, Program, Schedule, Tick, TickOutcome, Verb
from tests.clients import VIEW, client_of
from tests.console import LIST, page_of, run, texts
from tests.scheduling import Defined, define, scheduled

__all__ = ["define"]

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

DEFINITIONS = "/admin/programs/definition/"
LOOK, START = "view_definition", "start_definition"
HOSTILE = "<script>alert(1)</script>'\"\u202e"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;&#x27;&quot;\\u202e"


def page_for(deed: str, name: str = "orders") -> str:
    return f"{DEFINITIONS}{name}/{deed}/"


def shown(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, url
    return answer.content.decode()


@pytest.fixture
def orders() -> Definition:
    return save_definition("orders", ["noop", "count"], description="Fetches orders.", by="ada")


# The list -------------------------------------------------------------------------------------


def test_the_list_shows_those_in_code_and_those_made_here_with_their_last_run(
    admin_client: Client, define: Defined, orders: Definition
) -> None:
    define("nightly", "noop", description="Every night.")
    run(start_program("orders"))

    answer = admin_client.get(DEFINITIONS)

    rows = {row.name: row for row in answer.context["definitions"]}
    assert (rows["nightly"].origin, rows["orders"].origin) == ("in code", "made here")
    assert ">finished</span>" in rows["orders"].last_state
    assert rows["nightly"].last_state == "-"
    assert page_for("start") in answer.content.decode()


@pytest.mark.parametrize("jobs", [5, "noop", {"noop": 1}, ["noop", 5, None], [["noop"]]])
def test_the_list_opens_whatever_somebody_wrote_into_a_row(
    admin_client: Client, orders: Definition, jobs: object
) -> None:
    Definition.objects.update(jobs=jobs)

    for url in (DEFINITIONS, page_for("change"), page_for("edit"), "/api/definitions/"):
        assert "orders" in shown(admin_client, url)


def test_the_list_is_searched_by_name_and_description(
    admin_client: Client, define: Defined, orders: Definition
) -> None:
    define("nightly", "noop", description="Every night.")

    for words, names in (("ORDER", ["orders"]), ("every", ["nightly"]), ("\0%", [])):
        answer = admin_client.get(DEFINITIONS, {"q": words})
        assert [row.name for row in answer.context["definitions"]] == names


def test_the_list_takes_as_many_queries_for_many_as_for_few(
    admin_client: Client, orders: Definition, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    start_program("orders")
    with CaptureQueriesContext(connection) as for_few:
        admin_client.get(DEFINITIONS)
    for number in range(30):
        save_definition(f"orders-{number}", ["noop"])
        start_program(f"orders-{number}")

    with django_assert_num_queries(len(for_few)):
        admin_client.get(DEFINITIONS)


# The page of one ------------------------------------------------------------------------------


def test_the_page_tells_jobs_data_and_that_code_is_changed_in_code(
    admin_client: Client, define: Defined
) -> None:
    define("nightly", "noop", "count", program_data={"year": 2025}, description="Every night.")

    page = shown(admin_client, page_for("change", "nightly"))

    assert "Every night." in page
    assert "It is registered in code, and changed there." in page
    assert "2025" in page
    assert page_for("start", "nightly") in page
    for deed in ("edit", "delete"):
        assert page_for(deed, "nightly") not in page
        assert admin_client.get(page_for(deed, "nightly")).status_code in (403, 404)


def test_the_page_tells_how_the_last_runs_went(admin_client: Client, orders: Definition) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(1, 5):
        program = start_program("orders")
        ended = {"errored_at" if number == 4 else "finished_at": begin + timedelta(seconds=number)}
        Program.objects.filter(pk=program.pk).update(started_at=begin, due_at=None, **ended)
    waiting = start_program("orders", created_by="grace")

    answer = admin_client.get(page_for("change"))

    assert dict(answer.context["record"]) == {
        "success rate": "75 %",
        "of the last 4 that ended": "3 finished, 1 errored",
        "run time, median": "2 s",
        "95 of 100 finish within": "3 s",
    }
    runs = answer.context["runs"]
    assert [each.took for each in runs] == ["", "4.00 s", "3.00 s", "2.00 s", "1.00 s"]
    assert (runs[0].run_id, runs[0].by) == (waiting.run_id, "grace")
    assert f'href="{page_of(waiting)}"' in answer.content.decode()
    assert f'href="{LIST}?definition=orders"' in answer.content.decode()


def test_the_page_reads_no_more_of_many_runs_than_of_few(
    admin_client: Client, orders: Definition, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    start_program("orders")
    scheduled("orders")
    with CaptureQueriesContext(connection) as for_few:
        admin_client.get(page_for("change"))
    for _ in range(30):
        start_program("orders")
        scheduled("orders")

    with django_assert_num_queries(len(for_few)):
        answer = admin_client.get(page_for("change"))
    assert len(answer.context["runs"]) == 20
    assert len(answer.context["schedules"]) == 20


def test_the_page_shows_its_schedules_and_what_they_missed_or_were_refused(
    admin_client: Client, orders: Definition
) -> None:
    schedule = scheduled("orders", interval=3600, description="each hour")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for hour, outcome in enumerate((TickOutcome.MISSED, TickOutcome.REFUSED, TickOutcome.SKIPPED)):
        message = f"because of {outcome}"
        moment = at + timedelta(hours=hour)
        Tick.objects.create(schedule=schedule, at=moment, outcome=outcome, message=message, count=3)

    page = shown(admin_client, page_for("change"))

    assert f'href="/admin/programs/schedule/{schedule.pk}/change/"' in page
    assert "Every hour" in page
    assert "because of missed" in page
    assert "(3 times, this is the last)" in page
    assert "because of refused" in page
    assert "because of skipped" not in page


def test_who_may_not_see_programs_or_schedules_sees_none_here(orders: Definition) -> None:
    run_id = start_program("orders").run_id
    schedule = scheduled("orders", description="each minute")

    page = shown(client_of(LOOK), page_for("change"))
    row = client_of(LOOK).get(DEFINITIONS).context["definitions"][-1]

    assert run_id not in page
    assert f"/schedule/{schedule.pk}/" not in page
    assert row.last_state == "-"


def test_a_definition_whose_job_vanished_says_so_and_does_not_start(
    admin_client: Client, define: Defined
) -> None:
    define("nightly", "noop", "vanished")

    page = shown(admin_client, page_for("change", "nightly"))
    answer = admin_client.post(page_for("start", "nightly"), {"queue": "default"}, follow=True)

    assert "known to nobody now" in page
    assert f'href="{page_for("start", "nightly")}"' not in page
    assert texts(answer) == [
        "Nothing was started: neither this process nor a live worker knows vanished."
    ]
    assert not Program.objects.exists()


def test_what_others_wrote_into_a_definition_is_shown_as_text(admin_client: Client) -> None:
    save_definition("orders", ["noop"], description=HOSTILE, program_data={HOSTILE: HOSTILE})
    Definition.objects.update(jobs=[HOSTILE], queue=HOSTILE, created_by=HOSTILE)

    for url in (DEFINITIONS, page_for("change"), page_for("edit"), page_for("delete")):
        page = shown(admin_client, url)
        assert "<script>alert" not in page
        assert "\u202e" not in page
    assert ESCAPED in shown(admin_client, page_for("change"))


def test_secrets_are_shown_to_who_may_see_them_only(admin_client: Client) -> None:
    save_definition("orders", ["noop"], program_data={"token": "t0psecret"})

    assert "t0psecret" in shown(admin_client, page_for("change"))
    client = client_of(LOOK, START, "change_definition")
    for deed in ("change", "start", "edit"):
        assert "t0psecret" not in shown(client, page_for(deed))


@pytest.mark.parametrize("name", ["nobody", "_00", "a" * 200, "x%20y"])
def test_a_definition_that_is_not_there_is_not_found(admin_client: Client, name: str) -> None:
    for deed in ("change", "start", "edit", "delete"):
        assert admin_client.get(page_for(deed, name)).status_code == 404


# Deleting -------------------------------------------------------------------------------------


def test_a_definition_is_deleted_with_a_reason_and_its_programs_stay(
    admin_client: Client, orders: Definition
) -> None:
    start_program("orders")

    answer = admin_client.post(page_for("delete"), {"reason": "no longer sold"})

    assert answer["Location"] == DEFINITIONS
    assert not Definition.objects.exists()
    assert Program.objects.get().definition == "orders"
    deed = Operation.objects.get(verb=Verb.DELETE_DEFINITION)
    assert (deed.subject, deed.by, deed.reason) == ("orders", "admin", "no longer sold")
    assert LogEntry.objects.get().object_id == "orders"


def test_a_definition_with_schedules_is_not_deleted_and_says_how_many(
    admin_client: Client, orders: Definition
) -> None:
    scheduled("orders")

    answer = admin_client.post(page_for("delete"), {"reason": ""})

    assert "has 1 schedule: delete them first" in answer.content.decode()
    assert Definition.objects.exists()
    assert not LogEntry.objects.exists()


def test_one_that_code_hides_can_be_deleted(
    admin_client: Client, define: Defined, orders: Definition
) -> None:
    define("orders", "noop")
    assert "hides it" in shown(admin_client, page_for("change"))

    admin_client.post(page_for("delete"), {"reason": ""})

    assert not Definition.objects.exists()
    assert "hides it" not in shown(admin_client, page_for("change"))


# Who may do what ------------------------------------------------------------------------------

PERMISSIONS = {
    "start": (START, "Can start programs from definitions"),
    "edit": ("change_definition", "Can change definition"),
    "delete": ("delete_definition", "Can delete definition"),
}


@pytest.mark.parametrize("deed", PERMISSIONS)
def test_each_deed_needs_its_own_permission_and_that_to_look(orders: Definition, deed: str) -> None:
    own, name = PERMISSIONS[deed]
    others = {codename for codename, _ in PERMISSIONS.values()} - {own}
    given = {"queue": "default", "jobs": "noop"}

    page = shown(client_of(LOOK, *others), page_for("change"))
    assert f"needs the permission “{name}”" in page
    for held in ((LOOK, *others), (own,)):
        client = client_of(*held)
        assert client.get(page_for(deed)).status_code == 403
        assert client.post(page_for(deed), given).status_code == 403
    assert not Program.objects.exists()
    assert Definition.objects.get().jobs == ["noop", "count"]
    assert client_of(LOOK, own).get(page_for(deed)).status_code == 200


@pytest.mark.parametrize("deed", PERMISSIONS)
def test_nothing_is_done_without_a_post_and_its_token(orders: Definition, deed: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create_superuser("ada"))
    given = {"queue": "default", "jobs": "noop"}

    assert strict.get(page_for(deed), given).status_code == 200
    assert strict.post(page_for(deed), given).status_code == 403
    assert not Program.objects.exists()
    assert Definition.objects.get().jobs == ["noop", "count"]


def test_list_and_page_are_for_who_may_view_definitions(orders: Definition) -> None:
    client = client_of(VIEW, START, "view_schedule")

    assert client.get(DEFINITIONS).status_code == 403
    assert client.get(page_for("change")).status_code == 403
    assert client.post(DEFINITIONS).status_code == 405
    assert client_of(LOOK).post(page_for("change")).status_code == 405


@pytest.mark.urls("tests.two_sites")
def test_the_pages_work_in_a_site_of_ones_own(admin_client: Client, orders: Definition) -> None:
    Schedule.objects.all().delete()
    scheduled("orders")
    start_program("orders")
    for url in ("", "add/", "orders/change/", "orders/start/", "orders/edit/", "orders/delete/"):
        page = shown(admin_client, f"/ops/programs/definition/{url}")
        assert 'href="/admin/' not in page, url

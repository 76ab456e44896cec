"""The console: schedules made and changed, with a look at the next runs beforehand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from programs.definition import save_definition
from programs.models import CatchUp, Operation, Overlap, Schedule, Verb
from programs.scheduling import timetable
from tests.clients import client_of
from tests.scheduling import scheduled
from tests.typed import typed_job

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

SCHEDULES = "/admin/programs/schedule/"
ADD, PREVIEW = f"{SCHEDULES}add/", f"{SCHEDULES}preview/"
LOOK, MANAGE = "view_schedule", "manage_schedules"
GIVEN = {
    "definition": "orders",
    "cron": "30 2 * * *",
    "interval": "",
    "time_zone": "Europe/Berlin",
    "description": "every night",
    "overlap": "queue",
    "catch_up": "all",
    "catch_up_limit": "3",
    "program_data": '{"year": 2026}',
    "job_data": "",
}


@pytest.fixture(autouse=True)
def orders() -> None:
    save_definition("orders", ["noop"], program_data={"region": "eu"})


def edit_page(schedule: Schedule) -> str:
    return f"{SCHEDULES}{schedule.pk}/edit/"


def errors(answer: Any) -> dict[str, str]:
    assert answer.status_code == 200
    return {name: str(found) for name, found in answer.context["form"].errors.items()}


def runs(answer: Any) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = answer.context["next_runs"]
    return found


# Making one -----------------------------------------------------------------------------------


def test_a_schedule_is_made_as_asked(admin_client: Client) -> None:
    answer = admin_client.post(ADD, GIVEN)

    made = Schedule.objects.get()
    assert answer["Location"] == f"{SCHEDULES}{made.pk}/change/"
    assert (made.definition, made.cron, made.interval) == ("orders", "30 2 * * *", None)
    assert (made.time_zone, made.description) == ("Europe/Berlin", "every night")
    assert (made.overlap, made.catch_up) == (Overlap.QUEUE, CatchUp.ALL)
    assert (made.catch_up_limit, made.program_data) == (3, {"year": 2026})
    assert (made.created_by, made.next_at is None) == ("admin", False)
    deed = Operation.objects.get(verb=Verb.CREATE_SCHEDULE)
    assert (deed.subject, deed.by) == (str(made.pk), "admin")


def test_an_interval_takes_the_place_of_a_cron_expression(admin_client: Client) -> None:
    admin_client.post(ADD, {**GIVEN, "cron": "", "interval": "3600"})

    made = Schedule.objects.get()
    assert (made.cron, made.interval) == (None, 3600)


BAD_INPUT = [
    ("definition", "nobody", "there is no definition"),
    ("definition", "", "This field is required."),
    ("cron", "30 2 * *", "Has 4 fields"),
    ("cron", "61 2 * * *", "Is no cron expression"),
    ("cron", "0 0 30 2 *", "Never ticks"),
    ("cron", "", "Is missing"),
    ("interval", "60", "beside a cron expression"),
    ("interval", "0", "greater than or equal to 1"),
    ("time_zone", "Europe/Atlantis", "Is no time zone"),
    ("time_zone", "", "This field is required."),
    ("overlap", "sometimes", "Select a valid choice"),
    ("catch_up_limit", "1001", "less than or equal to 1000"),
    ("program_data", "[1]", "must be a JSON object"),
    ("job_data", '{"count": {}}', "none of the jobs"),
]


@pytest.mark.parametrize(("field", "typed", "error"), BAD_INPUT)
def test_bad_input_lands_on_its_field_and_nothing_typed_is_lost(
    admin_client: Client, field: str, typed: str, error: str
) -> None:
    given = {**GIVEN, field: typed}

    answer = admin_client.post(ADD, given)

    found = errors(answer)
    assert list(found) == [field]
    assert error.lower() in found[field].lower()
    form = answer.context["form"]
    assert {name: form[name].value() or "" for name in given} == given
    assert not Schedule.objects.exists()


def test_all_that_is_wrong_is_told_at_once(admin_client: Client) -> None:
    with typed_job():
        save_definition("days", ["import_day"])
        given = {**GIVEN, "definition": "days", "cron": "x", "program_data": '{"region": 5}'}
        found = errors(admin_client.post(ADD, given))

    assert list(found) == ["cron", "job_data"]
    assert "Job_data.import_day.day: This field is required." in found["job_data"]


def test_the_page_begins_with_the_definition_that_one_came_from(admin_client: Client) -> None:
    form = admin_client.get(ADD, {"definition": "orders"}).context["form"]

    assert form["definition"].value() == "orders"
    assert form["time_zone"].value() == timezone.get_current_timezone_name()


def test_making_one_needs_the_permission_to_manage() -> None:
    client = client_of(LOOK, "view_definition", "add_definition", "start_definition")

    assert client.get(ADD).status_code == 403
    assert client.post(ADD, GIVEN).status_code == 403
    assert client.get(PREVIEW, GIVEN).status_code == 403
    assert not Schedule.objects.exists()
    assert "“Can manage schedules”" in client.get(SCHEDULES).content.decode()


# Looking beforehand ---------------------------------------------------------------------------


def test_the_button_shows_the_next_five_runs_and_makes_nothing(admin_client: Client) -> None:
    answer = admin_client.post(ADD, {**GIVEN, "definition": "", "preview": "1"})

    assert len(runs(answer)) == 5
    assert all("02:30:00 CE" in there for there, _ in runs(answer))
    assert all(here.endswith("UTC") for _, here in runs(answer))
    assert "At 02:30 every day (Europe/Berlin)" in answer.content.decode()
    assert errors(answer) == {}
    form = answer.context["form"]
    assert {name: form[name].value() or "" for name in GIVEN} == {**GIVEN, "definition": ""}
    assert not Schedule.objects.exists()


def test_while_one_types_the_same_is_answered_alone(admin_client: Client) -> None:
    given = {"cron": "", "interval": "7200", "time_zone": "UTC"}

    answer = admin_client.get(PREVIEW, given)

    page = answer.content.decode()
    assert len(runs(answer)) == 5
    assert "Every 2 hours" in page
    assert "<html" not in page
    assert admin_client.post(PREVIEW, given).status_code == 405


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"cron": "0 0 31 2 *"}, "Cron expression: never ticks"),
        ({"cron": "x"}, "Cron expression: has 1 fields"),
        ({"cron": "* * * * *", "interval": "60"}, "Or every so many seconds: is given beside"),
        ({"interval": "soon"}, "Or every so many seconds: Enter a whole number."),
        ({"cron": "* * * * *", "time_zone": "Mars"}, "Time zone: is no time zone"),
        ({"cron": "<b>\u202e"}, "Cron expression: has 1 fields"),
        ({"cron": "*" * 101}, "Cron expression: Ensure this value has at most 100"),
    ],
)
def test_a_preview_says_what_is_wrong(
    admin_client: Client, given: dict[str, str], problem: str
) -> None:
    answer = admin_client.get(PREVIEW, {"time_zone": "UTC", **given})

    assert answer.context["problem"].startswith(problem)
    assert "next_runs" not in answer.context
    assert "\u202e" not in answer.content.decode()


def test_nothing_typed_yet_is_no_mistake(admin_client: Client) -> None:
    answer = admin_client.get(PREVIEW, {"cron": "", "interval": "", "time_zone": "UTC"})

    assert answer.context["problem"] == ""


def test_without_the_library_a_cron_expression_says_what_to_install(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = scheduled("orders", cron="0 8 * * *")
    monkeypatch.setattr(timetable, "CronSim", None)

    found = errors(admin_client.post(ADD, GIVEN))
    page = admin_client.get(f"{SCHEDULES}{made.pk}/change/").content.decode()

    assert "needs the package cronsim" in found["cron"].lower()
    assert "They cannot be told here: cron: needs the package cronsim" in page
    assert "0 8 * * *" in page


# Changing one ---------------------------------------------------------------------------------


def test_a_schedule_is_changed_and_its_definition_stays(admin_client: Client) -> None:
    schedule = scheduled("orders", interval=3600)
    form = admin_client.get(edit_page(schedule)).context["form"]
    given = {field.name: field.value() or "" for field in form.visible_fields()}
    assert "definition" not in given
    assert given["interval"] == "3600"

    change = {**given, "interval": "", "cron": "0 8 * * *", "definition": "nobody"}
    answer = admin_client.post(edit_page(schedule), change)

    schedule.refresh_from_db()
    assert answer["Location"] == f"{SCHEDULES}{schedule.pk}/change/"
    assert (schedule.definition, schedule.cron, schedule.interval) == ("orders", "0 8 * * *", None)
    assert Operation.objects.get(verb=Verb.CHANGE_SCHEDULE).by == "admin"


def test_a_mask_that_stays_stands_for_the_secret_of_the_schedule() -> None:
    schedule = scheduled("orders", program_data={"token": "t0psecret"})
    client = client_of(LOOK, MANAGE)
    form = client.get(edit_page(schedule)).context["form"]
    given = {field.name: field.value() or "" for field in form.visible_fields()}
    assert "t0psecret" not in json.dumps(given)

    client.post(edit_page(schedule), {**given, "program_data": '{"token": "***", "year": 1}'})
    schedule.refresh_from_db()
    assert schedule.program_data == {"token": "t0psecret", "year": 1}

    stray = client.post(edit_page(schedule), {**given, "program_data": '{"password": "***"}'})
    assert "password is masked" in errors(stray)["program_data"]


def test_one_that_was_deleted_meanwhile_is_not_found(admin_client: Client) -> None:
    schedule = scheduled("orders")
    url = edit_page(schedule)
    Schedule.objects.all().delete()

    assert admin_client.post(url, GIVEN).status_code == 404


@pytest.mark.urls("tests.two_sites")
def test_the_pages_work_in_a_site_of_ones_own(admin_client: Client) -> None:
    schedule = scheduled("orders")
    one = [f"{schedule.pk}/{page}/" for page in ("change", "edit", "run", "pause", "delete")]

    for url in ("", "add/", *one):
        answer = admin_client.get(f"/ops/programs/schedule/{url}")
        assert answer.status_code == 200, url
        assert "/admin/programs/" not in answer.content.decode(), url


def test_a_description_that_is_not_touched_stays_as_it_is_stored(admin_client: Client) -> None:
    schedule = scheduled("orders", description="\u200f\u05d0")
    url = f"{SCHEDULES}{schedule.pk}/edit/"
    form = admin_client.get(url).context["form"]
    sent = {name: form[name].value() for name in form.fields}

    admin_client.post(url, {**sent, "cron": "", "interval": "7"})

    schedule.refresh_from_db()
    assert (schedule.interval, schedule.description) == (7, "\u200f\u05d0")

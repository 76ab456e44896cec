"""The API of schedules: made, changed, steered, deleted, and what became of their ticks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from programs.definition import save_definition
from programs.models import Operation, Program, Schedule, Tick, TickOutcome, Verb
from programs.scheduling import create_schedule
from tests.clients import client_of, post

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

SCHEDULES = "/api/schedules/"


@pytest.fixture(autouse=True)
def orders(db: None) -> None:
    save_definition("orders", ["noop", "count"], program_data={"year": 2025})


@pytest.fixture
def ada(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


@pytest.fixture
def nightly(db: None) -> Schedule:
    return create_schedule("orders", cron="30 2 * * *", time_zone="Europe/Berlin")


def of(schedule: Schedule, way: str = "") -> str:
    return f"{SCHEDULES}{schedule.pk}/{way}"


def patch(client: Client, url: str, body: Any) -> Any:
    return client.patch(url, body, content_type="application/json")


# Making and looking ---------------------------------------------------------------------------


def test_one_is_made_as_asked_and_that_is_recorded(ada: Client) -> None:
    given = {
        "definition": "orders",
        "description": "Every night",
        "cron": "30 2 * * *",
        "time_zone": "Europe/Berlin",
        "program_data": {"year": 2026},
        "job_data": {"count": {"n": 3}},
        "catch_up": "all",
        "catch_up_limit": 5,
        "overlap": "queue",
    }

    answer = post(ada, SCHEDULES, {**given, "reason": "they asked for it"})

    shown, row = answer.json(), Schedule.objects.get()
    assert answer.status_code == 201
    assert {name: shown[name] for name in given} == given
    assert {name: getattr(row, name) for name in given} == given
    assert (shown["interval"], shown["created_by"]) == (None, "ada")
    done = Operation.objects.get(verb=Verb.CREATE_SCHEDULE)
    assert (done.by, done.reason, done.subject) == ("ada", "they asked for it", str(row.pk))


def test_one_is_shown_with_its_moments_to_come(ada: Client, nightly: Schedule) -> None:
    shown = ada.get(of(nightly)).json()

    moments = [datetime.fromisoformat(moment) for moment in shown["next"]]
    assert len(moments) == 5
    assert moments == sorted(moments)
    assert {moment.astimezone(UTC).minute for moment in moments} == {30}
    assert "02:30" in shown["explained"]
    assert datetime.fromisoformat(shown["next_at"]) == moments[0]


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"cron": "61 * * * *"}, ["cron"]),
        ({"cron": "30 2"}, ["cron"]),
        ({"cron": "0 0 30 2 *"}, ["cron"]),  # never ticks
        ({"cron": "* * * * *", "interval": 60}, ["interval"]),
        ({}, ["cron"]),
        ({"interval": 0}, ["interval"]),
        ({"interval": 1.5}, ["interval"]),
        ({"interval": "60"}, ["interval"]),
        ({"interval": True}, ["interval"]),
        ({"interval": 60, "time_zone": "Mars/Crater"}, ["time_zone"]),
        ({"interval": 60, "time_zone": "\0"}, ["time_zone"]),
        ({"interval": 60, "definition": "no-such"}, ["definition"]),
        ({"interval": 60, "definition": "\ud800\0"}, ["definition"]),
        ({"interval": 60, "definition": 7}, ["definition", "definition"]),
        ({"interval": 60, "catch_up": "some"}, ["catch_up"]),
        ({"interval": 60, "catch_up_limit": 1001}, ["catch_up_limit"]),
        ({"interval": 60, "overlap": None}, ["overlap"]),
        ({"interval": 60, "description": "x" * 256}, ["description"]),
        ({"interval": 60, "program_data": []}, ["program_data"]),
        ({"interval": 60, "program_data": {"token": "***"}}, ["program_data"]),
        ({"interval": 60, "job_data": {"sleep": {}}}, ["job_data"]),
        ({"interval": 60, "paused_at": None}, ["paused_at"]),
        (
            {"cron": "61 * * * *", "definition": "airports", "program_data": {"day": "x"}},
            ["cron", "program_data.day"],
        ),
    ],
)
def test_what_is_wrong_with_one_is_named(given: dict[str, Any], fields: list[str]) -> None:
    grace = client_of("view_schedule", "manage_schedules")

    answer = post(grace, SCHEDULES, {"definition": "orders", **given})

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == fields
    assert not Schedule.objects.exists()


def test_they_are_listed_page_by_page_and_by_definition(ada: Client, nightly: Schedule) -> None:
    others = [create_schedule("airports", interval=60).pk for _ in range(2)]

    first = ada.get(f"{SCHEDULES}?page_size=2").json()
    last = ada.get(first["next"]).json()
    of_orders = ada.get(f"{SCHEDULES}?definition=orders").json()

    found = [each["id"] for each in first["results"] + last["results"]]
    assert found == [*reversed(others), nightly.pk]
    assert last["next"] is None
    assert [each["id"] for each in of_orders["results"]] == [nightly.pk]


def test_one_that_another_program_has_written_is_shown_all_the_same(ada: Client) -> None:
    schedule = Schedule.objects.create(
        definition="gone", cron="whenever", next_at=datetime.now(UTC), program_data={"token": "abc"}
    )

    shown = ada.get(of(schedule)).json()

    assert shown["explained"] == "whenever"
    assert shown["next"] == []
    assert ada.get(SCHEDULES).json()["results"][0]["definition"] == "gone"
    grace = client_of("view_schedule")
    assert grace.get(of(schedule)).json()["program_data"] == {"token": "***"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"cron": "whenever"}, "cron"), ({}, "cron"), ({"interval": 0}, "interval")],
)
def test_one_that_cannot_tick_is_not_resumed_and_says_why(
    ada: Client, wrong: dict[str, Any], field: str
) -> None:
    schedule = Schedule.objects.create(definition="orders", paused_at=datetime.now(UTC), **wrong)

    answer = post(ada, of(schedule, "resume/"), {})
    page = ada.post(f"/admin/programs/schedule/{schedule.pk}/resume/")

    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert (page.status_code, f"{field}: " in str(page.context["form"].errors).lower()) == (
        200,
        True,
    )
    schedule.refresh_from_db()
    assert schedule.is_paused


# Steering -------------------------------------------------------------------------------------


def test_a_change_changes_what_is_named(ada: Client, nightly: Schedule) -> None:
    answer = patch(ada, of(nightly), {"interval": 60, "program_data": {"year": 2027}})

    shown = answer.json()
    assert (shown["cron"], shown["interval"]) == (None, 60)
    assert (shown["time_zone"], shown["program_data"]) == ("Europe/Berlin", {"year": 2027})
    assert Operation.objects.filter(verb=Verb.CHANGE_SCHEDULE, by="ada").count() == 1
    refused = patch(ada, of(nightly), {"interval": None})
    assert [error["field"] for error in refused.json()["errors"]] == ["cron"]


def test_a_masked_secret_that_comes_back_stays(nightly: Schedule) -> None:
    Schedule.objects.update(program_data={"token": "abc"})
    grace = client_of("view_schedule", "manage_schedules")

    answer = patch(grace, of(nightly), {"program_data": {"token": "***", "year": 2026}})

    nightly.refresh_from_db()
    assert answer.status_code == 200
    assert nightly.program_data == {"token": "abc", "year": 2026}


def test_one_is_paused_and_resumed_and_that_is_recorded(ada: Client, nightly: Schedule) -> None:
    paused = post(ada, of(nightly, "pause/"), {"reason": "the server moves"})
    again = post(ada, of(nightly, "pause/"), {})
    resumed = post(ada, of(nightly, "resume/"), {})

    assert (paused.json()["next_at"], paused.json()["next"]) == (None, [])
    assert (again.status_code, "is paused" in again.json()["detail"]) == (409, True)
    assert (resumed.json()["paused_at"], len(resumed.json()["next"])) == (None, 5)
    done = Operation.objects.filter(subject=str(nightly.pk)).exclude(verb=Verb.CREATE_SCHEDULE)
    assert [(each.verb, each.reason) for each in done] == [
        (Verb.PAUSE_SCHEDULE, "the server moves"),
        (Verb.RESUME_SCHEDULE, None),
    ]


def test_running_one_now_starts_a_program_and_is_its_tick(ada: Client, nightly: Schedule) -> None:
    answer = post(ada, of(nightly, "run/"), {"reason": "now, please"})

    program = Program.objects.get()
    assert answer.status_code == 201
    assert (answer.json()["run_id"], answer.json()["definition"]) == (program.run_id, "orders")
    (tick,) = ada.get(of(nightly, "ticks/")).json()["results"]
    (blind,) = client_of("view_schedule").get(of(nightly, "ticks/")).json()["results"]
    assert blind == {**tick, "run_id": None}  # programs are for who may see them
    assert (tick["outcome"], tick["run_id"], tick["by"]) == ("started", program.run_id, "ada")


def test_what_cannot_be_run_says_why(ada: Client, nightly: Schedule) -> None:
    Schedule.objects.update(definition="gone")

    answer = post(ada, of(nightly, "run/"), {})

    assert (answer.status_code, "'gone'" in answer.json()["detail"]) == (404, True)
    assert not Tick.objects.exists()


def test_what_is_deleted_is_gone_and_its_programs_stay(ada: Client, nightly: Schedule) -> None:
    post(ada, of(nightly, "run/"), {})

    answer = ada.delete(f"{of(nightly)}?reason=unwanted")

    assert (answer.status_code, answer.content) == (204, b"")
    assert ada.get(of(nightly)).status_code == 404
    assert (Program.objects.count(), Tick.objects.count()) == (1, 0)
    done = Operation.objects.get(verb=Verb.DELETE_SCHEDULE)
    assert (done.by, done.reason) == ("ada", "unwanted")


# Ticks ----------------------------------------------------------------------------------------


def test_ticks_are_read_page_by_page_the_newest_first(
    ada: Client, nightly: Schedule, django_assert_max_num_queries: Any
) -> None:
    for minute in range(5):
        Tick.objects.create(
            schedule=nightly,
            at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute),
            outcome=TickOutcome.MISSED,
            count=minute + 1,
            message="nobody was there",
        )

    with django_assert_max_num_queries(6):
        first = ada.get(of(nightly, "ticks/?page_size=3")).json()
    rest = ada.get(first["next"]).json()

    assert [tick["count"] for tick in first["results"]] == [5, 4, 3]
    assert [tick["count"] for tick in rest["results"]] == [2, 1]
    assert rest["next"] is None
    assert rest["results"][0]["run_id"] is None
    assert rest["results"][0]["message"] == "nobody was there"


@pytest.mark.parametrize("way", ["", "ticks/", "pause/", "resume/", "run/"])
def test_an_id_that_is_none_is_not_found(ada: Client, way: str) -> None:
    url = f"{SCHEDULES}999/{way}"

    answer = post(ada, url, {}) if way in ("pause/", "resume/", "run/") else ada.get(url)

    assert answer.status_code == 404
    assert answer.json()["detail"] == "There is no schedule 999."

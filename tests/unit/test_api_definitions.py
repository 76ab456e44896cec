"""The API of definitions: made, changed, started, looked at, deleted."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.airports import PROGRAM
from programs.definition import save_definition, start_program
from programs.models import Definition, Operation, Program, Schedule, Verb
from tests.clients import client_of, post
from tests.console import run

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

DEFINITIONS = "/api/definitions/"
ORDERS = f"{DEFINITIONS}orders/"
SECRET = {"token": "abc", "year": 2025}


@pytest.fixture
def ada(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


@pytest.fixture
def orders(db: None) -> Definition:
    return save_definition("orders", ["noop", "count"], program_data=SECRET, by="ada")


def patch(client: Client, url: str, body: Any) -> Any:
    return client.patch(url, body, content_type="application/json")


def names(answer: Any) -> list[str]:
    return [each["name"] for each in answer.json()["results"]]


# Looking --------------------------------------------------------------------------------------


def test_those_in_code_are_listed_before_those_of_operators_page_by_page(ada: Client) -> None:
    for name in ("a", "b", "c"):
        save_definition(name, ["noop"])

    first = ada.get(f"{DEFINITIONS}?page_size=2")
    last = ada.get(first.json()["next"])

    assert "airports" in names(first)
    assert names(first)[-2:] == ["c", "b"]
    assert names(last) == ["a"]
    assert last.json()["next"] is None


def test_one_in_code_is_told_with_its_jobs(ada: Client) -> None:
    shown = ada.get(f"{DEFINITIONS}airports/").json()

    assert (shown["jobs"], shown["is_in_code"], shown["created_by"]) == (PROGRAM, True, None)
    assert shown["missing_jobs"] == []
    assert shown["description"].startswith("Imports the airports")


def test_its_page_tells_how_its_last_programs_went(ada: Client, orders: Definition) -> None:
    run(start_program("orders"))
    start_program("orders")

    record = ada.get(ORDERS).json()["record"]
    assert client_of("view_definition").get(ORDERS).json()["record"] is None

    assert (record["finished"], record["errored"], record["success_rate"]) == (1, 0, 1.0)
    assert record["median"] is not None


def test_its_runs_are_the_programs_that_were_started_from_it(
    ada: Client, orders: Definition
) -> None:
    started = [start_program("orders").run_id for _ in range(3)]

    first = ada.get(f"{ORDERS}runs/?page_size=2").json()
    rest = ada.get(first["next"]).json()

    assert [each["run_id"] for each in first["results"] + rest["results"]] == started[::-1]
    assert ada.get(f"{ORDERS}runs/?cursor=x").status_code == 400


def test_secrets_are_masked_for_who_may_not_see_them(orders: Definition) -> None:
    shown = client_of("view_definition").get(ORDERS).json()

    assert shown["program_data"] == {"token": "***", "year": 2025}


def test_a_job_that_has_vanished_is_told_and_nothing_starts(
    ada: Client, orders: Definition
) -> None:
    Definition.objects.update(jobs=["noop", "vanished"])

    assert ada.get(ORDERS).json()["missing_jobs"] == ["vanished"]
    refused = post(ada, f"{ORDERS}start/", {})

    assert refused.status_code == 400
    (error,) = refused.json()["errors"]
    assert (error["field"], "'vanished'" in error["message"]) == ("jobs", True)
    assert not Program.objects.exists()


# Making and changing --------------------------------------------------------------------------


def test_one_is_made_as_asked_and_that_is_recorded(ada: Client) -> None:
    given = {
        "name": "orders",
        "jobs": ["noop", "count"],
        "description": "of a day",
        "program_data": {"year": 2026},
        "job_data": {"count": {"n": 3}},
        "queue": "reports",
    }

    answer = post(ada, DEFINITIONS, given)

    row = Definition.objects.get()
    assert answer.status_code == 201
    assert {name: answer.json()[name] for name in given} == given
    assert {name: getattr(row, name) for name in given} == given
    assert row.created_by == "ada"
    assert Operation.objects.get().verb == Verb.ADD_DEFINITION


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "airports"}, "name"),  # in code
        ({"name": "orders"}, "name"),  # in the table
        ({"name": "no good"}, "name"),
        ({"name": 7}, "name"),
        ({"jobs": []}, "jobs"),
        ({"jobs": ["unheard_of"]}, "jobs[0]"),
        ({"jobs": ["programs.bulk"]}, "jobs[0]"),
        ({"job_data": {"count": {}}}, "job_data"),
        ({"program_data": []}, "program_data"),
        ({"program_data": {"token": "***"}}, "program_data"),
        ({"queue": ""}, "queue"),
        ({"description": 7}, "description"),
        ({"schedule": "daily"}, "schedule"),
    ],
)
def test_what_is_wrong_with_one_is_named(
    given: dict[str, Any], field: str, orders: Definition
) -> None:
    grace = client_of("view_definition", "add_definition")

    answer = post(grace, DEFINITIONS, {"name": "new", "jobs": ["noop"], **given})

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert Definition.objects.count() == 1


def test_a_change_changes_what_is_named_and_no_program(ada: Client, orders: Definition) -> None:
    before = start_program("orders")

    answer = patch(ada, ORDERS, {"jobs": ["noop"], "description": "shorter"})

    before.refresh_from_db()
    assert answer.status_code == 200
    assert (answer.json()["jobs"], answer.json()["program_data"]) == (["noop"], SECRET)
    assert before.jobs == ["noop", "count"]
    assert start_program("orders").jobs == ["noop"]
    assert Operation.objects.filter(verb=Verb.CHANGE_DEFINITION, by="ada").count() == 1


def test_a_masked_secret_that_comes_back_stays(orders: Definition) -> None:
    grace = client_of("view_definition", "change_definition")

    patch(grace, ORDERS, {"program_data": {"token": "***", "year": 2026}})
    refused = patch(grace, ORDERS, {"program_data": {"password": "***"}})

    orders.refresh_from_db()
    assert orders.program_data == {"token": "abc", "year": 2026}
    assert refused.json()["errors"][0]["field"] == "program_data"


def test_one_in_code_is_changed_and_deleted_there(ada: Client) -> None:
    for answer in (
        patch(ada, f"{DEFINITIONS}airports/", {"queue": "other"}),
        ada.delete(f"{DEFINITIONS}airports/"),
    ):
        assert answer.status_code == 409
        assert answer.json()["detail"] == "Definition airports stands in code: change it there."


def test_what_is_deleted_is_gone_and_its_programs_stay(ada: Client, orders: Definition) -> None:
    program = start_program("orders")

    answer = ada.delete(ORDERS)

    assert (answer.status_code, answer.content) == (204, b"")
    assert ada.get(ORDERS).status_code == 404
    program.refresh_from_db()
    assert program.definition == "orders"
    assert Operation.objects.filter(verb=Verb.DELETE_DEFINITION, by="ada").count() == 1


def test_one_with_schedules_is_not_deleted(ada: Client, orders: Definition) -> None:
    Schedule.objects.create(definition="orders", interval=60)

    answer = ada.delete(ORDERS)

    assert answer.status_code == 409
    assert "has 1 schedule" in answer.json()["detail"]
    assert Definition.objects.exists()


# Starting -------------------------------------------------------------------------------------


def test_a_start_merges_what_is_given_over_what_is_defined(ada: Client, orders: Definition) -> None:
    given = {
        "program_data": {"year": 2026},
        "job_data": {"count": {"n": 3}},
        "queue": "reports",
        "run_at": "2050-01-31T12:30:00+02:00",
    }

    answer = post(ada, f"{ORDERS}start/", given)

    program = Program.objects.get()
    assert answer.status_code == 201
    assert program.program_data == {"token": "abc", "year": 2026}
    assert (program.job_data, program.queue) == ({"count": {"n": 3}}, "reports")
    assert (program.definition, program.created_by) == ("orders", "ada")
    assert answer.json()["definition"] == "orders"
    assert answer.json()["state"] == "scheduled"


def test_a_start_with_a_known_key_is_the_first_program(ada: Client, orders: Definition) -> None:
    key = {"headers": {"Idempotency-Key": "k"}, "content_type": "application/json"}

    codes = [ada.post(f"{ORDERS}start/", {}, **key).status_code for _ in range(2)]
    conflict = ada.post(f"{ORDERS}start/", {"queue": "other"}, **key)
    twice = ada.post(f"{ORDERS}start/", {"idempotency_key": "other"}, **key)

    assert codes == [201, 200]
    assert (conflict.status_code, twice.status_code) == (409, 400)
    assert Program.objects.count() == 1


def test_a_known_key_shows_anothers_program_only_to_who_may_look(orders: Definition) -> None:
    start_program("orders", idempotency_key="k", created_by="ada")
    needed = ("view_definition", "start_definition")
    given = {"idempotency_key": "k"}

    answer = post(client_of(*needed), f"{ORDERS}start/", given)

    assert answer.json()["detail"] == "You need the permission programs.view_program."
    assert post(client_of(*needed, "view_program"), f"{ORDERS}start/", given).status_code == 200


def test_data_that_does_not_fit_is_refused_with_all_its_fields(ada: Client) -> None:
    given = {"program_data": {"day": "yesterday", "file": "airports.csv"}}

    answer = post(ada, f"{DEFINITIONS}airports/start/", given)

    assert answer.status_code == 400
    fields = [error["field"] for error in answer.json()["errors"]]
    assert fields == ["program_data.day", "program_data.file"]
    assert not Program.objects.exists()


def test_a_start_by_the_api_is_checked_and_filled_in(ada: Client) -> None:
    given = {"program_data": {"day": "2026-11-24"}}

    answer = post(ada, f"{DEFINITIONS}airports/start/", given)

    assert answer.json()["program_data"] == {"day": "2026-11-24"}
    assert answer.json()["jobs"] == PROGRAM


def test_a_secret_that_comes_masked_is_the_definition_s(orders: Definition) -> None:
    grace = client_of("view_definition", "start_definition")

    post(grace, f"{ORDERS}start/", {"program_data": {"token": "***", "year": 1}})

    assert Program.objects.get().program_data == {"token": "abc", "year": 1}


@pytest.mark.parametrize("way", ["start/", "runs/", ""])
def test_a_name_that_is_none_is_not_found(ada: Client, way: str) -> None:
    url = f"{DEFINITIONS}no-such/{way}"

    answer = post(ada, url, {}) if way == "start/" else ada.get(url)

    assert answer.status_code == 404
    assert answer.json()["detail"] == "There is no definition named 'no-such'."

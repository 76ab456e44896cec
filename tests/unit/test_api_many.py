"""The API: creating a program once, whoever asks twice, and creating many at once."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from programs.models import Program
from tests.clients import ADD, client_of, post

pytestmark = pytest.mark.django_db

PROGRAMS, MANY = "/api/programs/", "/api/programs/bulk-create/"
NOOP = {"jobs": ["noop"]}


@pytest.fixture
def grace() -> Client:
    return client_of(ADD)


def errors(answer: Any) -> dict[str, str]:
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


# Once -----------------------------------------------------------------------------------------


def create(client: Client, body: Any, key: str) -> Any:
    headers = {"Idempotency-Key": key}
    return client.post(PROGRAMS, body, content_type="application/json", headers=headers)


def test_the_header_says_what_the_field_says(grace: Client) -> None:
    first = create(grace, NOOP, "orders")
    again = create(grace, NOOP, "orders")
    by_field = post(grace, PROGRAMS, {**NOOP, "idempotency_key": "orders"})
    by_both = create(grace, {**NOOP, "idempotency_key": "orders"}, "orders")

    answers = (first, again, by_field, by_both)
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200]
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    assert first.json()["idempotency_key"] == "orders"


def test_the_same_header_with_another_body_is_a_conflict(grace: Client) -> None:
    create(grace, NOOP, "orders")

    answer = create(grace, {"jobs": ["count"]}, "orders")

    assert answer.status_code == 409
    assert Program.objects.count() == 1


@pytest.mark.parametrize("field", ["invoices", "", 7, {}])
def test_a_header_that_differs_from_the_field_is_refused(grace: Client, field: Any) -> None:
    answer = create(grace, {**NOOP, "idempotency_key": field}, "orders")

    assert (answer.status_code, list(errors(answer))) == (400, ["idempotency_key"])
    assert not Program.objects.exists()


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "\x01", "\x85"])
def test_a_header_that_is_no_key_is_refused(grace: Client, key: str) -> None:
    answer = create(grace, NOOP, key)

    assert (answer.status_code, list(errors(answer))) == (400, ["idempotency_key"])


def test_the_engines_own_jobs_are_not_created_by_hand(grace: Client) -> None:
    one = post(grace, PROGRAMS, {"jobs": ["noop", "programs.bulk"]})
    many = post(grace, MANY, {"programs": [NOOP, {"jobs": ["programs.bulk"]}]})

    assert list(errors(one)) == ["jobs[1]"]
    assert list(errors(many)) == ["programs[1].jobs[0]"]
    assert not Program.objects.exists()


# Many -----------------------------------------------------------------------------------------


def test_many_are_created_in_their_order(grace: Client) -> None:
    wanted = [{"jobs": ["noop"], "program_data": {"number": number}} for number in range(5)]

    answer = post(grace, MANY, {"programs": wanted})

    programs = [Program.objects.get(run_id=run_id) for run_id in answer.json()["run_ids"]]
    assert answer.status_code == 201
    assert [program.program_data["number"] for program in programs] == list(range(5))
    assert {program.created_by for program in programs} == {"grace"}


def test_a_thousand_take_few_queries(
    grace: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(40):  # SQLite takes few rows in one statement
        answer = post(grace, MANY, {"programs": [NOOP] * 1000})

    assert answer.status_code == 201
    assert Program.objects.count() == 1000


BAD: list[tuple[Any, str]] = [
    ({}, "programs"),
    ({"programs": None}, "programs"),
    ({"programs": []}, "programs"),
    ({"programs": {}}, "programs"),
    ({"programs": [NOOP] * 1001}, "programs"),
    ({"programs": [NOOP, 7]}, "programs[1]"),
    ({"programs": [NOOP, {}]}, "programs[1].jobs"),
    ({"programs": [NOOP, {"jobs": []}]}, "programs[1].jobs"),
    ({"programs": [NOOP, {"jobs": ["noop", 7]}]}, "programs[1].jobs[1]"),
    ({"programs": [NOOP, {**NOOP, "job_data": {"noop": 1}}]}, "programs[1].job_data.noop"),
    ({"programs": [NOOP, {**NOOP, "run_at": "soon"}]}, "programs[1].run_at"),
    ({"programs": [NOOP, {**NOOP, "created_by": "root"}]}, "programs[1].created_by"),
    ({"programs": [NOOP], "queue": "mail"}, "queue"),
    ([NOOP], ""),
]


@pytest.mark.parametrize(("body", "field"), BAD)
def test_one_that_is_wrong_is_named_and_none_is_created(
    grace: Client, body: Any, field: str
) -> None:
    answer = post(grace, MANY, body)

    assert (answer.status_code, list(errors(answer))) == (400, [field])
    assert not Program.objects.exists()


def test_a_key_that_exists_lets_none_be_created(grace: Client) -> None:
    create(grace, NOOP, "orders")

    answer = post(grace, MANY, {"programs": [NOOP, {**NOOP, "idempotency_key": "orders"}]})

    assert answer.status_code == 409
    assert Program.objects.count() == 1


def test_a_key_that_is_given_twice_is_named(grace: Client) -> None:
    twice = {**NOOP, "idempotency_key": "orders"}

    answer = post(grace, MANY, {"programs": [twice, NOOP, twice]})

    assert answer.status_code == 409
    assert answer.json()["detail"] == (
        "idempotency_key: 'orders' is given twice: nothing was created"
    )
    assert not Program.objects.exists()


def test_one_key_for_many_is_refused(grace: Client) -> None:
    headers = {"Idempotency-Key": "orders"}

    answer = grace.post(
        MANY, {"programs": [NOOP]}, content_type="application/json", headers=headers
    )

    assert (answer.status_code, list(errors(answer))) == (400, ["Idempotency-Key"])

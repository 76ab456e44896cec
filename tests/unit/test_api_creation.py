"""The REST API: creating programs, and bodies of every bad kind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from programs.models import Program
from tests.clients import ADD, STOP, VIEW, client_of, post

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

PROGRAMS = "/api/programs/"


@pytest.fixture
def grace() -> Client:
    return client_of(VIEW, ADD, STOP)


def test_a_program_is_created_as_asked(grace: Client) -> None:
    given = {
        "jobs": ["noop", "count"],
        "program_data": {"year": 2024},
        "job_data": {"count": {"n": 3}},
        "queue": "reports",
        "run_at": "2050-01-31T12:30:00+02:00",
        "idempotency_key": "orders-2024",
    }

    response = post(grace, PROGRAMS, given)

    program = Program.objects.get()
    answer = response.json()
    assert response.status_code == 201
    assert (program.jobs, program.queue) == (["noop", "count"], "reports")
    assert program.run_at == datetime(2050, 1, 31, 10, 30, tzinfo=UTC)
    assert program.created_by == "grace"
    assert (answer["run_id"], answer["state"]) == (program.run_id, "scheduled")
    assert answer["program_data"] == {"year": 2024}
    assert answer["job_data"] == {"count": {"n": 3}}


def test_a_program_is_created_of_its_jobs_alone(grace: Client) -> None:
    answer = post(grace, PROGRAMS, {"jobs": ["noop"], "program_data": None}).json()

    assert (answer["state"], answer["queue"]) == ("waiting", "default")


def test_the_same_key_and_content_is_the_same_program(grace: Client) -> None:
    given = {"jobs": ["noop"], "idempotency_key": "orders"}
    first = post(grace, PROGRAMS, given).json()

    again = post(grace, PROGRAMS, given).json()

    assert again == first
    assert Program.objects.count() == 1


def test_a_known_key_shows_anothers_program_only_to_who_may_look() -> None:
    given = {"jobs": ["noop"], "idempotency_key": "orders"}
    client = client_of(ADD)
    codes = [post(client, PROGRAMS, given).status_code for _ in range(2)]
    assert codes == [201, 200]
    Program.objects.update(created_by="ada", error_message="of no concern to grace")

    answer = post(client, PROGRAMS, given)

    assert answer.status_code == 403
    assert answer.json()["detail"] == "You need the permission programs.view_program."
    assert post(client_of(ADD, VIEW), PROGRAMS, given).status_code == 200


def test_the_same_key_with_other_content_is_a_conflict(grace: Client) -> None:
    post(grace, PROGRAMS, {"jobs": ["noop"], "idempotency_key": "orders"})

    response = post(grace, PROGRAMS, {"jobs": ["count"], "idempotency_key": "orders"})

    assert response.status_code == 409
    assert "was created with other content" in response.json()["detail"]


BAD_BODIES: list[tuple[Any, int, str, str]] = [
    # What is sent, the status, the field that is named, and what is said of it.
    ("", 400, "jobs", "required"),
    ("{", 400, "detail", "JSON parse error"),
    ("null", 400, "", "No data provided"),
    ("[]", 400, "", "Expected a dictionary"),
    ('"text"', 400, "", "Expected a dictionary"),
    (b"\xff\xfe", 400, "detail", "JSON parse error"),
    ("[" * 100_000, 400, "detail", "nested too deeply"),
    ('{"jobs": ["noop"], "program_data": ' + '{"x":' * 100_000, 400, "detail", "deeply"),
    ('{"jobs": ["noop"], "program_data": {"x": NaN}}', 400, "detail", "NaN"),
    ('{"jobs": ["noop"], "program_data": {"x": 1e999}}', 400, "program_data", "number"),
    ('{"jobs": ["noop"], "program_data": {"x": ' + "1" * 5000 + "}}", 400, "detail", "JSON"),
    (b" " * 3_000_000, 413, "detail", "DATA_UPLOAD_MAX_MEMORY_SIZE"),
    ({"jobs": ["noop"], "program_data": {"x": "x" * 1_100_000}}, 400, "program_data", "1048576"),
    ({"jobs": None}, 400, "jobs", "null"),
    ({"jobs": []}, 400, "jobs", "is empty"),
    ({"jobs": "noop"}, 400, "jobs", "must be a list"),
    ({"jobs": {"noop": 1}}, 400, "jobs", "must be a list"),
    ({"jobs": [1]}, 400, "jobs[0]", "must be a text"),
    ({"jobs": [[]]}, 400, "jobs[0]", "must be a text"),
    ({"jobs": ["noop", "x" * 256]}, 400, "jobs[1]", "1 to 255 characters"),
    ({"jobs": ["no\0op"]}, 400, "jobs[0]", "cannot be printed"),
    ({"jobs": ["\ud800"]}, 400, "jobs[0]", "cannot be printed"),
    ({"jobs": ["unheard_of"]}, 400, "jobs", "unheard_of"),
    ({"jobs": ["noop"] * 1001}, 400, "jobs", "at most 1000"),
    ({"jobs": ["noop"], "program_data": []}, 400, "program_data", "must be a JSON object"),
    ({"jobs": ["noop"], "program_data": 1}, 400, "program_data", "must be a JSON object"),
    ({"jobs": ["noop"], "job_data": "x"}, 400, "job_data", "must be a JSON object"),
    ({"jobs": ["noop"], "job_data": {"count": {}}}, 400, "job_data", "none of the jobs"),
    ({"jobs": ["noop"], "job_data": {"\ud800": {}}}, 400, "job_data", "none of the jobs"),
    ({"jobs": ["noop"], "job_data": {"noop": 1}}, 400, "job_data.noop", "must be a JSON object"),
    ({"jobs": ["noop"], "jobsData": {}}, 400, "jobsData", "job_data"),
    ({"jobs": ["noop"], "created_by": "root"}, 400, "created_by", "is no field here"),
    ({"jobs": ["noop"], "using": "other"}, 400, "using", "is no field here"),
    ({"jobs": ["noop"], "\ud800": 1}, 400, "\\ud800", "is no field here"),
    ({"jobs": ["noop"], "queue": None}, 400, "queue", "null"),
    ({"jobs": ["noop"], "queue": 7}, 400, "queue", "must be a text"),
    ({"jobs": ["noop"], "queue": "x" * 101}, 400, "queue", "1 to 100 characters"),
    ({"jobs": ["noop"], "run_at": "tomorrow"}, 400, "run_at", "ISO 8601"),
    ({"jobs": ["noop"], "run_at": 1700000000}, 400, "run_at", "ISO 8601"),
    ({"jobs": ["noop"], "run_at": "2030-02-31T00:00:00Z"}, 400, "run_at", "ISO 8601"),
    ({"jobs": ["noop"], "run_at": "2030-01-31T00:00:00"}, 400, "run_at", "time zone"),
    ({"jobs": ["noop"], "run_at": "0001-01-01T00:00:00+14:00"}, 400, "run_at", "outside"),
    ({"jobs": ["noop"], "idempotency_key": "\0"}, 400, "idempotency_key", "cannot be printed"),
    ({"jobs": ["noop"], "idempotency_key": {}}, 400, "idempotency_key", "must be a text"),
]


@pytest.mark.parametrize(("body", "status", "field", "said"), BAD_BODIES)
def test_a_bad_body_is_refused_and_its_field_is_named(
    grace: Client, body: Any, status: int, field: str, said: str
) -> None:
    response = post(grace, PROGRAMS, body)

    assert response.status_code == status
    problem = response.json()
    said_of = {error["field"]: error["message"] for error in problem["errors"]}
    assert said in (problem["detail"] if field == "detail" else said_of[field])
    assert not Program.objects.exists()


@pytest.mark.parametrize("body", [b" " * 3_000_000, "[" * 100_000, "{}"])
def test_a_browser_is_told_as_well(grace: Client, body: Any) -> None:
    response = grace.post(
        PROGRAMS, body, content_type="application/json", headers={"accept": "text/html"}
    )

    assert response.status_code in (400, 413)


def test_a_body_that_is_no_json_is_refused(grace: Client) -> None:
    assert grace.post(PROGRAMS, {"jobs": "noop"}).status_code == 415


@pytest.mark.parametrize("levels", [50, 200, 400, 900])
def test_nested_data_is_refused_or_can_be_read_back(grace: Client, levels: int) -> None:
    nested = '{"x":' * levels + "1" + "}" * levels

    created = post(grace, PROGRAMS, f'{{"jobs": ["noop"], "program_data": {nested}}}')

    if created.status_code == 201:
        assert grace.get(f"{PROGRAMS}{created.json()['run_id']}/").status_code == 200
    else:
        assert created.status_code == 400

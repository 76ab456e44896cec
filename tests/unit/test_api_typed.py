"""The REST API: typed data is checked with all errors at once, and documented for each job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator
from rest_framework import serializers

from programs.api import description
from programs.api.data_schema import data_schema
from programs.models import Program
from tests.clients import ADD, VIEW, client_of, post
from tests.typed import DAY, REGION, DayData, serializer_of, typed_job

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

PROGRAMS, JOBS = "/api/programs/", "/api/jobs/"


@pytest.fixture
def job() -> Iterator[None]:
    with typed_job():
        yield


@pytest.fixture
def grace() -> Client:
    return client_of(VIEW, ADD, "edit_program_data", "retry_program")


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The description made anew, with the jobs that a test has registered."""
    monkeypatch.setattr(description, "_made", {})
    return description.description


def given(**changes: Any) -> dict[str, Any]:
    body = {"jobs": ["import_day"], "program_data": REGION, "job_data": {"import_day": DAY}}
    return {**body, **changes}


# Creation and edits -----------------------------------------------------------------------------


def test_a_program_is_created_with_its_defaults(job: None, grace: Client) -> None:
    answer = post(grace, PROGRAMS, given())

    assert answer.status_code == 201
    assert answer.json()["job_data"]["import_day"] == {**DAY, "limit": 100, "is_dry": False}


def test_all_errors_are_answered_at_once(job: None, grace: Client) -> None:
    data = {"import_day": {"day": "x", "items": [{"name": "a"}]}}

    answer = post(grace, PROGRAMS, given(program_data={}, job_data=data))

    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["errors"]] == [
        "program_data.region",
        "job_data.import_day.day",
        "job_data.import_day.mode",
        "job_data.import_day.items[0].price",
    ]
    assert answer.json()["detail"].endswith("; and 1 more")
    assert not Program.objects.exists()


def test_errors_in_one_of_many_say_in_which(job: None, grace: Client) -> None:
    bad = given(program_data={"region": ""}, job_data={"import_day": {"mode": "full"}})

    answer = post(grace, f"{PROGRAMS}bulk-create/", {"programs": [given(), bad]})

    assert [each["field"] for each in answer.json()["errors"]] == [
        "programs[1].program_data.region",
        "programs[1].job_data.import_day.day",
    ]
    assert not Program.objects.exists()


@pytest.mark.parametrize("operation", ["edit", "retry"])
def test_other_data_is_checked_where_it_differs(grace: Client, operation: str) -> None:
    program = Program.objects.create(
        jobs=["import_day"],
        program_data={"region": "x" * 20},
        job_data={"import_day": {"day": "old"}},
        queue="default",
    )
    program.refresh_from_db()  # MySQL returns nothing to Django 5.2
    url = f"{PROGRAMS}{program.run_id}/{operation}/"
    state = {"errored_at": program.created_at} if operation == "retry" else {}
    Program.objects.update(due_at=None, paused_at=program.created_at, **state)
    if operation == "retry":
        Program.objects.update(paused_at=None)

    with typed_job():
        refused = post(grace, url, {"job_data": {"import_day": {"mode": "all"}}})
        done = post(grace, url, {"job_data": {"import_day": DAY}})

    assert [each["field"] for each in refused.json()["errors"]] == [
        "job_data.import_day.day",
        "job_data.import_day.mode",
    ]
    assert done.status_code == 200, done.content
    assert done.json()["program_data"] == {"region": "x" * 20}


def test_no_error_tells_a_secret_to_who_may_not_see_it(grace: Client) -> None:
    old = {"import_day": {**DAY, "token": "s3cr3t"}}
    program = Program.objects.create(
        jobs=["import_day"], program_data=REGION, job_data=old, queue="default"
    )
    Program.objects.update(due_at=None, paused_at=program.created_at)
    data = {"import_day": {**DAY, "mode": "part", "token": "***"}}

    with typed_job():
        answer = post(grace, f"{PROGRAMS}{program.run_id}/edit/", {"job_data": data})

    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"field": "job_data.import_day.token", "message": '"***" is not a valid choice.'}
    ]


# What is told of it -----------------------------------------------------------------------------


def schema_of(**fields: Any) -> dict[str, Any]:
    schema = data_schema(serializer_of(**fields))
    assert schema is not None
    return schema


def test_jobs_tell_what_their_data_is(job: None, grace: Client) -> None:
    jobs = {each["name"]: each for each in grace.get(JOBS).json()["results"]}

    schema = jobs["import_day"]["data_schema"]
    Draft202012Validator.check_schema(schema)
    checked = Draft202012Validator(schema)
    assert checked.is_valid({**DAY, "items": [{"name": "a", "price": "1.50"}]})
    assert not checked.is_valid({"day": "2026-11-24"})
    assert not checked.is_valid({**DAY, "limit": 0})
    assert not checked.is_valid({**DAY, "items": [{"name": "a"}]})
    assert schema["properties"]["day"]["description"] == "Which day is imported."
    assert jobs["import_day"]["program_data_schema"]["required"] == ["region"]
    assert jobs["noop"]["data_schema"] is None


def test_the_description_documents_the_data_of_each_job(job: None, described: Any) -> None:
    with typed_job("import-day", DayData, None):
        schema = described()
    components = schema["components"]["schemas"]

    validate_schema(schema)
    for body in ("CreationRequest", "EditRequest", "RetryRequest"):
        told = components[body]["properties"]["job_data"]["properties"]
        refs = {told[name]["$ref"].rpartition("/")[2] for name in ("import_day", "import-day")}
        assert refs == {"ImportDayJobData", "ImportDayJobData2"}
    assert components["ImportDayJobData"]["properties"]["limit"]["default"] == 100


def test_serializers_named_like_ours_change_nothing_of_ours(described: Any) -> None:
    before = json.loads(json.dumps(described()["components"]["schemas"]))
    inner = type(
        "ProgramSerializer",
        (serializers.Serializer,),
        {"state": serializers.ChoiceField(["x"]), "__module__": __name__},
    )
    description._made.clear()
    with typed_job(data_class=serializer_of(program=inner(), state=inner())):
        after = described()["components"]["schemas"]

    own = after.pop("ImportDayJobData")
    for body in ("CreationRequest", "EditRequest", "RetryRequest"):
        told = after[body]["properties"]["job_data"]
        told["properties"].pop("import_day")
        known = before[body]["properties"]["job_data"].get("properties")
        assert told.pop("properties") == (known or {})
        before[body]["properties"]["job_data"].pop("properties", None)
    assert after == before
    assert own["properties"]["program"]["properties"]["state"]["enum"] == ["x"]


def broken(self: Any, *args: Any, **options: Any) -> None:
    raise ValueError("<b>broken</b>")


@pytest.mark.parametrize("method", ["__init__", "get_fields"])
def test_a_serializer_that_raises_is_told_in_its_place(
    grace: Client, described: Any, method: str
) -> None:
    with typed_job(data_class=serializer_of(**{method: broken})):
        answer = grace.get(JOBS)
        schema = described()

    told = {each["name"]: each["data_schema"] for each in answer.json()["results"]}["import_day"]
    assert told["description"] == "Not known: MadeData raised ValueError."
    assert schema["components"]["schemas"]["ImportDayJobData"] == told


@pytest.mark.parametrize(
    "field",
    [
        serializers.FloatField(default=float("nan")),
        serializers.FloatField(max_value=float("inf")),
        serializers.DictField(default={1: object()}),
        serializers.JSONField(default={"$ref": "nowhere"}),
        serializers.CharField(default="\ud800"),
    ],
)
def test_what_json_has_no_form_for_is_left_out(grace: Client, described: Any, field: Any) -> None:
    with typed_job(data_class=serializer_of(value=field)):
        answer = grace.get(JOBS)
        schema = described()

    told = {each["name"]: each["data_schema"] for each in answer.json()["results"]}["import_day"]
    Draft202012Validator.check_schema(told)
    assert list(told["properties"]) == ["value"]
    assert schema["components"]["schemas"]["ImportDayJobData"] == told


def test_the_default_of_a_secret_is_not_told() -> None:
    class Login(serializers.Serializer[Any]):
        password = serializers.CharField(default="hidden-one")

    schema = schema_of(token=serializers.CharField(default="hidden-two"), login=Login())

    assert "hidden" not in json.dumps(schema)
    assert schema["properties"]["token"]["type"] == "string"


def test_ten_thousand_choices_are_not_listed() -> None:
    schema = schema_of(one=serializers.ChoiceField(range(10_000)))

    assert schema["properties"]["one"]["description"] == "One of 10000 values."
    assert len(json.dumps(schema)) < 1_000


def test_a_serializer_inside_of_itself_has_an_end() -> None:
    class Node(serializers.Serializer[Any]):
        """Knows others of its kind."""

        def get_fields(self) -> Any:
            return {"children": Node(many=True, required=False)}

    schema = data_schema(Node)

    assert schema is not None
    assert schema["properties"]["children"]["items"]["properties"]["children"]["type"] == "array"
    assert len(json.dumps(schema)) < 1_000

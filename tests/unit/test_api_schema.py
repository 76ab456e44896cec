"""The schema of the API: what it promises, and that nothing in it is open to everybody.

The operations are those of the schema itself, and the schema has all URLs: what is added is held
by these tests before anybody thinks of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import get_resolver
from drf_spectacular.validation import validate_schema

from programs.api import urls
from programs.api.description import DescriptionEndpoint, description
from programs.models import Definition, Operation, Program, Queue, Schedule, Verb, Worker
from programs.submission import create_program
from tests.clients import client_of

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

SCHEMA, REFERENCE = "/api/schema/", "/api/docs/"
PROBLEM = "application/problem+json"


class Call(NamedTuple):
    """One operation of the schema."""

    method: str
    path: str
    told: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def needed(self) -> list[str]:
        """Return the permissions that its description names."""
        return re.findall(r"`(programs\.\w+)`", self.told["description"].rpartition("Needs")[2])


def calls() -> Iterator[Call]:
    for path, methods in description()["paths"].items():
        for method, told in methods.items():
            yield Call(method, path, told)


every_call = pytest.mark.parametrize("call", list(calls()), ids=str)


@pytest.fixture
def there() -> dict[str, str]:
    """What is in the place of a path's parameters: a program, a worker, an operation, and so on."""
    program = create_program(["noop"])
    operation = Operation.objects.create(program=program, verb=Verb.STOP)
    Definition.objects.create(name="w", jobs=["noop"])
    Schedule.objects.create(pk=operation.pk, definition="w", interval=60)
    Worker.register(
        name="w", host="h", pid=1, queues=["default"], slots=1, jobs=["noop"], version="1"
    )
    return {"run_id": program.run_id, "id": str(operation.pk), "name": "w"}


def reach(client: Client, call: Call, there: dict[str, str]) -> Any:
    url = call.path.format(**there)
    return getattr(client, call.method)(url, {}, content_type="application/json")


# Who may --------------------------------------------------------------------------------------


@every_call
def test_no_operation_is_open_to_strangers(
    call: Call, there: dict[str, str], client: Client
) -> None:
    answer = reach(client, call, there)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Token"
    assert answer.json()["title"] == "Unauthorized"


@every_call
def test_no_operation_is_open_to_who_has_no_permission(call: Call, there: dict[str, str]) -> None:
    answer = reach(client_of(), call, there)

    assert answer.status_code == 403
    assert answer.json()["detail"] == f"You need the permission {call.needed[0]}."


@every_call
def test_each_permission_that_an_operation_names_is_needed(
    call: Call, there: dict[str, str]
) -> None:
    others = set(Permission.objects.values_list("codename", flat=True))
    assert call.needed
    for needed in call.needed:
        codename = needed.partition(".")[2]

        answer = reach(client_of(*(others - {codename})), call, there)

        assert answer.status_code == 403
        assert answer.json()["detail"] == f"You need the permission {needed}."
    assert not Operation.objects.exclude(pk=there["id"]).exists()
    assert (Program.objects.count(), Queue.objects.count()) == (1, 0)
    assert (Definition.objects.count(), Schedule.objects.count()) == (1, 1)


@every_call
def test_the_permissions_that_an_operation_names_are_enough(
    call: Call, there: dict[str, str]
) -> None:
    grace = client_of(*(needed.partition(".")[2] for needed in call.needed))

    assert reach(grace, call, there).status_code in (200, 201, 204, 400, 409)


@every_call
def test_a_change_needs_the_token_of_its_session(call: Call, there: dict[str, str]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("ada"))

    answer = reach(client, call, there)

    if call.method == "get":
        assert answer.status_code == 200
    else:
        assert answer.status_code == 403
        assert "CSRF" in answer.json()["detail"]


@pytest.mark.parametrize("page", [SCHEMA, REFERENCE])
def test_the_schema_and_its_pages_are_for_who_is_logged_in(page: str, client: Client) -> None:
    assert client.get(page).status_code in (401, 403)

    assert client_of().get(page).status_code == 200


# What it tells --------------------------------------------------------------------------------


def test_the_schema_is_valid_openapi_3_1(client: Client) -> None:
    answer = client_of().get(SCHEMA)

    schema = answer.json()
    assert schema["openapi"] == "3.1.0"
    validate_schema(schema)


def test_every_url_of_the_api_is_in_the_schema() -> None:
    views: list[Any] = [pattern.callback for pattern in urls.urlpatterns]
    methods = [
        method
        for view in views
        for method in view.actions.keys() - {"head"}
        if view.cls is not DescriptionEndpoint
    ]

    assert len(methods) == len(list(calls())) > 20


def test_the_schema_tells_of_no_one_elses_urls() -> None:
    assert len(get_resolver().url_patterns) > 1
    assert all(path.startswith("/api/") for path in description()["paths"])


@every_call
def test_every_operation_tells_how_it_can_fail(call: Call) -> None:
    wanted = {"401", "403", "406", "429", "500", "503"}
    wanted |= {"404"} if "{" in call.path else set()
    wanted |= {"409", "413", "415"} if call.method in ("post", "patch") else set()
    wanted |= {"409"} if call.method == "delete" else set()

    told = {code: answer.get("content", {}) for code, answer in call.told["responses"].items()}

    assert wanted <= told.keys()
    for code, content in told.items():
        if int(code) >= 400:
            assert content[PROBLEM]["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_what_can_be_created_is_shown_by_examples() -> None:
    (body,) = description()["paths"]["/api/programs/"]["post"]["requestBody"]["content"].values()

    assert {"jobs": ["send_report"]} in [each["value"] for each in body["examples"].values()]


def test_operations_have_names_of_their_own() -> None:
    names = [call.told["operationId"] for call in calls()]

    assert len(set(names)) == len(names)
    assert "program_bulk_create" in names


def test_the_schema_holds_nothing_of_this_machine() -> None:
    text = json.dumps(description())

    assert "localhost" not in text

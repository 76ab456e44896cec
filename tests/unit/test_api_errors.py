"""The API's errors: one shape for each status, and never a 500 for what a client has sent."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from pytest_django.fixtures import Settings

from programs.api import endpoint
from programs.api.throttles import RATES, Throttle
from programs.models import Program
from programs.submission import create_program
from tests.clients import ADD, VIEW, client_of, post

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

PROGRAMS = "/api/programs/"
PROBLEM = "application/problem+json"
JSON = "application/json"


@pytest.fixture
def grace() -> Client:
    return client_of(VIEW, ADD, raise_request_exception=False)


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    cache.clear()


def break_down(*_: Any, **__: Any) -> None:
    raise RuntimeError("secret")


ASKED: dict[int, Any] = {
    400: lambda client: post(client, PROGRAMS, {"jobs": []}),
    401: lambda client: Client().get(PROGRAMS),
    403: lambda client: client.get("/api/workers/"),
    404: lambda client: client.get(f"{PROGRAMS}unheard_of/"),
    405: lambda client: client.delete(PROGRAMS),
    406: lambda client: client.get(PROGRAMS, headers={"accept": "image/png"}),
    413: lambda client: post(client, PROGRAMS, " " * 10_000_000),
    415: lambda client: client.post(PROGRAMS, "jobs: noop", content_type="text/yaml"),
}


@pytest.mark.parametrize("status", ASKED)
def test_a_problem_has_its_shape(grace: Client, status: int) -> None:
    answer = ASKED[status](grace)

    problem = answer.json()
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == PROBLEM
    assert list(problem) == ["type", "title", "status", "detail", "errors"]
    assert (problem["type"], problem["title"]) == ("about:blank", answer.reason_phrase)
    assert problem["status"] == status
    assert problem["detail"]
    assert bool(problem["errors"]) == (status == 400)


def test_an_address_that_is_none_is_a_problem_as_well(grace: Client) -> None:
    answer = grace.get("/api/nowhere/", headers={"accept": JSON})

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, PROBLEM)
    assert answer.json()["title"] == "Not Found"


def test_a_request_that_no_view_has_seen_is_refused_in_the_same_shape(grace: Client) -> None:
    answer = grace.generic("POST", PROGRAMS, b"{}", content_type=f"{JSON}; charset=utf-16")

    assert (answer.status_code, answer.headers["Content-Type"]) == (400, PROBLEM)
    assert answer.json()["detail"] == "The charset of a request is UTF-8."
    page = grace.generic("POST", "/admin/login/", b"{}", content_type=f"{JSON}; charset=utf-16")
    assert (page.status_code, page.headers["Content-Type"][:9]) == (400, "text/html")


def test_a_browser_gets_a_page(grace: Client) -> None:
    for address in ("/api/nowhere/", f"{PROGRAMS}unheard_of/"):
        answer = grace.get(address, headers={"accept": "text/html"})

        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith("text/html")


def test_an_error_of_ours_is_a_problem_is_logged_and_tells_nothing(
    grace: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(endpoint.Endpoint, "program", break_down)

    answer = grace.get(f"{PROGRAMS}x/")

    assert (answer.status_code, answer.headers["Content-Type"]) == (500, PROBLEM)
    assert "secret" not in answer.content.decode()
    (line,) = [line for line in caplog.records if line.levelno >= logging.ERROR]
    assert line.exc_info is not None
    assert line.getMessage() == "the API failed: GET /api/programs/x/"


def test_with_debug_an_error_of_ours_is_djangos_page(
    grace: Client, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.DEBUG = True
    monkeypatch.setattr(endpoint.Endpoint, "program", break_down)

    answer = grace.get(f"{PROGRAMS}x/", headers={"accept": "text/html"})

    assert answer.status_code == 500
    assert "RuntimeError" in answer.content.decode()


def test_of_many_wrong_fields_each_is_named(grace: Client) -> None:
    answer = post(grace, PROGRAMS, {"queue": None, "a": 1, "b": 2, "c": 3, "jobs": ["noop"]})
    unknown = post(grace, PROGRAMS, {"a": 1, "b": 2, "c": 3, "d": 4, "jobs": ["noop"]}).json()

    assert [error["field"] for error in answer.json()["errors"]] == ["queue"]
    assert [error["field"] for error in unknown["errors"]] == ["a", "b", "c", "d"]
    assert unknown["detail"].endswith("; and 1 more")


# Too many requests ----------------------------------------------------------------------------


@pytest.fixture
def slow(settings: Settings) -> None:
    rates = {"programs.create": "2/m", "programs.read": "3/m", "programs.change": None}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}


@pytest.mark.usefixtures("slow")
def test_who_creates_too_fast_is_told_when_to_come_again(grace: Client) -> None:
    answers = [post(grace, PROGRAMS, {"jobs": ["noop"]}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert 0 < int(answers[2].headers["Retry-After"]) <= 60
    assert answers[2].json()["title"] == "Too Many Requests"
    assert Program.objects.count() == 2


@pytest.mark.usefixtures("slow")
def test_reading_and_creating_are_counted_apart_and_each_user_alone(grace: Client) -> None:
    for _ in range(2):
        post(grace, PROGRAMS, {"jobs": ["noop"]})
    read = [grace.get(PROGRAMS).status_code for _ in range(4)]
    ada = Client()
    ada.force_login(User.objects.create_superuser("ada"))

    assert read == [200, 200, 200, 429]
    assert ada.get(PROGRAMS).status_code == 200


@pytest.mark.usefixtures("slow")
def test_a_limit_can_be_lifted() -> None:
    client = client_of(VIEW, "pause_program")
    run_id = create_program(["noop"]).run_id

    answers = {post(client, f"{PROGRAMS}{run_id}/pause/", {}).status_code for _ in range(9)}

    assert answers == {200, 409}


def test_without_a_setting_there_are_limits_that_no_honest_client_meets(
    settings: Settings,
) -> None:
    settings.REST_FRAMEWORK = {
        name: own for name, own in settings.REST_FRAMEWORK.items() if "THROTTLE" not in name
    }
    throttle = Throttle()

    limits = {}
    for throttle.scope in RATES:
        limits[throttle.scope] = throttle.parse_rate(throttle.get_rate())

    assert limits["programs.create"] == (1000, 1)
    assert {limit for limit in limits.values() if limit != (1000, 1)} == {(200, 1)}

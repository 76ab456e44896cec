"""The REST API: what another service sees and does, through the real client."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from programs.models import Ending, Operation, Program, State
from programs.submission import create_program

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

PROGRAMS = "/api/programs/"
JSON = "application/json"
VIEW, ADD, STOP = "view_program", "add_program", "stop_program"


def client_of(*codenames: str, **options: Any) -> Client:
    """Return the client of a user with these permissions, and no more."""
    user = User.objects.create_user("grace")
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client(**options)
    client.force_login(user)
    return client


@pytest.fixture
def grace() -> Client:
    return client_of(VIEW, ADD, STOP)


def post(client: Client, url: str, body: Any) -> Any:
    """Send `body` as JSON; a text or bytes as they are."""
    raw = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return client.post(url, raw, content_type=JSON)


def stop_of(program: Program) -> str:
    return f"{PROGRAMS}{program.run_id}/stop/"


# Create -------------------------------------------------------------------------------------


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


def test_the_same_key_with_other_content_is_a_conflict(grace: Client) -> None:
    post(grace, PROGRAMS, {"jobs": ["noop"], "idempotency_key": "orders"})

    response = post(grace, PROGRAMS, {"jobs": ["count"], "idempotency_key": "orders"})

    assert response.status_code == 409
    assert "was created with other content" in response.json()["detail"]


BAD_BODIES: list[tuple[Any, int, str, str]] = [
    # What is sent, the status, the field that is named, and what is said of it.
    ("", 400, "jobs", "required"),
    ("{", 400, "detail", "JSON parse error"),
    ("null", 400, "non_field_errors", "No data provided"),
    ("[]", 400, "non_field_errors", "Expected a dictionary"),
    ('"text"', 400, "non_field_errors", "Expected a dictionary"),
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
    assert said in str(response.json()[field])
    assert not Program.objects.exists()


@pytest.mark.parametrize("body", [b" " * 3_000_000, "[" * 100_000, "{}"])
def test_a_browser_is_told_as_well(grace: Client, body: Any) -> None:
    response = grace.post(PROGRAMS, body, content_type=JSON, headers={"accept": "text/html"})

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


# List and retrieve --------------------------------------------------------------------------


def test_the_list_is_read_page_by_page_newest_first(grace: Client) -> None:
    created = [create_program(["noop"]).run_id for _ in range(5)]

    seen, url = [], f"{PROGRAMS}?page_size=2"
    while url:
        page = grace.get(url).json()
        seen += [program["run_id"] for program in page["results"]]
        url = page["next"]

    assert seen == created[::-1]


def test_the_list_does_not_read_the_data(
    grace: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(10):
        create_program(["noop"], {"large": "x"})

    with django_assert_num_queries(5) as captured:  # session, user, two of permissions, the list
        results = grace.get(PROGRAMS).json()["results"]

    assert "program_data" not in results[0]
    assert not any("program_data" in query["sql"] for query in captured.captured_queries)


def cursor(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "nonsense"},
        {"cursor": cursor("p=nonsense")},
        {"cursor": cursor("p=%00")},
        {"cursor": cursor("p=1&o=nonsense")},
    ],
)
def test_a_cursor_of_ones_own_making_is_not_found(grace: Client, query: dict[str, str]) -> None:
    assert grace.get(PROGRAMS, query).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": cursor("p=" + "9" * 40)},
        {"cursor": cursor("o=" + "9" * 40)},
        {"cursor": "\0"},
        {"page_size": "nonsense"},
        {"page_size": "9" * 40},
        {"page_size": "-1"},
        {"unheard_of": "\0"},
    ],
)
def test_an_odd_query_is_answered_all_the_same(grace: Client, query: dict[str, str]) -> None:
    assert grace.get(PROGRAMS, query).status_code == 200


def test_a_program_is_retrieved_with_its_newest_attempts(grace: Client) -> None:
    program = create_program(["noop"], {"year": 2024})
    for number in range(1, 61):
        program.attempts.create(
            step=0,
            job="noop",
            number=number,
            epoch=number,
            worker="w/0.1",
            ended_at=datetime.now(UTC),
            outcome=Ending.ERRORED,
            message="no such order",
            log="page 1 of 3",
        )

    answer = grace.get(f"{PROGRAMS}{program.run_id}/").json()

    assert answer["program_data"] == {"year": 2024}
    assert [attempt["number"] for attempt in answer["attempts"]] == list(range(60, 10, -1))
    assert answer["attempts"][0]["log"] == "page 1 of 3"


@pytest.mark.parametrize("run_id", ["unheard_of", "%00", "a%00b", "x" * 5000, "%ff", "..", "%2F"])
def test_a_run_id_that_is_not_there_is_not_found(grace: Client, run_id: str) -> None:
    assert grace.get(f"{PROGRAMS}{run_id}/").status_code == 404
    assert post(grace, f"{PROGRAMS}{run_id}/stop/", {}).status_code == 404


# Stop ---------------------------------------------------------------------------------------


def test_a_program_is_stopped_and_the_operation_kept(grace: Client) -> None:
    program = create_program(["noop"])

    response = post(grace, stop_of(program), {"reason": "no longer wanted"})

    operation = Operation.objects.get()
    assert (response.status_code, response.json()["state"]) == (200, "stopped")
    assert (operation.by, operation.reason) == ("grace", "no longer wanted")


def test_a_program_is_stopped_without_a_body(grace: Client) -> None:
    program = create_program(["noop"])

    assert post(grace, stop_of(program), "").json()["state"] == "stopped"


def test_a_stop_in_a_state_that_does_not_allow_it_is_a_conflict(grace: Client) -> None:
    program = create_program(["noop"])
    post(grace, stop_of(program), {})

    response = post(grace, stop_of(program), {})

    assert response.status_code == 409
    assert response.json()["detail"].endswith("is stopped: it cannot be stopped")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": {}}, "reason"),
        ({"reason": "\0"}, "reason"),
        ({"reason": "\ud800"}, "reason"),
        ({"reason": "x" * 2001}, "reason"),
        ({"why": "x"}, "why"),
        ([], "non_field_errors"),
    ],
)
def test_a_bad_reason_is_refused(grace: Client, body: Any, field: str) -> None:
    program = create_program(["noop"])

    response = post(grace, stop_of(program), body)

    assert response.status_code == 400
    assert field in response.json()
    assert Program.objects.get().state is State.WAITING


# Permissions --------------------------------------------------------------------------------


def reach(client: Client, endpoint: str, program: Program) -> int:
    """Call one endpoint and return the status."""
    calls = {
        "list": lambda: client.get(PROGRAMS),
        "retrieve": lambda: client.get(f"{PROGRAMS}{program.run_id}/"),
        "create": lambda: post(client, PROGRAMS, {"jobs": ["noop"]}),
        "stop": lambda: post(client, stop_of(program), {}),
    }
    status: int = calls[endpoint]().status_code
    return status


NEEDED = {"list": {VIEW}, "retrieve": {VIEW}, "create": {ADD}, "stop": {VIEW, STOP}}
every_endpoint = pytest.mark.parametrize("endpoint", NEEDED)


@every_endpoint
def test_an_endpoint_is_open_to_who_holds_its_permissions(endpoint: str) -> None:
    client = client_of(*NEEDED[endpoint])

    assert reach(client, endpoint, create_program(["noop"])) in (200, 201)


@every_endpoint
def test_an_endpoint_is_closed_to_who_lacks_one_of_them(endpoint: str) -> None:
    program = create_program(["noop"])
    for lacking in NEEDED[endpoint]:
        User.objects.all().delete()
        client = client_of(*({VIEW, ADD, STOP, "change_program", "delete_program"} - {lacking}))

        assert reach(client, endpoint, program) == 403

    assert Program.objects.get().state is State.WAITING


@every_endpoint
def test_an_endpoint_is_closed_to_strangers(endpoint: str, client: Client) -> None:
    assert reach(client, endpoint, create_program(["noop"])) == 403


@pytest.mark.parametrize("endpoint", ["create", "stop"])
def test_a_change_needs_the_token_of_its_session(endpoint: str) -> None:
    client = client_of(VIEW, ADD, STOP, enforce_csrf_checks=True)

    assert reach(client, endpoint, create_program(["noop"])) == 403


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_a_program_is_not_changed_or_deleted_by_hand(method: str) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    program = create_program(["noop"])

    response = getattr(client, method)(f"{PROGRAMS}{program.run_id}/", content_type=JSON)

    assert response.status_code == 405
    assert Program.objects.filter(pk=program.pk).exists()


# Around it ----------------------------------------------------------------------------------


def test_the_api_can_be_browsed(grace: Client) -> None:
    run_at = datetime.now(UTC) + timedelta(hours=1)
    program = create_program(["noop"], {"x": "<script>alert(1)</script>"}, run_at=run_at)

    for url in (PROGRAMS, f"{PROGRAMS}{program.run_id}/"):
        response = grace.get(url, headers={"accept": "text/html"})

        assert response.status_code == 200
        assert b"<script>alert" not in response.content


WITHOUT_EXTRAS = """
import sys
for absent in {absent!r}:
    sys.modules[absent] = None  # as if it were not installed

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["programs"],
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    PROGRAM_EXECUTOR={{"JOB_MODULES": ["tests.jobs"]}},
)
django.setup()

from django.core.management import call_command

call_command("check")
call_command("migrate", verbosity=0)

from programs.operations import stop_program
from programs.submission import create_program

print(stop_program(create_program(["noop"])).state)
"""


@pytest.mark.parametrize(
    "absent", [["rest_framework"], ["django.contrib.admin"], ["rest_framework", "django.contrib"]]
)
def test_the_app_works_without_what_it_does_not_need(absent: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_EXTRAS.format(absent=absent)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.splitlines()[-1:] == ["stopped"], done.stderr

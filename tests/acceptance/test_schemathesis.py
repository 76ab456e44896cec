"""The API against its own schema: schemathesis asks what it allows, and what it does not.

All its checks are on. What it sends is the same each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import quote, unquote

import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck
from hypothesis import settings as how
from knox.models import AuthToken
from pytest_django.fixtures import Settings

from programs.api.description import description
from programs.models import Definition, Operation, Program, Schedule, State, Verb, Worker
from tests.console import program_in

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

ID = 1_000_000  # which no sequence comes to

# What there is to be found, by the parameters of paths.
THERE = {
    "run_id": [state.value for state in State],
    "id": [str(ID)],
    "name": ["default", "reports"],
    "worker": ["w"],
    "definition": ["orders", "spare"],
}
KINDS = ("worker", "definition")  # whose names are found at paths of their own

# A copy: its examples are changed below, and are shared with the API itself.
schema = schemathesis.openapi.from_dict(deepcopy(description()))
schema.app = WSGIHandler()


@pytest.fixture
def token(settings: Settings) -> str:
    settings.ALLOWED_HOSTS = ["localhost"]
    made: str = AuthToken.objects.create(User.objects.create_superuser("ada"))[1]
    return made


@pytest.fixture(autouse=True)
def there(db: None) -> None:
    """A program in each state, named by it, and one of everything else."""
    for state in State:
        program = program_in(state)
        Program.objects.filter(pk=program.pk).update(run_id=state.value)
    Operation.objects.create(pk=ID, subject="default", verb=Verb.PAUSE_QUEUE)
    for name in ("orders", "spare"):
        Definition.objects.create(name=name, jobs=["noop"])
    Schedule.objects.create(pk=ID, definition="orders", interval=60)
    Worker.register(
        name="w", host="h", pid=1, queues=["default"], slots=1, jobs=["noop"], version="1"
    )


@pytest.fixture(autouse=True)
def kept_open() -> Iterator[None]:
    """Let no request close the connection that the test's transaction is of.

    Django's own client sees to that; this one is of a server's kind. SQLite in memory alone is
    never closed.
    """
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def complete(case: Any) -> None:
    """Give what is meant to be right what no schema can say: known jobs, steps, cursors."""
    if case.meta is not None and not case.meta.generation.mode.is_positive:
        return
    case.query.pop("cursor", None)
    for name, value in case.path_parameters.items():
        kind = next((kind for kind in KINDS if case.path.startswith(f"/api/{kind}s/")), name)
        known = THERE[kind]
        is_known = len(value) % 3  # most of them: what is made up is hardly ever there
        given = known[len(value) % len(known)] if is_known else legible(unquote(value))
        case.path_parameters[name] = quote(given, safe="")
    if case.path.endswith("/edit/"):
        body = case.body if isinstance(case.body, dict) else {}
        case.media_type = "application/json"
        case.body = {**body, "program_data": body.get("program_data") or {}}
    if isinstance(case.body, dict):
        if case.body.get("idempotency_key"):
            case.headers.pop("Idempotency-Key", None)
        for program in (case.body, *case.body.get("programs", ())):
            make_right(program)
        if case.path in ("/api/schedules/", "/api/schedules/{id}/"):
            make_tick(case.body)
        if case.path == "/api/definitions/":  # names are taken by the requests before
            Definition.objects.filter(name=case.body["name"]).delete()


def make_right(program: dict[str, Any]) -> None:
    """Let a program that is to be created be of jobs that there are, and of legible names."""
    if "jobs" in program:
        program["jobs"] = ["noop"] * len(program["jobs"])
    if program.get("job_data"):
        program["job_data"] = {"noop": next(iter(program["job_data"].values()))}
    if "from_step" in program:
        program["from_step"] = min(program["from_step"], 1)
    for name in ("queue", "idempotency_key"):
        if program.get(name):
            program[name] = legible(program[name])


def make_tick(schedule: dict[str, Any]) -> None:
    """Let a schedule be of a definition that there is, and of moments that there are."""
    usual = {"definition": "orders", "cron": "30 2 * * *", "time_zone": "Europe/Berlin"}
    schedule.update({name: value for name, value in usual.items() if schedule.get(name)})
    if schedule.get("cron") or not schedule.get("interval"):
        schedule.update(cron=usual["cron"], interval=None)


def legible(name: str) -> str:
    return "".join(sign for sign in name if sign.isprintable()) or "x"


@schema.parametrize()
@how(max_examples=12, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_api_keeps_its_schema(case: Any, token: str) -> None:
    complete(case)

    case.call_and_validate(headers={"Authorization": f"Token {token}"})

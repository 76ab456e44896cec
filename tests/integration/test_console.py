"""Console and API, with the users in one database and the programs in another, or in the same."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from programs.models import Operation, Program, State
from programs.submission import create_program
from tests.databases import ALIASES

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=[*ALIASES.values()]),
    pytest.mark.usefixtures("bookkeeping"),
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

LIST = "/admin/programs/program/"


@pytest.fixture
def ada() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


def test_a_program_is_created_found_and_stopped_in_the_console(ada: Client) -> None:
    ada.post(f"{LIST}add/", {"jobs": "noop", "queue": "default", "idempotency_key": "orders"})
    program = Program.objects.get()

    ada.post(f"{LIST}{program.pk}/stop/", {"reason": "no longer wanted"})

    page = ada.get(f"{LIST}{program.pk}/change/").content.decode()
    assert (
        program.run_id in ada.get(LIST, {"state": "stopped", "q": program.run_id}).content.decode()
    )
    assert "no longer wanted" in page
    assert program.run_id in ada.get("/admin/programs/operation/").content.decode()


@pytest.mark.parametrize("state", list(State))
def test_the_console_filters_by_each_state(ada: Client, state: State) -> None:
    create_program(["noop"])

    assert ada.get(LIST, {"state": state.value}).status_code == 200


def test_a_program_is_created_found_and_stopped_over_the_api(ada: Client) -> None:
    given = {"jobs": ["noop"], "program_data": {"text": "no\0thing"}}
    created = ada.post("/api/programs/", given, content_type="application/json").json()
    url = f"/api/programs/{created['run_id']}/"

    stopped = ada.post(f"{url}stop/", {}, content_type="application/json").json()

    assert (created["state"], stopped["state"]) == ("waiting", "stopped")
    assert ada.get(url).json()["program_data"] == {"text": "no\ufffdthing"}
    assert [program["run_id"] for program in ada.get("/api/programs/").json()["results"]] == [
        created["run_id"]
    ]
    assert Operation.objects.get().by == "ada"


@pytest.mark.parametrize("run_id", ["%00", "a%00b", "%ff", "x" * 5000])
def test_an_odd_run_id_is_not_found(ada: Client, run_id: str) -> None:
    assert ada.get(f"/api/programs/{run_id}/").status_code == 404
    assert ada.get(LIST, {"q": "no\0thing"}).status_code in (200, 302)

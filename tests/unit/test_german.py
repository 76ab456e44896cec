"""The console in German: who asks for it gets it, and nothing but the console speaks it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils.translation import get_language
from rest_framework import serializers

from programs import operations
from programs.models import Program, State, Verb, Worker
from programs.submission import create_program
from tests.clients import post
from tests.commands import manage
from tests.console import LIST, page_for, page_of, program_in
from tests.typed import typed_job

pytestmark = pytest.mark.django_db

GERMAN = {"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}
OVERVIEW = f"{LIST}overview/"


def shown(client: Client, url: str, language: str = "de") -> str:
    answer = client.get(url, headers={"Accept-Language": language})
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_a_browser_that_prefers_german_gets_it(admin_client: Client) -> None:
    program = program_in(State.ERRORED)

    page = admin_client.get(LIST, headers=GERMAN).content.decode()

    assert '<html lang="de"' in page
    assert "<h1>Programme</h1>" in page
    assert '<span class="programs-state programs-errored">fehlgeschlagen</span>' in page
    assert f"Schritt 1 von 2: {program.job}" in page


@pytest.mark.parametrize("language", ["", "en", "fr", "x"])
def test_everybody_else_gets_english(admin_client: Client, language: str) -> None:
    program_in(State.ERRORED)

    page = shown(admin_client, LIST, language)

    assert '<html lang="en' in page
    assert "<h1>Programs</h1>" in page
    assert '<span class="programs-state programs-errored">errored</span>' in page


def test_a_project_in_german_needs_no_setting_of_ours(admin_client: Client, settings: Any) -> None:
    settings.LANGUAGE_CODE = "de"
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if "locale" not in each]

    assert "<h1>Programme</h1>" in admin_client.get(LIST).content.decode()


@pytest.mark.parametrize(
    ("verb", "state", "told"),
    [
        (Verb.STOP, State.WAITING, "Nicht mehr laufen wird: behave, noop."),
        (Verb.PAUSE, State.RUNNING, "behave läuft vorher zu Ende"),
        (Verb.RESUME, State.PAUSED, "Laufen wird: behave, noop."),
        (Verb.SKIP, State.ERRORED, "behave (Schritt 1) wird nicht laufen; laufen wird: noop."),
        (Verb.RETRY, State.ERRORED, "Schritt 1 (wo es endete): läuft noch einmal: behave, noop"),
    ],
)
def test_a_lever_tells_beforehand_what_it_will_do(
    admin_client: Client, verb: Verb, state: State, told: str
) -> None:
    assert told in shown(admin_client, page_for(verb, program_in(state)))


def test_the_page_of_a_program_says_what_it_waits_for(admin_client: Client) -> None:
    assert "Kein lebender Worker bedient die Warteschlange default; fällig seit" in shown(
        admin_client, page_of(program_in(State.WAITING))
    )


@pytest.mark.parametrize(("losses", "told"), [(1, "einmal"), (2, "2-mal")])
def test_a_plural_is_one(admin_client: Client, losses: int, told: str) -> None:
    program = create_program(["noop"])
    Program.objects.filter(pk=program.pk).update(losses=losses)
    given = {"host": "h", "pid": 1, "slots": 1, "version": "1"}
    Worker.register(name="w", queues=["default"], jobs=["noop"], **given)

    page = shown(admin_client, page_of(program))

    assert f"Sein Worker ging bei diesem Schritt {told} verloren" in page


def test_numbers_are_written_as_germans_write_them(admin_client: Client) -> None:
    program = program_in(State.FINISHED)
    began = datetime.now(UTC) - timedelta(minutes=1)
    program.attempts.update(started_at=began, ended_at=began + timedelta(seconds=1.25))

    assert "1,25 s" in shown(admin_client, page_of(program))
    assert "1.25 s" in shown(admin_client, page_of(program), "en")
    assert "1,25 s" in shown(admin_client, OVERVIEW)


def test_what_was_done_is_told_in_german(admin_client: Client) -> None:
    program = program_in(State.WAITING)

    answer = admin_client.post(
        page_for(Verb.PAUSE, program), {"reason": ""}, headers=GERMAN, follow=True
    )

    assert f"Pausieren: Programm {program} ist jetzt pausiert." in answer.content.decode()


# What does not speak it ----------------------------------------------------------------------


def test_the_api_answers_in_english(admin_client: Client) -> None:
    program = operations.pause_program(create_program(["noop"]), by="ada")
    url = f"/api/programs/{program.run_id}/"

    answer = admin_client.get(url, headers=GERMAN).json()

    assert answer["why"].startswith("paused ")
    assert answer["why"].endswith(" ago by ada until it is resumed")
    assert answer["state"] == "paused"


@pytest.mark.parametrize(
    "body", [{}, {"jobs": "noop"}, {"jobs": ["noop"], "run_at": "never"}, {"jobs": ["import_day"]}]
)
def test_errors_of_the_api_are_english(admin_client: Client, body: Any) -> None:
    german = Client(headers=GERMAN)
    german.cookies = admin_client.cookies

    with typed_job():
        english = post(admin_client, "/api/programs/", body).json()
        answer = post(german, "/api/programs/", body)

    assert answer.status_code == 400
    assert answer.json() == english


def test_the_command_line_speaks_english(settings: Any) -> None:
    settings.LANGUAGE_CODE = "de"
    program = operations.pause_program(create_program(["noop"]), by="ada", reason="why not")
    told = StringIO()

    call_command("showprogram", program.run_id, stdout=told)

    assert f"program {program} is paused" in told.getvalue()
    assert "ago by ada until it is resumed" in told.getvalue()
    assert "paused by ada: why not" in told.getvalue()


@pytest.mark.parametrize("language", ["de", "en", "fr"])
def test_what_is_valid_hangs_on_the_project_and_not_on_the_browser(
    admin_client: Client, settings: Any, language: str
) -> None:
    settings.LANGUAGE_CODE = "de"
    checked_in: list[str | None] = []

    class PriceData(serializers.Serializer[Any]):
        price = serializers.DecimalField(max_digits=9, decimal_places=2, localize=True)

        def validate(self, given: Any) -> Any:
            checked_in.append(get_language())
            return given

    client = Client(headers={"Accept-Language": language})
    client.cookies = admin_client.cookies
    with typed_job(data_class=None, program_data_class=PriceData):
        body = {"jobs": ["import_day"], "program_data": {"price": "1,50"}}
        command = manage("createprogram", "import_day", "--data", '{"price": "1,50"}')
        refused = manage("createprogram", "import_day")
        answer = post(client, "/api/programs/", body)

    assert answer.status_code == 201, answer.json()
    assert answer.headers["Content-Language"] == "de"
    assert command.status == 0, command.err
    assert set(checked_in) == {"de"}
    assert "Dieses Feld ist zwingend erforderlich." in refused.err


@pytest.mark.parametrize("url", ["/api/programs/", "/api/programs/none/"])
def test_the_api_says_in_which_language_it_answers(admin_client: Client, url: str) -> None:
    answer = admin_client.get(url, headers=GERMAN)
    assert answer.headers["Content-Language"] == "en-us"


def test_errors_are_english_on_a_german_page(admin_client: Client) -> None:
    sent = {"jobs": "nobody_knows_it", "queue": "default"}

    english, german = (
        admin_client.post(f"{LIST}add/", sent, headers=headers).context["form"].errors["jobs"]
        for headers in ({}, GERMAN)
    )

    assert "nobody_knows_it" in german[0]
    assert german == english

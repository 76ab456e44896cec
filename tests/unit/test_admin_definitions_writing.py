"""The console: definitions made, saved from a program, changed, and started with other data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from pytest_django.fixtures import Settings

from programs.definition import find_definition, save_definition, start_program
from programs.job import Job
from programs.models import Definition, Operation, Program, Verb
from programs.submission import create_program
from tests.clients import VIEW, client_of
from tests.console import CREATE, page_of, texts
from tests.scheduling import Defined, define
from tests.typed import typed_job

__all__ = ["define"]

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

DEFINITIONS = "/admin/programs/definition/"
ADD = f"{DEFINITIONS}add/"
EDIT, START, PAGE = (f"{DEFINITIONS}orders/{page}/" for page in ("edit", "start", "change"))
LOOK = "view_definition"
SECRET = {"token": "t0psecret", "year": 2025}
GIVEN = {"name": "orders", "jobs": "noop, count", "queue": "default"}


@pytest.fixture
def orders() -> Definition:
    return save_definition(
        "orders", ["noop", "count"], program_data=SECRET, job_data={"count": {"n": 3}}, by="ada"
    )


@pytest.fixture
def typed() -> Iterator[type[Job]]:
    with typed_job() as job:
        yield job


def errors(answer: Any) -> dict[str, str]:
    assert answer.status_code == 200
    return {name: str(found) for name, found in answer.context["form"].errors.items()}


# Making one -----------------------------------------------------------------------------------


def test_a_definition_is_made_as_asked(admin_client: Client) -> None:
    given = {
        **GIVEN,
        "description": "Fetches orders.",
        "program_data": '{"year": 2025}',
        "job_data": '{"count": {"n": 3}}',
        "queue": "reports",
    }

    answer = admin_client.post(ADD, given)

    made = Definition.objects.get()
    assert answer["Location"] == PAGE
    assert (made.name, made.jobs, made.queue) == ("orders", ["noop", "count"], "reports")
    assert (made.program_data, made.job_data) == ({"year": 2025}, {"count": {"n": 3}})
    assert (made.description, made.created_by) == ("Fetches orders.", "admin")
    deed = Operation.objects.get()
    assert (deed.verb, deed.subject, deed.by) == (Verb.ADD_DEFINITION, "orders", "admin")
    assert admin_client.get(str(LogEntry.objects.get().get_admin_url())).status_code == 200


BAD_INPUT = [
    ("name", "", "This field is required."),
    ("name", "a/b", "letters, digits, dots"),
    ("name", "nightly", "is taken"),
    ("name", "known", "is taken"),
    ("jobs", "noop, unheard_of", "unheard_of"),
    ("jobs", "programs.bulk", "own job"),
    ("program_data", "[1]", "Must be a JSON object"),
    ("job_data", '{"behave": {}}', "none of the jobs"),
    ("queue", "", "This field is required."),
]


@pytest.mark.parametrize(("field", "typed", "error"), BAD_INPUT)
def test_bad_input_lands_on_its_field_and_nothing_typed_is_lost(
    admin_client: Client, define: Defined, field: str, typed: str, error: str
) -> None:
    define("nightly", "noop")
    save_definition("known", ["noop"])
    given = {**GIVEN, "description": "Fetches.", "program_data": '{ "a":1 }', field: typed}

    answer = admin_client.post(ADD, given)

    found = errors(answer)
    assert list(found) == [field]
    assert error in found[field]
    form = answer.context["form"]
    assert {name: form[name].value() for name in given} == given
    assert Definition.objects.count() == 1


def test_making_one_needs_its_own_permission() -> None:
    client = client_of(LOOK, VIEW, "change_definition", "start_definition")

    assert client.get(ADD).status_code == 403
    assert client.post(ADD, GIVEN).status_code == 403
    assert not Definition.objects.exists()
    assert "needs the permission “Can add definition”" in client.get(DEFINITIONS).content.decode()


# Saving a program as one ----------------------------------------------------------------------


def test_a_program_is_saved_as_a_definition(admin_client: Client) -> None:
    program = create_program(
        ["noop", "count"], {"year": 2025}, {"count": {"n": 3}}, queue="reports"
    )
    url = f"{ADD}?program={program.pk}"
    assert f'href="{url}"' in admin_client.get(page_of(program)).content.decode()

    form = admin_client.get(url).context["form"]
    given = {field.name: field.value() or "" for field in form.visible_fields()}
    admin_client.post(url, {**given, "name": "orders"})

    made = Definition.objects.get()
    assert (made.jobs, made.queue) == (["noop", "count"], "reports")
    assert (made.program_data, made.job_data) == ({"year": 2025}, {"count": {"n": 3}})


def test_who_may_not_see_a_secret_cannot_copy_it_into_a_definition() -> None:
    program = create_program(["noop"], SECRET, {"noop": {"password": "t0psecret"}})
    client = client_of(LOOK, VIEW, "add_definition")
    url = f"{ADD}?program={program.pk}"

    form = client.get(url).context["form"]
    given = {field.name: field.value() or "" for field in form.visible_fields()}
    answer = client.post(url, {**given, "name": "orders"})

    assert "t0psecret" not in json.dumps(given)
    found = errors(answer)
    assert set(found) == {"program_data", "job_data"}
    assert "token is masked" in found["program_data"]
    assert not Definition.objects.exists()


def test_who_may_not_see_programs_saves_none_of_them() -> None:
    program = create_program(["noop"], {"year": 2025})
    client = client_of(LOOK, "add_definition")

    assert client.get(f"{ADD}?program={program.pk}").status_code == 403


@pytest.mark.parametrize("key", ["4711", "x", "9" * 40, "-1"])
def test_a_program_that_is_not_there_is_not_found(admin_client: Client, key: str) -> None:
    assert admin_client.get(f"{ADD}?program={key}").status_code == 404


# Changing one ---------------------------------------------------------------------------------


def test_a_change_changes_no_program_that_exists(admin_client: Client, orders: Definition) -> None:
    before = start_program("orders")

    answer = admin_client.post(EDIT, {"jobs": "count", "queue": "reports", "program_data": "{}"})

    orders.refresh_from_db()
    assert answer["Location"] == PAGE
    assert (orders.name, orders.jobs, orders.queue) == ("orders", ["count"], "reports")
    assert Program.objects.get().jobs == before.jobs == ["noop", "count"]
    deed = Operation.objects.get(verb=Verb.CHANGE_DEFINITION)
    assert (deed.subject, deed.by) == ("orders", "admin")
    assert "t0psecret" not in json.dumps(deed.detail)


def test_a_mask_that_stays_stands_for_the_secret_of_the_definition(orders: Definition) -> None:
    client = client_of(LOOK, "change_definition")
    form = client.get(EDIT).context["form"]
    given = {field.name: field.value() or "" for field in form.visible_fields()}
    assert "t0psecret" not in json.dumps(given)

    client.post(EDIT, {**given, "program_data": '{"token": "***", "year": 2026}'})
    orders.refresh_from_db()
    assert orders.program_data == {"token": "t0psecret", "year": 2026}

    answer = client.post(EDIT, {**given, "program_data": '{"api_key": "***"}'})
    assert "api_key is masked" in errors(answer)["program_data"]


def test_one_in_code_is_not_changed_here(admin_client: Client, define: Defined) -> None:
    define("orders", "noop")

    assert admin_client.get(EDIT).status_code == 403
    assert admin_client.post(EDIT, {"jobs": "count", "queue": "x"}).status_code == 403


# Starting one ---------------------------------------------------------------------------------


def test_a_start_gives_the_program_what_the_page_shows(
    admin_client: Client, orders: Definition
) -> None:
    form = admin_client.get(START).context["form"]
    given = {field.name: field.value() or "" for field in form.visible_fields()}
    assert json.loads(given["program_data"]) == SECRET

    answer = admin_client.post(START, {**given, "run_at": "2050-01-31T12:30"}, follow=True)

    program = Program.objects.get()
    assert (program.definition, program.created_by) == ("orders", "admin")
    assert (program.program_data, program.job_data) == (SECRET, {"count": {"n": 3}})
    assert program.run_at == datetime(2050, 1, 31, 12, 30, tzinfo=UTC)
    assert texts(answer) == [f"Program {program.run_id} is started."]
    assert answer.redirect_chain[0][0] == page_of(program)
    assert LogEntry.objects.get().object_id == str(program.pk)


def test_what_is_left_out_on_the_page_the_program_does_not_get(
    admin_client: Client, orders: Definition
) -> None:
    given = {"program_data": '{"year": 2026}', "job_data": "", "queue": "reports"}

    admin_client.post(START, given)

    program = Program.objects.get()
    assert (program.program_data, program.job_data) == ({"year": 2026}, {})
    assert program.queue == "reports"


def test_masks_of_a_start_stand_for_the_secrets_of_the_definition(orders: Definition) -> None:
    client = client_of(LOOK, "start_definition")

    answer = client.post(START, {"program_data": '{"token": "***"}', "queue": "default"})
    assert answer["Location"] == PAGE  # the page of the program is for who may view programs
    assert Program.objects.get().program_data == {"token": "t0psecret"}

    answer = client.post(START, {"program_data": '{"password": "***"}', "queue": "default"})
    assert "password is masked" in errors(answer)["program_data"]
    assert Program.objects.count() == 1


def test_a_key_starts_one_program_and_other_content_is_refused(
    admin_client: Client, orders: Definition
) -> None:
    given = {"program_data": '{"year": 1}', "queue": "default", "idempotency_key": "k"}

    admin_client.post(START, given)
    again = admin_client.post(START, given, follow=True)
    other = admin_client.post(START, {**given, "program_data": '{"year": 2}'})

    program = Program.objects.get()
    assert texts(again)[-1] == f"Program {program.run_id} was started before, with the same key."
    assert LogEntry.objects.filter(object_id=str(program.pk)).count() == 1
    assert page_of(program) in errors(other)["idempotency_key"]


@pytest.mark.usefixtures("typed")
def test_a_form_is_drawn_from_what_the_jobs_say_and_errors_land_on_its_fields(
    admin_client: Client,
) -> None:
    save_definition("orders", ["import_day"], program_data={"region": "eu"})
    page = admin_client.get(START).content.decode()
    assert 'name="program-region"' in page
    drawn = {"drawn_for": '["import_day"]', "program-region": "eu", "queue": "default"}

    answer = admin_client.post(START, {**drawn, "job0-day": "yesterday"})

    assert answer.status_code == 200
    assert "Date has wrong format" in answer.content.decode()
    assert 'value="yesterday"' in answer.content.decode()
    assert not Program.objects.exists()


def test_the_serializer_of_a_definition_checks_its_start(
    admin_client: Client, define: Defined
) -> None:
    name = "airports"  # in code, with a form of its own
    assert find_definition(name) is not None
    url = f"{DEFINITIONS}{name}/start/"
    drawn = {"drawn_for": "[]", "queue": "default", "program-file": ""}

    wrong = admin_client.post(url, {**drawn, "program-day": "1066-10-14"})
    assert "must be in" in wrong.content.decode().lower()
    admin_client.post(url, {**drawn, "program-day": "2026-11-24"})

    program = Program.objects.get()
    assert (program.definition, program.program_data) == (name, {"day": "2026-11-24"})


def test_raw_json_and_the_form_lose_nothing_on_the_way(admin_client: Client) -> None:
    url = f"{DEFINITIONS}airports/start/"
    drawn = {"drawn_for": "[]", "queue": "q", "program-day": "tomorrow", "program-file": "/x"}

    raw = admin_client.post(url, {**drawn, "draw": "raw"})

    typed = json.loads(raw.context["form"]["program_data"].value())
    assert typed == {"day": "tomorrow", "file": "/x"}
    assert raw.context["form"]["queue"].value() == "q"
    assert not Program.objects.exists()


def test_a_description_that_is_not_touched_stays_as_it_is_stored(admin_client: Client) -> None:
    told = "first \u200f\u05d0\nsecond"
    row = save_definition("orders", ["noop"], description=told)
    url = f"{DEFINITIONS}orders/edit/"
    form = admin_client.get(url).context["form"]
    sent = {name: form[name].value() for name in form.fields}
    assert "\\u200f" in sent["description"]

    lines = sent["description"].replace("\n", "\r\n")
    admin_client.post(url, {**sent, "description": lines, "queue": "quick"})

    row.refresh_from_db()
    assert (row.queue, row.description) == ("quick", told)


@pytest.mark.parametrize("url", [START, CREATE])
def test_a_start_time_is_one_of_the_readers_also_without_time_zones(
    admin_client: Client, settings: Settings, url: str
) -> None:
    save_definition("orders", ["noop"])
    settings.USE_TZ = False

    admin_client.post(url, {"jobs": "noop", "queue": "default", "run_at": "2050-01-31T12:30"})

    assert Program.objects.get().run_at == datetime(2050, 1, 31, 12, 30)  # noqa: DTZ001

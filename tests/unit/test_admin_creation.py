"""The console: creating programs, and hostile text in all that it shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from programs import registry
from programs.job import Job, JobData
from programs.message import Message
from programs.models import Program, Verb, Worker
from programs.submission import create_program
from tests.clients import VIEW, client_of
from tests.console import (
    CREATE,
    LIST,
    add_attempt,
    page_for,
    page_of,
)

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

HOSTILE = "<script>alert(1)</script>'\"\u202e"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;&#x27;&quot;\\u202e"


# Creating -----------------------------------------------------------------------------------


def test_a_program_is_created_as_asked(admin_client: Client) -> None:
    given = {
        "jobs": "noop, behave\n\ncount",
        "program_data": '{"year": 2024}',
        "job_data": '{"count": {"n": 3}}',
        "queue": "reports",
        "run_at": "2050-01-31T12:30",
        "idempotency_key": "orders-2024",
    }

    response = admin_client.post(CREATE, given)

    program = Program.objects.get()
    assert response["Location"] == page_of(program)
    assert program.jobs == ["noop", "behave", "count"]
    assert program.program_data == {"year": 2024}
    assert program.job_data == {"count": {"n": 3}}
    assert program.run_at == datetime(2050, 1, 31, 12, 30, tzinfo=UTC)
    assert (program.queue, program.created_by) == ("reports", "admin")


def test_the_form_shows_the_jobs_with_their_docstrings(admin_client: Client) -> None:
    page = admin_client.get(CREATE).content.decode()

    assert "<bdi>count</bdi>" in page
    assert "Reads its data and adds one to `n`." in page


def test_the_form_shows_jobs_that_only_a_live_worker_knows(admin_client: Client) -> None:
    Worker.register(
        name="w", host="h", pid=1, queues=["default"], slots=1, jobs=["elsewhere"], version="1"
    )

    page = admin_client.get(CREATE).content.decode()

    assert "<bdi>elsewhere</bdi>" in page


BAD_INPUT = [
    ("jobs", "", "This field is required."),
    ("jobs", " , \n", "Is empty"),
    ("jobs", "noop, unheard_of", "unheard_of"),
    ("jobs", "x" * 256, "must have 1 to 255 characters"),
    ("program_data", "{no json", "Is no JSON"),
    ("program_data", "[1, 2]", "Must be a JSON object"),
    ("program_data", '{"x": NaN}', "Holds a number that JSON has no form for"),
    ("program_data", "[" * 100_000, "nested too deeply"),
    ("program_data", "1" * 5000, "Is no JSON"),
    ("program_data", '{"x": "\0"}', "Null characters are not allowed"),
    ("program_data", json.dumps({"x": "x" * 1_100_000}), "at most 1048576"),
    ("job_data", '{"count": {}}', "none of the jobs"),
    ("job_data", '{"noop": 1}', "Job_data.noop: must be a JSON object"),
    ("queue", "", "This field is required."),
    ("queue", "\u202e", "cannot be printed"),
    ("run_at", "tomorrow", "Enter a valid date/time."),
    ("idempotency_key", "x" * 256, "at most 255 characters"),
]


@pytest.mark.parametrize(("field", "typed", "error"), BAD_INPUT)
def test_bad_input_lands_on_its_field_and_nothing_typed_is_lost(
    admin_client: Client, field: str, typed: str, error: str
) -> None:
    given = {
        "jobs": "noop",
        "program_data": '{ "year":2024 }',
        "job_data": "",
        "queue": "reports",
        "run_at": "2050-01-31T12:30",
        "idempotency_key": "orders",
        field: typed,
    }

    response = admin_client.post(CREATE, given)

    form = response.context["form"]
    assert response.status_code == 200
    assert list(form.errors) == [field]
    assert error in str(form.errors[field])
    assert {name: form[name].value() for name in given} == given
    assert not Program.objects.exists()


def test_an_idempotency_conflict_lands_on_its_field(admin_client: Client) -> None:
    given = {"jobs": "noop", "queue": "default", "idempotency_key": "orders"}
    admin_client.post(CREATE, given)
    again = admin_client.post(CREATE, given)

    other = admin_client.post(CREATE, {**given, "jobs": "count"})

    assert again["Location"] == page_of(Program.objects.get())
    assert list(other.context["form"].errors) == ["idempotency_key"]
    assert Program.objects.count() == 1


def test_an_idempotency_conflict_leads_to_the_first_program_for_who_may_view(
    admin_client: Client,
) -> None:
    first = create_program(["noop"], idempotency_key="orders")
    other = {"jobs": "count", "queue": "default", "idempotency_key": "orders"}

    link = f'<a href="{page_of(first)}">'
    assert link in admin_client.post(CREATE, other).content.decode()
    assert link not in client_of("add_program").post(CREATE, other).content.decode()


@pytest.fixture
def internal_job() -> Iterator[str]:
    class Internal(Job):
        """Works for the engine."""

        name = "internal_of_a_test"
        internal = True

        def execute(self, message: Message, job_data: JobData) -> None: ...

    registry.register(Internal)
    yield Internal.name
    del registry._jobs[Internal.name]


def test_the_engines_own_jobs_are_neither_offered_nor_taken(
    admin_client: Client, internal_job: str
) -> None:
    page = admin_client.get(CREATE).content.decode()
    form = admin_client.post(CREATE, {"jobs": internal_job, "queue": "x"}).context["form"]

    assert internal_job not in page
    assert "the engine&#x27;s own job" in str(form.errors["jobs"])
    assert not Program.objects.exists()


def test_a_name_with_commas_that_only_a_live_worker_knows_is_one_name(
    admin_client: Client,
) -> None:
    Worker.register(
        name="w", host="h", pid=1, queues=["default"], slots=1, jobs=["a, b"], version="1"
    )

    admin_client.post(CREATE, {"jobs": "noop\na, b", "queue": "default"})

    assert Program.objects.get().jobs == ["noop", "a, b"]


def test_a_name_that_cannot_be_printed_is_listed_and_cannot_be_chosen(
    admin_client: Client,
) -> None:
    names = ["fine", "turned\u202e"]
    Worker.register(name="w", host="h", pid=1, queues=["default"], slots=1, jobs=names, version="1")

    page = admin_client.get(CREATE).content.decode()

    assert '<li data-job="fine">' in page
    assert "<bdi>turned\\u202e</bdi>" in page
    assert 'data-job="turned' not in page


def test_the_page_asks_little_of_the_database(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    source = create_program(["noop"] * 50)
    for number in range(20):
        Worker.register(
            name=f"w{number}", host="h", pid=1, queues=[], slots=1, jobs=["x"], version="1"
        )

    with django_assert_max_num_queries(5):  # session, user, source, workers
        admin_client.get(f"{CREATE}?clone={source.pk}")


def test_who_may_only_view_creates_nothing() -> None:
    client = client_of(VIEW)

    assert client.get(CREATE).status_code == 403
    assert client.post(CREATE, {"jobs": "noop", "queue": "default"}).status_code == 403
    assert not Program.objects.exists()


def test_who_may_only_add_sees_no_program() -> None:
    client = client_of("add_program")

    response = client.post(CREATE, {"jobs": "noop", "queue": "default"})

    assert response["Location"] == "/admin/"
    assert client.get(page_of(Program.objects.get())).status_code == 403


# Hostile text -------------------------------------------------------------------------------


def test_whatever_others_wrote_is_escaped_and_cannot_turn_the_page(admin_client: Client) -> None:
    program = Program.objects.create(
        jobs=[HOSTILE, HOSTILE],
        program_data={HOSTILE: HOSTILE},
        job_data={HOSTILE: {"x": HOSTILE}},
        error_message=HOSTILE,
        errored_at=datetime.now(UTC),
        queue="default",
        created_by=HOSTILE,
    )
    wrote = dict.fromkeys(("worker", "error_class", "message", "traceback", "log"), HOSTILE)
    add_attempt(program, **wrote)
    operation = program.operations.create(
        verb="stop", by="ada", reason=HOSTILE, detail={"x": HOSTILE}
    )
    worker = Worker.objects.create(
        name="w", host="h", pid=1, queues=[HOSTILE], slots=1, jobs=[HOSTILE], version="1"
    )
    pages = [
        LIST,
        page_of(program),
        page_for(Verb.RETRY, program),
        page_for(Verb.EDIT, program),
        CREATE,
        f"{CREATE}?clone={program.pk}",
        "/admin/programs/operation/",
        f"/admin/programs/operation/{operation.pk}/change/",
        "/admin/programs/worker/",
        f"/admin/programs/worker/{worker.pk}/change/",
    ]

    for page in pages:
        html = admin_client.get(page).content.decode()
        assert "<script>alert" not in html, page
        assert "\u202e" not in html, page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html, page
    assert ESCAPED in admin_client.get(page_of(program)).content.decode()


def test_the_edit_page_gives_hostile_data_back_as_it_was(admin_client: Client) -> None:
    program = create_program(["noop"], {"x": HOSTILE, "control": "\x1b[31m\x7f"})

    form = admin_client.get(page_for(Verb.EDIT, program)).context["form"]

    assert json.loads(form["program_data"].value()) == {"x": HOSTILE, "control": "\x1b[31m\x7f"}

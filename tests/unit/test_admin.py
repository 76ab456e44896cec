"""The console: what an operator sees and does, through the real client."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path
from pytest_django import DjangoAssertNumQueries

import programs.admin
from programs.admin.levers import LEVERS
from programs.errors import OperationRefused
from programs.execution import carry
from programs.lease import Lease
from programs.models import Ending, Operation, Program, State, Verb, Worker
from programs.submission import create_program

own_site = admin.AdminSite(name="ops")
programs.admin.register(own_site)
urlpatterns = [path("ops/", own_site.urls), path("admin/", admin.site.urls)]

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

LIST = "/admin/programs/program/"
ADD = f"{LIST}add/"
HOSTILE = "<script>alert(1)</script>'\"\u202e"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;&#x27;&quot;\\u202e"

VIEW = "view_program"
PERMISSIONS = {
    Verb.STOP: "stop_program",
    Verb.PAUSE: "pause_program",
    Verb.RESUME: "pause_program",
    Verb.RETRY: "retry_program",
    Verb.SKIP: "skip_program_step",
    Verb.EDIT: "edit_program_data",
}
# A state in which the verb can be done, and what its page is sent.
DEEDS: dict[Verb, tuple[State, dict[str, str]]] = {
    Verb.STOP: (State.WAITING, {}),
    Verb.PAUSE: (State.WAITING, {}),
    Verb.RESUME: (State.PAUSED, {}),
    Verb.RETRY: (State.ERRORED, {"from_step": "0"}),
    Verb.SKIP: (State.ERRORED, {}),
    Verb.EDIT: (State.PAUSED, {"program_data": '{"year": 2025}', "job_data": "{}"}),
}

every_verb = pytest.mark.parametrize("verb", list(Verb))


def client_of(*codenames: str) -> Client:
    """Return the client of a member of the staff with these permissions."""
    user = User.objects.create_user("grace", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ada() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


def claim(program: Program) -> Program:
    rows = Program.objects.due("default").filter(pk=program.pk)
    claimed = rows.claim(f"w/0.{program.pk}", 60)
    assert claimed is not None
    return claimed


def run(program: Program) -> None:
    carry(claim(program), Lease(60), lambda: False)


def failing(text: str = "it broke") -> dict[str, Any]:
    return {"how": "fail", "text": text}


def program_in(state: State) -> Program:
    """Return a program of two jobs in this state."""
    later = datetime.now(UTC) + timedelta(hours=1) if state is State.SCHEDULED else None
    data = failing() if state is State.ERRORED else {}
    program = create_program(["behave", "noop"], data, run_at=later)
    if state in (State.FINISHED, State.ERRORED):
        run(program)
    elif state in (State.RUNNING, State.STOPPING):
        program = claim(program)
    program.refresh_from_db()
    if state in (State.STOPPING, State.STOPPED):
        program.stop()
    elif state is State.PAUSED:
        program.pause()
    program.refresh_from_db()
    assert program.state is state
    return program


def page_of(program: Program) -> str:
    return f"{LIST}{program.pk}/change/"


def page_for(verb: Verb, program: Program) -> str:
    return f"{LIST}{program.pk}/{verb.value}/"


def texts(response: Any) -> list[str]:
    """Return the messages of the page."""
    return [str(message) for message in response.context["messages"]]


# The list -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(State))
def test_the_list_filters_by_state_and_says_it(ada: Client, state: State) -> None:
    expected = program_in(state)
    other = program_in(State.WAITING if state is not State.WAITING else State.PAUSED)

    page = ada.get(LIST, {"state": state.value}).content.decode()

    assert expected.run_id in page
    assert f'programs-{state.value}">{state.label}<' in page
    assert other.run_id not in page


def test_the_list_says_the_progress_and_the_error(ada: Client) -> None:
    run(create_program(["noop", "behave", "noop"], failing("no such order")))

    page = ada.get(LIST).content.decode()

    assert "step 2 of 3: behave" in page
    assert "no such order" in page


def test_the_list_filters_by_queue_and_date(ada: Client) -> None:
    found = create_program(["noop"], queue="reports")
    other = create_program(["noop"])
    tomorrow = datetime.now(UTC) + timedelta(days=1)

    by_queue = ada.get(LIST, {"queue": "reports"}).content.decode()
    by_date = ada.get(LIST, {"created_at__gte": tomorrow.isoformat()}).content.decode()

    assert found.run_id in by_queue
    assert other.run_id not in by_queue
    assert found.run_id not in by_date


@pytest.mark.parametrize("words", ["no such order", "hopper"])
def test_the_list_is_searched_by_error_and_creator(ada: Client, words: str) -> None:
    found = create_program(["behave"], failing("no such order"), created_by="hopper")
    run(found)
    other = create_program(["noop"])

    page = ada.get(LIST, {"q": words}).content.decode()

    assert found.run_id in page
    assert other.run_id not in page


def test_the_list_takes_as_many_queries_for_many_programs_as_for_one(
    ada: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    create_program(["noop"])
    with CaptureQueriesContext(connection) as for_one:
        ada.get(LIST)
    for _ in range(20):
        create_program(["noop"])

    with django_assert_num_queries(len(for_one)):
        ada.get(LIST)

    assert not any("program_data" in query["sql"] for query in for_one.captured_queries)


def test_the_list_shows_rows_that_another_program_inserted_badly(ada: Client) -> None:
    Program.objects.create(run_id="odd", jobs=["noop"], step=7)
    worse = Program.objects.create(run_id="worse", jobs="noop")

    page = ada.get(LIST).content.decode()

    assert "step 8 of 1: no such job" in page
    assert "step 1 of 0: no such job" in page
    assert ada.get(page_of(worse)).status_code == 200


# The page of one program --------------------------------------------------------------------


def test_the_page_shows_steps_attempts_and_data(ada: Client) -> None:
    program = create_program(["noop", "behave", "count"], failing("no such order"))
    run(program)

    page = ada.get(page_of(program)).content.decode()

    assert "RuntimeError: no such order" in page
    assert "Traceback (most recent call last)" in page
    assert f"w/0.{program.pk}" in page
    for standing in ("done", "errored", "not run"):
        assert f">{standing}</span>" in page


def add_attempt(program: Program, **fields: Any) -> None:
    given = {"number": 1, "epoch": 1, "worker": "w/0.1", "outcome": Ending.ERRORED, **fields}
    program.attempts.create(step=0, job="noop", ended_at=datetime.now(UTC), **given)


def test_the_page_shows_the_log_of_an_attempt(ada: Client) -> None:
    program = create_program(["noop"])
    add_attempt(program, log="page 1 of 3\npage 2 of 3")

    page = ada.get(page_of(program)).content.decode()

    assert "<summary>Log</summary>" in page
    assert "page 1 of 3\npage 2 of 3</pre>" in page


def test_the_page_tells_skipped_steps_until_they_are_retried(ada: Client) -> None:
    program = create_program(["behave", "noop"], failing())
    run(program)
    ada.post(page_for(Verb.SKIP, program), {"reason": "known"})
    assert ">skipped</span>" in ada.get(page_of(program)).content.decode()

    ada.post(page_for(Verb.STOP, program))
    ada.post(page_for(Verb.RETRY, program), {"from_step": "0"})

    assert ">skipped</span>" not in ada.get(page_of(program)).content.decode()


def test_the_page_shows_only_the_newest_attempts(ada: Client) -> None:
    program = create_program(["noop"])
    for number in range(1, 61):
        add_attempt(program, number=number, epoch=number)

    page = ada.get(page_of(program)).content.decode()

    assert page.count("<summary>Attempt") == 50
    assert "There are older attempts than those shown." in page


def test_the_page_takes_as_many_queries_for_much_history_as_for_little(
    ada: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    program = create_program(["noop", "noop"])
    with CaptureQueriesContext(connection) as for_little:
        ada.get(page_of(program))
    for number in range(1, 21):
        add_attempt(program, number=number, epoch=number)
        program.operations.create(verb=Verb.PAUSE)

    with django_assert_num_queries(len(for_little)):
        ada.get(page_of(program))


@pytest.mark.parametrize("state", list(State))
def test_the_page_offers_exactly_what_the_state_allows(ada: Client, state: State) -> None:
    offered, accepted = set(), set()
    for verb, lever in LEVERS.items():
        program = program_in(state)
        if page_for(verb, program) in ada.get(page_of(program)).content.decode():
            offered.add(verb)
        arguments = {"program_data": {"new": 1}} if verb is Verb.EDIT else {}
        try:
            lever.act(program, reason="why not", **arguments)
        except OperationRefused:
            continue
        accepted.add(verb)

    # A second stop does nothing more than the first one: it is accepted, and not offered.
    assert offered == accepted - ({Verb.STOP} if state is State.STOPPING else set())


def test_nothing_is_changed_or_deleted_through_the_stock_pages(ada: Client) -> None:
    program = program_in(State.WAITING)

    assert ada.post(page_of(program), {"_saveasnew": "1", "jobs": '["x"]'}).status_code == 405
    assert ada.post(f"{LIST}{program.pk}/delete/", {"post": "yes"}).status_code == 403
    ada.post(LIST, {"action": "delete_selected", "_selected_action": program.pk, "post": "yes"})

    assert list(Program.objects.all()) == [program]


@pytest.mark.parametrize("object_id", ["4711", "nonsense", "_00", "9" * 40])
def test_a_program_that_is_not_there_is_not_found(ada: Client, object_id: str) -> None:
    assert ada.get(f"{LIST}{object_id}/change/").status_code == 404
    assert ada.post(f"{LIST}{object_id}/stop/").status_code == 404


# Creating -----------------------------------------------------------------------------------


def test_a_program_is_created_as_asked(ada: Client) -> None:
    given = {
        "jobs": "noop, behave\n\ncount",
        "program_data": '{"year": 2024}',
        "job_data": '{"count": {"n": 3}}',
        "queue": "reports",
        "run_at": "2050-01-31T12:30",
        "idempotency_key": "orders-2024",
    }

    response = ada.post(ADD, given)

    program = Program.objects.get()
    assert response["Location"] == page_of(program)
    assert program.jobs == ["noop", "behave", "count"]
    assert program.program_data == {"year": 2024}
    assert program.job_data == {"count": {"n": 3}}
    assert program.run_at == datetime(2050, 1, 31, 12, 30, tzinfo=UTC)
    assert (program.queue, program.created_by) == ("reports", "ada")


def test_the_form_shows_the_jobs_with_their_docstrings(ada: Client) -> None:
    page = ada.get(ADD).content.decode()

    assert "<bdi>count</bdi>" in page
    assert "Reads its data and adds one to `n`." in page


def test_the_form_shows_jobs_that_only_a_live_worker_knows(ada: Client) -> None:
    Worker.register(
        name="w", host="h", pid=1, queues=["default"], slots=1, jobs=["elsewhere"], version="1"
    )

    page = ada.get(ADD).content.decode()

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
    ada: Client, field: str, typed: str, error: str
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

    response = ada.post(ADD, given)

    form = response.context["form"]
    assert response.status_code == 200
    assert list(form.errors) == [field]
    assert error in str(form.errors[field])
    assert {name: form[name].value() for name in given} == given
    assert not Program.objects.exists()


def test_an_idempotency_conflict_lands_on_its_field(ada: Client) -> None:
    given = {"jobs": "noop", "queue": "default", "idempotency_key": "orders"}
    ada.post(ADD, given)
    again = ada.post(ADD, given)

    other = ada.post(ADD, {**given, "jobs": "count"})

    assert again["Location"] == page_of(Program.objects.get())
    assert list(other.context["form"].errors) == ["idempotency_key"]
    assert Program.objects.count() == 1


# Steering -----------------------------------------------------------------------------------


@every_verb
def test_a_verb_is_done_with_its_permission_and_leaves_an_operation(verb: Verb) -> None:
    state, given = DEEDS[verb]
    program = program_in(state)
    client = client_of(VIEW, PERMISSIONS[verb])
    epoch = {"epoch": program.epoch} if verb is Verb.EDIT else {}

    page = client.get(page_for(verb, program))
    response = client.post(page_for(verb, program), {**given, **epoch, "reason": "I say so"})

    assert page.status_code == 200
    assert response["Location"] == page_of(program)
    operation = Operation.objects.get()
    assert (operation.program, operation.verb) == (program, verb)
    assert (operation.by, operation.reason) == ("grace", "I say so")


@every_verb
def test_who_may_only_view_can_do_nothing(verb: Verb) -> None:
    state, given = DEEDS[verb]
    program = program_in(state)
    client = client_of(VIEW)

    page = client.get(page_of(program)).content.decode()

    assert page_for(verb, program) not in page
    assert client.get(page_for(verb, program)).status_code == 403
    assert client.post(page_for(verb, program), {**given, "reason": "x"}).status_code == 403
    assert program_as_it_was(program)


@every_verb
def test_a_verb_needs_its_own_permission(verb: Verb) -> None:
    state, given = DEEDS[verb]
    program = program_in(state)
    client = client_of(VIEW, "change_program", *(set(PERMISSIONS.values()) - {PERMISSIONS[verb]}))

    assert client.post(page_for(verb, program), {**given, "reason": "x"}).status_code == 403
    assert program_as_it_was(program)


@every_verb
def test_a_verb_needs_the_permission_to_view(verb: Verb) -> None:
    state, given = DEEDS[verb]
    program = program_in(state)
    client = client_of(PERMISSIONS[verb])

    assert client.post(page_for(verb, program), {**given, "reason": "x"}).status_code == 403
    assert program_as_it_was(program)


@every_verb
def test_a_verb_is_no_deed_without_a_post_and_its_token(verb: Verb) -> None:
    state, given = DEEDS[verb]
    program = program_in(state)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create_superuser("ada"))

    assert strict.get(page_for(verb, program), {**given, "reason": "x"}).status_code == 200
    assert strict.post(page_for(verb, program), {**given, "reason": "x"}).status_code == 403
    assert program_as_it_was(program)


def program_as_it_was(program: Program) -> bool:
    current = Program.objects.get(pk=program.pk)
    return current.updated_at == program.updated_at and not Operation.objects.exists()


def test_who_may_only_view_creates_nothing() -> None:
    client = client_of(VIEW)

    assert client.get(ADD).status_code == 403
    assert client.post(ADD, {"jobs": "noop", "queue": "default"}).status_code == 403
    assert not Program.objects.exists()


def test_who_may_only_add_sees_no_program() -> None:
    client = client_of("add_program")

    response = client.post(ADD, {"jobs": "noop", "queue": "default"})

    assert response["Location"] == "/admin/"
    assert client.get(page_of(Program.objects.get())).status_code == 403


def test_a_refusal_says_the_state(ada: Client) -> None:
    program = program_in(State.FINISHED)

    response = ada.post(page_for(Verb.STOP, program), follow=True)

    assert texts(response) == [f"program {program.run_id} is finished: it cannot be stopped"]
    assert not Operation.objects.exists()


def test_stopping_a_running_program_says_that_it_is_stopping(ada: Client) -> None:
    program = program_in(State.RUNNING)

    response = ada.post(page_for(Verb.STOP, program), follow=True)

    assert texts(response) == [f"Stop: program {program.run_id} is stopping now."]


def test_a_step_is_not_skipped_without_a_reason(ada: Client) -> None:
    program = program_in(State.ERRORED)

    response = ada.post(page_for(Verb.SKIP, program), {"reason": " "})

    assert list(response.context["form"].errors) == ["reason"]
    assert program_as_it_was(program)


def test_a_program_is_retried_from_the_chosen_step(ada: Client) -> None:
    program = create_program(["noop", "behave", "count"], failing())
    run(program)

    ada.post(page_for(Verb.RETRY, program), {"from_step": "0"})

    program.refresh_from_db()
    assert (program.step, program.state) == (0, State.WAITING)


def test_a_step_that_is_not_there_is_not_retried(ada: Client) -> None:
    program = program_in(State.ERRORED)

    response = ada.post(page_for(Verb.RETRY, program), {"from_step": "2"})

    assert list(response.context["form"].errors) == ["from_step"]


def opened_form(client: Client, program: Program) -> dict[str, str]:
    """Return what a browser would send from the page that edits the data."""
    form = client.get(page_for(Verb.EDIT, program)).context["form"]
    return {field.name: "" if field.value() is None else field.value() for field in form}


def test_an_edit_leaves_alone_what_was_not_edited(ada: Client) -> None:
    program = program_in(State.PAUSED)
    given = opened_form(ada, program)

    ada.post(page_for(Verb.EDIT, program), {**given, "program_data": '{"year": 2025}'})

    program.refresh_from_db()
    assert program.program_data == {"year": 2025}
    assert Operation.objects.get().detail["after"] == {"program_data": {"year": 2025}}


@pytest.mark.parametrize("field", ["program_data", "job_data"])
@pytest.mark.parametrize("typed", ["{no json", "[]", '{"x": Infinity}', "[" * 100_000])
def test_a_bad_edit_lands_on_its_field(ada: Client, field: str, typed: str) -> None:
    program = program_in(State.PAUSED)
    given = {"program_data": "{}", "job_data": "{}", "epoch": program.epoch, field: typed}

    response = ada.post(page_for(Verb.EDIT, program), given)

    assert list(response.context["form"].errors) == [field]
    assert response.context["form"][field].value() == typed


def test_an_edit_does_not_undo_what_the_jobs_stored_meanwhile(ada: Client) -> None:
    program = create_program(["count"])
    given = opened_form(ada, program)
    run(program)
    Program.objects.update(finished_at=None, errored_at=datetime.now(UTC))

    response = ada.post(page_for(Verb.EDIT, program), {**given, "program_data": '{"x": 1}'})

    assert "has changed since" in str(response.context["form"].non_field_errors())
    assert Program.objects.get().job_data == {"count": {"n": 1}}


# Bulk actions -------------------------------------------------------------------------------


def pull(client: Client, verb: Verb, *programs: Program) -> Any:
    given = {"action": f"{verb.value}_selected", "_selected_action": [p.pk for p in programs]}
    return client.post(LIST, given, follow=True)


BULK = [Verb.STOP, Verb.PAUSE, Verb.RESUME, Verb.RETRY]


@pytest.mark.parametrize("verb", BULK)
def test_a_bulk_action_counts_what_was_done_and_what_was_refused(ada: Client, verb: Verb) -> None:
    fitting = [program_in(DEEDS[verb][0]) for _ in range(2)]
    finished = program_in(State.FINISHED)

    response = pull(ada, verb, *fitting, finished)

    done, refused = texts(response)
    assert done == f"{LEVERS[verb].label}: done for 2 programs."
    assert f"refused for 1 program: program {finished.run_id} is finished" in refused
    assert {operation.program for operation in Operation.objects.all()} == set(fitting)


@pytest.mark.parametrize("verb", BULK)
def test_a_bulk_action_needs_its_permission(verb: Verb) -> None:
    program = program_in(DEEDS[verb][0])
    client = client_of(VIEW, *(set(PERMISSIONS.values()) - {PERMISSIONS[verb]}))

    pull(client, verb, program)

    assert f"{verb.value}_selected" not in client.get(LIST).content.decode()
    assert program_as_it_was(program)


def test_a_bulk_action_on_too_many_does_nothing(
    ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("programs.admin.bulk.BULK_LIMIT", 1)
    waiting = [program_in(State.WAITING) for _ in range(2)]

    response = pull(ada, Verb.STOP, *waiting)

    assert texts(response) == ["Stop: at most 1 programs at once. Nothing was done."]
    assert not Operation.objects.exists()


# Hostile text -------------------------------------------------------------------------------


def test_whatever_others_wrote_is_escaped_and_cannot_turn_the_page(ada: Client) -> None:
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
        ADD,
        "/admin/programs/operation/",
        f"/admin/programs/operation/{operation.pk}/change/",
        "/admin/programs/worker/",
        f"/admin/programs/worker/{worker.pk}/change/",
    ]

    for page in pages:
        html = ada.get(page).content.decode()
        assert "<script>alert" not in html, page
        assert "\u202e" not in html, page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html, page
    assert ESCAPED in ada.get(page_of(program)).content.decode()


def test_the_edit_page_gives_hostile_data_back_as_it_was(ada: Client) -> None:
    program = create_program(["noop"], {"x": HOSTILE, "control": "\x1b[31m\x7f"})

    form = ada.get(page_for(Verb.EDIT, program)).context["form"]

    assert json.loads(form["program_data"].value()) == {"x": HOSTILE, "control": "\x1b[31m\x7f"}


# Workers and operations ---------------------------------------------------------------------


@pytest.fixture(params=["worker", "operation"])
def other_list(request: pytest.FixtureRequest) -> str:
    create_program(["noop"]).operations.create(verb=Verb.STOP)
    Worker.register(name="w", host="h", pid=1, queues=["q"], slots=1, jobs=[], version="1")
    return f"/admin/programs/{request.param}/"


def test_workers_and_operations_are_read_and_nothing_else(ada: Client, other_list: str) -> None:
    model: Any = {"worker": Worker, "operation": Operation}[other_list.split("/")[3]]
    pk = model.objects.get().pk

    assert ada.get(other_list).status_code == 200
    assert ada.get(f"{other_list}{pk}/change/").status_code == 200
    for page in (f"{other_list}{pk}/change/", f"{other_list}{pk}/delete/", f"{other_list}add/"):
        assert ada.post(page, {"_saveasnew": "1", "post": "yes"}).status_code == 403
    assert model.objects.count() == 1


def test_operations_outlive_their_program(ada: Client) -> None:
    program = program_in(State.WAITING)
    ada.post(page_for(Verb.STOP, program), {"reason": "no longer wanted"})
    Program.objects.filter(pk=program.pk)._raw_delete("default")

    page = ada.get("/admin/programs/operation/").content.decode()

    assert "no longer wanted" in page
    assert "deleted since" in page


# A site of one's own ------------------------------------------------------------------------


@pytest.mark.urls(__name__)
def test_the_console_works_in_a_site_of_ones_own(ada: Client) -> None:
    ada.post("/ops/programs/program/add/", {"jobs": "noop", "queue": "default"})
    program = Program.objects.get()
    stop = f"/ops/programs/program/{program.pk}/stop/"

    page = ada.get(f"/ops/programs/program/{program.pk}/change/").content.decode()
    response = ada.post(stop, {"reason": "enough"})

    assert stop in page
    assert 'href="/admin/' not in page
    assert response["Location"] == f"/ops/programs/program/{program.pk}/change/"
    for url in ("program/", "program/add/", "worker/", "operation/"):
        assert 'href="/admin/' not in ada.get(f"/ops/programs/{url}").content.decode()

"""The console: what an operator does to programs, and what they may not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client

from programs import operations
from programs.admin.levers import LEVERS
from programs.models import Operation, Program, State, Verb
from programs.submission import create_program
from tests.clients import VIEW, client_of
from tests.console import (
    DEEDS,
    PERMISSIONS,
    failing,
    is_untouched,
    page_for,
    page_of,
    program_in,
    run,
    texts,
)

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

every_verb = pytest.mark.parametrize("verb", list(DEEDS))


# One program --------------------------------------------------------------------------------


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
    assert is_untouched(program)


@every_verb
def test_a_verb_needs_its_own_permission(verb: Verb) -> None:
    state, given = DEEDS[verb]
    program = program_in(state)
    client = client_of(VIEW, "change_program", *(set(PERMISSIONS.values()) - {PERMISSIONS[verb]}))

    assert client.post(page_for(verb, program), {**given, "reason": "x"}).status_code == 403
    assert is_untouched(program)


@every_verb
def test_a_verb_needs_the_permission_to_view(verb: Verb) -> None:
    state, given = DEEDS[verb]
    program = program_in(state)
    client = client_of(PERMISSIONS[verb])

    assert client.post(page_for(verb, program), {**given, "reason": "x"}).status_code == 403
    assert is_untouched(program)


@every_verb
def test_a_verb_is_no_deed_without_a_post_and_its_token(verb: Verb) -> None:
    state, given = DEEDS[verb]
    program = program_in(state)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create_superuser("ada"))

    assert strict.get(page_for(verb, program), {**given, "reason": "x"}).status_code == 200
    assert strict.post(page_for(verb, program), {**given, "reason": "x"}).status_code == 403
    assert is_untouched(program)


def test_a_refusal_says_the_state(admin_client: Client) -> None:
    program = program_in(State.FINISHED)

    response = admin_client.post(page_for(Verb.STOP, program), follow=True)

    assert texts(response) == [f"program {program.run_id} is finished: it cannot be stopped"]
    assert not Operation.objects.exists()


def test_stopping_a_running_program_says_that_it_is_stopping(admin_client: Client) -> None:
    program = program_in(State.RUNNING)

    response = admin_client.post(page_for(Verb.STOP, program), follow=True)

    assert texts(response) == [f"Stop: program {program.run_id} is stopping now."]


def test_a_step_is_not_skipped_without_a_reason(admin_client: Client) -> None:
    program = program_in(State.ERRORED)

    response = admin_client.post(page_for(Verb.SKIP, program), {"reason": " "})

    assert list(response.context["form"].errors) == ["reason"]
    assert is_untouched(program)


def test_a_program_is_retried_from_the_chosen_step(admin_client: Client) -> None:
    program = create_program(["noop", "behave", "count"], failing())
    run(program)

    admin_client.post(page_for(Verb.RETRY, program), {"from_step": "0"})

    program.refresh_from_db()
    assert (program.step, program.state) == (0, State.WAITING)


def test_a_step_that_is_not_there_is_not_retried(admin_client: Client) -> None:
    program = program_in(State.ERRORED)

    response = admin_client.post(page_for(Verb.RETRY, program), {"from_step": "2"})

    assert list(response.context["form"].errors) == ["from_step"]


def opened_form(client: Client, program: Program) -> dict[str, str]:
    """Return what a browser would send from the page that edits the data."""
    form = client.get(page_for(Verb.EDIT, program)).context["form"]
    return {field.name: "" if field.value() is None else field.value() for field in form}


def test_an_edit_leaves_alone_what_was_not_edited(admin_client: Client) -> None:
    program = program_in(State.PAUSED)
    given = opened_form(admin_client, program)

    admin_client.post(page_for(Verb.EDIT, program), {**given, "program_data": '{"year": 2025}'})

    program.refresh_from_db()
    assert program.program_data == {"year": 2025}
    assert Operation.objects.get().detail["after"] == {"program_data": {"year": 2025}}


@pytest.mark.parametrize("field", ["program_data", "job_data"])
@pytest.mark.parametrize("typed", ["{no json", "[]", '{"x": Infinity}', "[" * 100_000])
def test_a_bad_edit_lands_on_its_field(admin_client: Client, field: str, typed: str) -> None:
    program = program_in(State.PAUSED)
    given = {"program_data": "{}", "job_data": "{}", "epoch": program.epoch, field: typed}

    response = admin_client.post(page_for(Verb.EDIT, program), given)

    assert list(response.context["form"].errors) == [field]
    assert response.context["form"][field].value() == typed


def test_an_edit_does_not_undo_what_the_jobs_stored_meanwhile(admin_client: Client) -> None:
    program = create_program(["count"])
    given = opened_form(admin_client, program)
    run(program)
    Program.objects.update(finished_at=None, errored_at=datetime.now(UTC))

    response = admin_client.post(
        page_for(Verb.EDIT, program), {**given, "program_data": '{"x": 1}'}
    )

    assert "has changed since" in str(response.context["form"].non_field_errors())
    assert Program.objects.get().job_data == {"count": {"n": 1}}


def test_a_retry_of_what_has_been_retried_since_is_refused_and_says_by_whom(
    admin_client: Client,
) -> None:
    program = program_in(State.ERRORED)
    epoch = admin_client.get(page_for(Verb.RETRY, program)).context["form"]["epoch"].value()
    operations.retry_program(program, by="eve")
    run(program)  # and it has errored again

    given = {"from_step": "0", "epoch": epoch}
    response = admin_client.post(page_for(Verb.RETRY, program), given, follow=True)

    (told,) = texts(response)
    assert "has changed since it was looked at: it is errored (last retried by eve) now" in told
    assert Operation.objects.count() == 1


def test_a_retry_tells_for_each_step_what_runs_again_and_what_stays_done(
    admin_client: Client,
) -> None:
    program = create_program(["noop", "behave", "count"], failing())
    run(program)
    page = admin_client.get(page_for(Verb.RETRY, program)).content.decode()
    assert "step 1: runs again: noop, behave, count; the whole program" in page
    assert "step 2 (where it ended): runs again: behave, count; stays done: noop" in page
    assert "stays done: noop; is left out, though not done: behave" in page
    assert 'type="radio"' in page


@pytest.mark.parametrize(
    ("verb", "state", "told"),
    [
        (Verb.STOP, State.WAITING, "behave, noop will not run."),
        (Verb.STOP, State.RUNNING, "behave runs now and ends at its next checkpoint; noop will"),
        (Verb.PAUSE, State.WAITING, "behave, noop will wait until the program is resumed."),
        (Verb.RESUME, State.PAUSED, "behave, noop will run."),
        (Verb.SKIP, State.ERRORED, "behave (step 1) will not run; noop will run."),
    ],
)
def test_a_page_tells_what_will_become_of_the_jobs(
    admin_client: Client, verb: Verb, state: State, told: str
) -> None:
    assert told in admin_client.get(page_for(verb, program_in(state))).content.decode()


@every_verb
def test_a_lever_that_one_may_not_pull_names_the_missing_permission(verb: Verb) -> None:
    page = client_of(VIEW).get(page_of(program_in(DEEDS[verb][0]))).content.decode()
    lever = LEVERS[verb]
    assert f"{lever.label}: needs the permission “{lever.permission_name}”" in page

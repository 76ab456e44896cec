"""The API's operations: what an operator does from a script leaves what the console leaves."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from programs.models import Operation, Program, State, Verb
from programs.operations import ALLOWED
from programs.submission import create_program
from tests.clients import VIEW, client_of, post
from tests.console import PERMISSIONS, is_untouched, program_in

pytestmark = pytest.mark.django_db

# What each operation is sent, and the state that it leaves the program of a fitting state in.
DEEDS: dict[Verb, tuple[State, dict[str, Any], str]] = {
    Verb.STOP: (State.WAITING, {}, "stopped"),
    Verb.PAUSE: (State.WAITING, {}, "paused"),
    Verb.RESUME: (State.PAUSED, {}, "waiting"),
    Verb.RETRY: (State.ERRORED, {"from_step": 0}, "waiting"),
    Verb.SKIP: (State.ERRORED, {}, "waiting"),
    Verb.EDIT: (State.PAUSED, {"program_data": {"year": 2025}}, "paused"),
}
BOTH = ("retry_program", "edit_program_data")

every_verb = pytest.mark.parametrize("verb", DEEDS)


def act(client: Client, verb: Verb, program: Program, **body: Any) -> Any:
    return post(client, f"/api/programs/{program.run_id}/{verb.value}/", body)


def field_errors(answer: Any) -> list[str]:
    return [error["field"] for error in answer.json()["errors"]]


@every_verb
def test_it_is_done_and_recorded(verb: Verb) -> None:
    state, body, after = DEEDS[verb]
    program = program_in(state)

    answer = act(client_of(VIEW, PERMISSIONS[verb]), verb, program, reason="as told", **body)

    operation = Operation.objects.get()
    assert (answer.status_code, answer.json()["state"]) == (200, after)
    assert (operation.program_id, operation.verb) == (program.pk, verb)
    assert (operation.by, operation.reason) == ("grace", "as told")


@every_verb
def test_it_needs_its_permission(verb: Verb) -> None:
    state, body, _ = DEEDS[verb]
    program = program_in(state)
    others = {*PERMISSIONS.values(), VIEW} - {PERMISSIONS[verb]}

    answer = act(client_of(*others), verb, program, reason="as told", **body)

    assert answer.status_code == 403
    assert f"programs.{PERMISSIONS[verb]}" in answer.json()["detail"]
    assert is_untouched(program)


@pytest.mark.parametrize("state", State)
@every_verb
def test_in_another_state_it_is_a_conflict_that_says_the_state(verb: Verb, state: State) -> None:
    program = program_in(state)
    fits = state in ALLOWED[verb]

    answer = act(
        client_of(VIEW, PERMISSIONS[verb]), verb, program, reason="as told", **DEEDS[verb][1]
    )

    assert answer.status_code == (200 if fits else 409)
    if not fits:
        assert f"is {state.label}" in answer.json()["detail"]
        assert answer.json()["title"] == "Conflict"


@pytest.mark.parametrize("verb", [Verb.RETRY, Verb.SKIP])
def test_what_has_changed_since_it_was_looked_at_is_left_alone(verb: Verb) -> None:
    program = program_in(State.ERRORED)

    answer = act(client_of(VIEW, PERMISSIONS[verb]), verb, program, reason="x", epoch=4711)

    assert answer.status_code == 409
    assert "has changed since it was looked at" in answer.json()["detail"]
    assert is_untouched(program)


@pytest.mark.parametrize(
    ("verb", "body", "field"),
    [
        (Verb.SKIP, {}, "reason"),
        (Verb.SKIP, {"reason": " "}, "reason"),
        (Verb.RETRY, {"from_step": 2}, "from_step"),
        (Verb.RETRY, {"from_step": -1}, "from_step"),
        (Verb.RETRY, {"from_step": "1"}, "from_step"),
        (Verb.RETRY, {"from_step": True}, "from_step"),
        (Verb.RETRY, {"from_step": 0.5}, "from_step"),
        (Verb.RETRY, {"from_step": 10**30}, "from_step"),
        (Verb.RETRY, {"epoch": "x"}, "epoch"),
        (Verb.RETRY, {"program_data": []}, "program_data"),
        (Verb.EDIT, {}, "program_data"),
        (Verb.EDIT, {"program_data": "x"}, "program_data"),
        (Verb.EDIT, {"job_data": {"nobody": {}}}, "job_data"),
        (Verb.EDIT, {"job_data": {"noop": 1}}, "job_data.noop"),
        (Verb.EDIT, {"jobs": ["noop"]}, "jobs"),
    ],
)
def test_a_bad_field_is_named_and_nothing_done(verb: Verb, body: Any, field: str) -> None:
    program = program_in(State.ERRORED)

    answer = act(client_of(VIEW, *BOTH, "skip_program_step"), verb, program, **body)

    assert (answer.status_code, field_errors(answer)) == (400, [field])
    assert is_untouched(program)


# Retry with other data ------------------------------------------------------------------------


def test_a_retry_takes_other_data_with_it() -> None:
    program = program_in(State.ERRORED)

    answer = act(client_of(VIEW, *BOTH), Verb.RETRY, program, program_data={"how": "succeed"})

    assert answer.json()["program_data"] == {"how": "succeed"}
    assert [operation.verb for operation in Operation.objects.all()] == [Verb.EDIT, Verb.RETRY]


def test_data_as_it_is_stored_is_no_edit() -> None:
    program = program_in(State.ERRORED)

    same = {"program_data": program.program_data, "job_data": None}
    answer = act(client_of(VIEW, *BOTH), Verb.RETRY, program, **same)

    assert answer.status_code == 200
    assert [operation.verb for operation in Operation.objects.all()] == [Verb.RETRY]


def test_a_retry_with_other_data_needs_both_permissions() -> None:
    program = program_in(State.ERRORED)

    answer = act(client_of(VIEW, "retry_program"), Verb.RETRY, program, program_data={})

    assert answer.status_code == 403
    assert "programs.edit_program_data" in answer.json()["detail"]
    assert is_untouched(program)


@pytest.mark.parametrize("wrong", [{"from_step": 7}, {"job_data": {"nobody": {}}}, {"epoch": 99}])
def test_of_a_retry_with_other_data_both_happen_or_neither(wrong: dict[str, Any]) -> None:
    program = program_in(State.ERRORED)

    answer = act(client_of(VIEW, *BOTH), Verb.RETRY, program, program_data={}, **wrong)

    assert answer.status_code in (400, 409)
    assert is_untouched(program)


# Secrets --------------------------------------------------------------------------------------


def test_a_secret_that_came_masked_goes_back_as_it_is_stored() -> None:
    program = create_program(["noop"], {"token": "abc", "page": 1}, {"noop": {"password": "x"}})
    grace = client_of(VIEW, "edit_program_data")
    seen = grace.get(f"/api/programs/{program.run_id}/").json()
    assert seen["program_data"] == {"token": "***", "page": 1}

    answer = act(
        grace,
        Verb.EDIT,
        program,
        program_data={**seen["program_data"], "page": 2},
        job_data=seen["job_data"],
    )

    program.refresh_from_db()
    assert answer.json()["program_data"] == {"token": "***", "page": 2}
    assert program.program_data == {"token": "abc", "page": 2}
    assert program.job_data == {"noop": {"password": "x"}}


def test_a_mask_of_nothing_is_not_stored() -> None:
    program = create_program(["noop"], {"page": 1})

    answer = act(
        client_of(VIEW, "edit_program_data"), Verb.EDIT, program, program_data={"token": "***"}
    )

    assert (answer.status_code, field_errors(answer)) == (400, ["program_data"])
    assert is_untouched(program)


def test_who_may_see_secrets_stores_what_he_sends() -> None:
    program = create_program(["noop"], {"token": "abc"})
    ada = Client()
    ada.force_login(User.objects.create_superuser("ada"))

    act(ada, Verb.EDIT, program, program_data={"token": "***"})

    program.refresh_from_db()
    assert program.program_data == {"token": "***"}

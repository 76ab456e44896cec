"""Secrets in the data of programs: who sees them, and what becomes of them in an edit."""

from __future__ import annotations

import json

import pytest

from programs import operations
from programs.models import Operation, Program, Verb
from programs.submission import create_program
from tests.clients import VIEW, client_of
from tests.console import page_for, page_of

pytestmark = pytest.mark.django_db

SECRET = "s3cr3t-of-the-data"
REVEAL, EDIT, HISTORY = "reveal_secrets", "edit_program_data", "view_operation"


def with_secrets() -> Program:
    """A program whose data holds secrets, one in the data of a job with a name like one."""
    data = {"login": {"password": SECRET}, "page": 1}
    program = create_program(["noop", "behave"], data, {"behave": {"api-key": SECRET, "n": 7}})
    return operations.pause_program(program)


def pages(program: Program) -> list[str]:
    return [page_of(program), f"/api/programs/{program.run_id}/"]


def test_secrets_are_masked_in_console_and_api() -> None:
    program = with_secrets()
    client = client_of(VIEW)
    for page in pages(program):
        shown = client.get(page).content.decode()
        assert SECRET not in shown
        assert "***" in shown


def test_a_permission_reveals_them() -> None:
    program = with_secrets()
    client = client_of(VIEW, REVEAL)
    for page in pages(program):
        assert SECRET in client.get(page).content.decode()


def test_an_edit_without_the_permission_shows_no_secret_and_keeps_them_all() -> None:
    program = with_secrets()
    client = client_of(VIEW, EDIT)
    form = client.get(page_for(Verb.EDIT, program))
    assert SECRET not in form.content.decode()
    names = ("program_data", "job_data", "epoch")
    fields = {name: form.context["form"][name].value() for name in names}
    edited = json.loads(fields["program_data"]) | {"page": 2}

    client.post(
        page_for(Verb.EDIT, program), {**fields, "program_data": json.dumps(edited), "reason": ""}
    )

    program.refresh_from_db()
    assert program.program_data == {"login": {"password": SECRET}, "page": 2}
    assert program.job_data == {"behave": {"api-key": SECRET, "n": 7}}


def test_the_history_of_an_edit_masks_them_as_well() -> None:
    program = with_secrets()
    operations.edit_data(program, program_data={"password": f"new {SECRET}"})
    url = f"/admin/programs/operation/{Operation.objects.get(verb=Verb.EDIT).pk}/change/"
    assert SECRET not in client_of(HISTORY).get(url).content.decode()
    assert SECRET in client_of(HISTORY, REVEAL).get(url).content.decode()


def test_a_jobs_name_makes_nothing_secret(settings) -> None:
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "SECRET_KEYS": ["behave"]}
    assert SECRET in client_of(VIEW).get(page_of(with_secrets())).content.decode()

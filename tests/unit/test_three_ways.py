"""Console, API and command line: one deed by each leaves the same line in the history."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from programs.models import Operation, Program, Verb
from tests.clients import post
from tests.console import DEEDS, page_for, program_in

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

REASON = "the disk is back"
COMMANDS = {
    Verb.STOP: "stopprogram",
    Verb.PAUSE: "pauseprogram",
    Verb.RESUME: "resumeprogram",
    Verb.RETRY: "retryprogram",
    Verb.SKIP: "skipstep",
}
NEW_DATA = {"year": 2025}


def by_console(client: Client, verb: Verb, program: Program) -> None:
    _, given = DEEDS[verb]
    epoch = {"epoch": program.epoch} if verb in (Verb.RETRY, Verb.SKIP, Verb.EDIT) else {}
    answer = client.post(page_for(verb, program), {**given, **epoch, "reason": REASON})
    assert answer.status_code == 302


def by_api(client: Client, verb: Verb, program: Program) -> None:
    given: dict[str, Any] = {"from_step": 0} if verb is Verb.RETRY else {}
    if verb is Verb.EDIT:
        given = {"program_data": NEW_DATA}
    url = f"/api/programs/{program.run_id}/{verb.value}/"
    assert post(client, url, {**given, "reason": REASON}).status_code == 200


def by_command(client: Client, verb: Verb, program: Program) -> None:
    options = {"from_step": 1} if verb is Verb.RETRY else {}
    call_command(COMMANDS[verb], program.run_id, by="admin", reason=REASON, **options)


def line_of(verb: Verb, way: Callable[..., None], client: Client) -> list[Any]:
    """Return what the history says of the verb, done this way to a program of its own."""
    state, _ = DEEDS[verb]
    program = program_in(state)
    way(client, verb, program)
    done = Operation.objects.get(program=program, verb=verb)
    return [done.by, done.reason, json.dumps(done.detail, sort_keys=True), done.subject]


@pytest.mark.parametrize("verb", list(COMMANDS))
def test_a_deed_leaves_the_same_line_whichever_way_it_was_done(
    admin_client: Client, verb: Verb
) -> None:
    lines = [line_of(verb, way, admin_client) for way in (by_console, by_api, by_command)]

    assert lines[0][:2] == ["admin", REASON]
    assert lines == [lines[0]] * 3


def test_edited_data_leave_the_same_line_by_console_and_api(admin_client: Client) -> None:
    lines = [line_of(Verb.EDIT, way, admin_client) for way in (by_console, by_api)]

    assert lines == [lines[0]] * 2


def test_data_edited_with_a_retry_leave_the_same_lines_by_api_and_command(
    admin_client: Client,
) -> None:
    def by_api_at_once(program: Program) -> None:
        body = {"program_data": NEW_DATA, "reason": REASON}
        url = f"/api/programs/{program.run_id}/retry/"
        assert post(admin_client, url, body).status_code == 200

    def by_command_at_once(program: Program) -> None:
        data = json.dumps(NEW_DATA)
        call_command("retryprogram", program.run_id, data=data, by="admin", reason=REASON)

    histories = []
    for way in (by_api_at_once, by_command_at_once):
        program = program_in(DEEDS[Verb.RETRY][0])
        way(program)
        rows = program.operations.values_list("verb", "by", "reason", "detail")
        histories.append(json.dumps(list(rows), sort_keys=True))

    assert histories[0] == histories[1]
    assert [verb for verb, *_ in json.loads(histories[0])] == ["edit", "retry"]


@pytest.mark.parametrize("way", [by_console, by_api])
def test_a_project_whose_users_are_numbers_is_served(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, way: Callable[..., None]
) -> None:
    monkeypatch.setattr(User, "get_username", lambda user: 7)

    assert line_of(Verb.STOP, way, admin_client)[0] == "7"
    assert post(admin_client, "/api/programs/", {"jobs": ["noop"]}).json()["created_by"] == "7"

"""Setting a bulk operation going again needs the permission of what it does."""

from __future__ import annotations

import pytest

from programs import bulk, operations
from programs.models import Program, Verb
from programs.submission import create_program
from tests.clients import STOP, VIEW, client_of, post
from tests.console import page_for, page_of

pytestmark = pytest.mark.django_db

SENT = {"reason": "go on", "from_step": "0"}


def bulk_stop(*deeds: Verb) -> Program:
    """Return a program that stops others, to which this was done."""
    program = bulk.start(Verb.STOP, run_ids=[create_program(["noop"]).run_id], by="ada")
    for deed in deeds:
        program = {Verb.STOP: operations.stop_program, Verb.PAUSE: operations.pause_program}[deed](
            program
        )
    return program


@pytest.mark.parametrize(
    ("before", "verb", "permission"),
    [
        (Verb.STOP, Verb.RETRY, "retry_program"),
        (Verb.PAUSE, Verb.RESUME, "pause_program"),
        (Verb.STOP, Verb.SKIP, "skip_program_step"),
    ],
)
def test_what_stops_many_is_set_going_by_nobody_who_may_not_stop(
    before: Verb, verb: Verb, permission: str
) -> None:
    program = bulk_stop(before)
    client = client_of(VIEW, permission)

    assert client.post(page_for(verb, program), SENT).status_code == 403

    page = client.get(page_of(program)).content.decode()
    assert "needs the permission “Can stop programs”" in page
    assert page_for(verb, program) not in page
    assert Program.objects.get(pk=program.pk).state is program.state


@pytest.mark.parametrize(
    ("before", "verb", "permission"),
    [
        (Verb.STOP, Verb.RETRY, "retry_program"),
        (Verb.PAUSE, Verb.RESUME, "pause_program"),
        (Verb.STOP, Verb.SKIP, "skip_program_step"),
    ],
)
def test_nor_by_the_api(before: Verb, verb: Verb, permission: str) -> None:
    program = bulk_stop(before)
    url = f"/api/programs/{program.run_id}/{verb.value}/"

    refused = post(client_of(VIEW, permission), url, {"reason": "go on"})
    state = Program.objects.get(pk=program.pk).state
    done = post(client_of(VIEW, permission, STOP), url, {"reason": "go on"})

    assert (refused.status_code, state) == (403, program.state)
    assert "stop_program" in refused.json()["detail"]
    assert done.status_code == 200


def test_who_may_stop_and_retry_retries_what_stops_many() -> None:
    program = bulk_stop(Verb.STOP)
    client = client_of(VIEW, STOP, "retry_program")

    assert client.post(page_for(Verb.RETRY, program), SENT).status_code == 302
    assert Program.objects.get(pk=program.pk).stopped_at is None


def test_a_bulk_operation_may_be_stopped_and_paused_by_its_own_permission() -> None:
    program = bulk_stop()

    assert client_of(VIEW, "pause_program").post(page_for(Verb.PAUSE, program)).status_code == 302
    assert client_of(VIEW, STOP).post(page_for(Verb.STOP, program)).status_code == 302


@pytest.mark.parametrize("order", [[], "stop", {}, {"verb": ["stop"]}, {"verb": "skip"}])
def test_what_is_no_order_sets_nothing_going(order: object) -> None:
    program = Program(jobs=["programs.bulk"], program_data=order)

    assert bulk.deed_behind(Verb.RETRY, program) is None

"""Rows that others have put into the table: whatever they hold, an operator can look at them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from programs import bulk, operations
from programs.errors import OperationRefused
from programs.inspection import Selection
from programs.models import Program, Queue, Verb
from programs.submission import create_program
from tests.console import CREATE, LIST, page_for, page_of, texts

pytestmark = pytest.mark.django_db

NO_LISTS = (5, "noop", {"noop": 1}, True, 1.5)
ORDERS: tuple[Any, ...] = (
    [1],
    "stop",
    {"verb": ["stop"], "selection": {}},
    {"verb": "stop", "selection": "all"},
    {"verb": "stop", "selection": [1]},
    {"verb": "stop", "run_ids": [["a"]]},
)
TALLIES: tuple[Any, ...] = ([], 5, {"programs.bulk": [1]}, {"programs.bulk": {"done": "many"}})
QUEUES = "/admin/programs/queue/"
TURNING = "\u202egnp.exe"


def row(**fields: Any) -> Program:
    program = Program.objects.create(**{"jobs": ["noop"], "queue": "default", **fields})
    program.refresh_from_db()
    return program


@pytest.mark.parametrize("jobs", NO_LISTS)
@pytest.mark.parametrize("verb", [Verb.SKIP, Verb.EDIT])
def test_what_needs_the_jobs_is_refused_where_these_are_no_list(
    admin_client: Client, jobs: Any, verb: Verb
) -> None:
    program = row(jobs=jobs, errored_at=datetime.now(UTC))
    sent = {"reason": "why not", "epoch": "0", "program_data": '{"a": 1}'}

    answer = admin_client.post(page_for(verb, program), sent, follow=True)

    told = answer.context["form"].non_field_errors() if verb is Verb.EDIT else texts(answer)
    assert "its jobs are no list" in told[0]
    assert page_for(verb, program) not in admin_client.get(page_of(program)).content.decode()


def test_data_can_be_edited_beside_jobs_that_are_no_names() -> None:
    program = row(jobs=[{"name": "noop"}, ["noop"], None], errored_at=datetime.now(UTC))

    assert operations.edit_data(program, program_data={"a": 1}).program_data == {"a": 1}


@pytest.mark.parametrize("jobs", NO_LISTS)
def test_jobs_that_are_no_list_have_no_step_to_begin_at(admin_client: Client, jobs: Any) -> None:
    program = row(jobs=jobs, errored_at=datetime.now(UTC))
    url = page_for(Verb.RETRY, program)

    assert admin_client.get(url).context["form"].fields["from_step"].choices == []
    assert "from_step" in admin_client.post(url, {"from_step": "0"}).context["form"].errors
    with pytest.raises(OperationRefused, match="its jobs are no list"):
        operations.retry_program(program)


@pytest.mark.parametrize("order", ORDERS)
def test_a_program_that_poses_as_a_bulk_operation_has_a_page(
    admin_client: Client, order: Any
) -> None:
    program = row(jobs=["programs.bulk"], program_data=order)

    assert admin_client.get(page_of(program)).context["bulk"] is None
    assert admin_client.get(f"{LIST}{program.pk}/outcomes/").status_code == 404


@pytest.mark.parametrize("job_data", TALLIES)
def test_a_bulk_operation_without_a_tally_has_done_nothing(
    admin_client: Client, job_data: Any
) -> None:
    order = {"verb": "stop", "run_ids": ["a"]}
    program = row(jobs=["programs.bulk"], program_data=order, job_data=job_data)

    report = admin_client.get(page_of(program)).context["bulk"]

    assert (report.done, report.refused) == (0, 0)


def test_a_name_cannot_turn_the_text_beside_it(admin_client: Client) -> None:
    program = row(run_id=TURNING)
    queue = Queue.objects.create(name=TURNING)

    for url in (page_of(program), page_for(Verb.STOP, program), f"{QUEUES}{queue.pk}/change/"):
        page = admin_client.get(url).content.decode()
        assert TURNING not in page
        assert r"\u202egnp.exe" in page


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_the_first_and_the_last_of_all_moments_are_shown(
    admin_client: Client, settings: Any, zone: str
) -> None:
    settings.TIME_ZONE = zone
    never = datetime.max.replace(microsecond=0, tzinfo=UTC)
    first = datetime.min.replace(tzinfo=UTC)
    later = row(due_at=never, run_at=never, created_at=never)
    row(due_at=first, created_at=first)

    for url in (LIST, page_of(later), "/admin/programs/program/overview/", QUEUES):
        assert admin_client.get(url).status_code == 200


BEFORE_ALL, BEHIND_ALL = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"


@pytest.mark.parametrize("text", [BEFORE_ALL, BEHIND_ALL])
def test_a_moment_that_no_database_has_is_refused(admin_client: Client, text: str) -> None:
    for name, given in (("since", text), ("until", text), ("older", f"{text}~1")):
        assert name in admin_client.get(LIST, {name: given}).context["errors"]
    assert admin_client.get("/admin/programs/operation/", {"since": text}).context["error"]
    assert admin_client.get(LIST, {"live": "1", "seen": text}).status_code == 200
    typed = {"jobs": "noop", "queue": "default", "run_at": text}
    for asked in ({}, {"show": "1"}):
        assert "run_at" in admin_client.post(CREATE, {**typed, **asked}).context["form"].errors


def test_a_bulk_operation_starts_beside_a_program_that_is_due_since_ever() -> None:
    since_ever = create_program(["noop"], run_at=datetime.min.replace(tzinfo=UTC))

    program = bulk.start(Verb.STOP, selection=Selection(), by="ada")

    program.refresh_from_db()
    assert program.due_at == since_ever.due_at

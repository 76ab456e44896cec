"""The API beside the programs: jobs, workers, queues, statistics, the audit, attempts, waiting."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from programs.api import program as endpoint
from programs.api import statistics
from programs.models import Operation, Program, State, Verb, Worker
from programs.operations import pause_queue, stop_program
from programs.registry import registered
from programs.submission import create_program
from tests.clients import VIEW, client_of, post
from tests.console import add_attempt, program_in, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


def register(name: str = "w", jobs: tuple[str, ...] = ("noop", "theirs")) -> None:
    Worker.register(name=name, host="h", pid=7, queues=["mail"], slots=4, jobs=jobs, version="1")


def named(answer: Any) -> dict[str, Any]:
    return {each["name"]: each for each in answer.json()["results"]}


# Jobs -----------------------------------------------------------------------------------------


def test_jobs_are_told_with_their_docstrings_and_how_they_are_retried(ada: Client) -> None:
    register()

    jobs = named(ada.get("/api/jobs/"))

    assert jobs["noop"]["is_registered"]
    assert jobs["noop"]["workers"] == 1
    assert (jobs["noop"]["max_retries"], jobs["noop"]["retry_delay"]) == (10, 1.0)
    assert jobs["noop"]["description"] == cleandoc(registered()["noop"].__doc__ or "")
    assert any(job["description"] for job in jobs.values())


def test_jobs_that_only_workers_know_are_there_and_the_engines_own_are_not(ada: Client) -> None:
    register(jobs=("theirs", "programs.bulk"))

    jobs = named(ada.get("/api/jobs/"))

    assert not jobs["theirs"]["is_registered"]
    assert jobs["theirs"]["max_retries"] is None
    assert "programs.bulk" not in jobs


# Workers --------------------------------------------------------------------------------------


def test_workers_are_listed_page_by_page(ada: Client) -> None:
    for name in ("a", "b", "c"):
        register(name)
    Worker.sign_off("a")

    first = ada.get("/api/workers/?page_size=2").json()
    last = ada.get(first["next"]).json()

    workers = first["results"] + last["results"]
    assert [worker["name"] for worker in workers] == ["c", "b", "a"]
    assert [worker["is_live"] for worker in workers] == [True, True, False]
    assert last["next"] is None


def test_a_worker_is_drained_and_that_is_recorded(ada: Client) -> None:
    register()

    answer = post(ada, "/api/workers/w/drain/", {"reason": "new version"})

    operation = Operation.objects.get()
    assert answer.json()["drain_requested_at"] is not None
    assert (operation.verb, operation.subject, operation.by) == (Verb.DRAIN_WORKER, "w", "ada")
    assert post(ada, "/api/workers/w/drain/", {}).status_code == 409
    assert post(ada, "/api/workers/nobody/drain/", {}).status_code == 404


# Queues ---------------------------------------------------------------------------------------


def test_a_queue_is_paused_and_resumed_and_that_is_recorded(ada: Client) -> None:
    create_program(["noop"], queue="mail/slow")

    paused = post(ada, "/api/queues/mail/slow/pause/", {"reason": "the server moves"})
    queue = named(ada.get("/api/queues/"))["mail/slow"]
    resumed = post(ada, "/api/queues/mail/slow/resume/", {})

    assert (paused.json()["is_paused"], resumed.json()["is_paused"]) == (True, False)
    assert queue["paused_at"] is not None
    assert queue["due"] == {"number": 1, "is_exact": True}
    assert [(done.verb, done.reason) for done in Operation.objects.all()] == [
        (Verb.PAUSE_QUEUE, "the server moves"),
        (Verb.RESUME_QUEUE, None),
    ]


def test_a_queue_that_is_so_already_is_a_conflict(ada: Client) -> None:
    pause_queue("mail", by="grace")

    answer = post(ada, "/api/queues/mail/pause/", {})

    assert answer.status_code == 409
    assert "queue mail is paused (last paused by grace)" in answer.json()["detail"]


# Statistics -----------------------------------------------------------------------------------


def test_statistics_tell_of_states_endings_and_jobs(ada: Client) -> None:
    for state in (State.ERRORED, State.FINISHED, State.WAITING):
        program_in(state)

    told = ada.get("/api/statistics/").json()

    counts = {each["state"]: each["number"] for each in told["states"]}
    assert (counts["errored"], counts["finished"], counts["paused"]) == (1, 1, 0)
    assert (len(told["minutes"]), len(told["quarters"])) == (60, 96)
    assert sum(period["errored"] for period in told["quarters"]) == 1
    behave = next(job for job in told["jobs"] if job["job"] == "behave")
    assert (behave["attempts"], behave["failures"]) == (2, 1)


@pytest.fixture(autouse=True)
def nothing_kept() -> None:

    statistics.recent_endings.forget()
    statistics.recent_jobs.forget()


# Audit ----------------------------------------------------------------------------------------


def test_the_audit_is_read_page_by_page_and_by_what_was_done(ada: Client) -> None:
    programs = [create_program(["noop"]) for _ in range(3)]
    for program in programs:
        stop_program(program, by="grace")
    pause_queue("mail", by="ada")

    first = ada.get("/api/operations/?page_size=2").json()
    rest = ada.get(first["next"]).json()
    by_grace = ada.get("/api/operations/?by=grace&verb=stop").json()["results"]

    assert [each["verb"] for each in first["results"]] == ["pause_queue", "stop"]
    assert (len(rest["results"]), rest["next"]) == (2, None)
    assert [each["run_id"] for each in by_grace] == [each.run_id for each in programs[::-1]]


def test_an_operation_is_shown_with_what_was_before_its_secrets_masked() -> None:
    program = create_program(["noop"], {"token": "abc", "year": 2025})
    stop_program(program)
    Operation.objects.update(detail={"before": {"program_data": program.program_data}})
    key = Operation.objects.get().pk

    shown = client_of("view_operation").get(f"/api/operations/{key}/").json()

    assert shown["detail"] == {"before": {"program_data": {"token": "***", "year": 2025}}}
    assert shown["run_id"] == program.run_id


@pytest.mark.parametrize(
    ("query", "field"),
    [("verb=nothing", "verb"), ("by=%00", "by"), ("cursor=x", "cursor"), ("since=x", "since")],
)
def test_a_wrong_question_to_the_audit_is_refused_by_name(
    ada: Client, query: str, field: str
) -> None:
    answer = ada.get(f"/api/operations/?{query}")

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]


# Attempts -------------------------------------------------------------------------------------


def test_attempts_are_read_page_by_page_with_what_their_jobs_logged(ada: Client) -> None:
    program = create_program(["noop"])
    for number in range(1, 6):
        add_attempt(program, number=number, epoch=number, log=f"page {number}")

    first = ada.get(f"/api/programs/{program.run_id}/attempts/?page_size=3").json()
    rest = ada.get(first["next"]).json()

    assert [each["log"] for each in first["results"]] == ["page 5", "page 4", "page 3"]
    assert [each["number"] for each in rest["results"]] == [2, 1]
    assert rest["next"] is None


# Wait -----------------------------------------------------------------------------------------


def test_waiting_tells_that_a_program_has_ended(ada: Client) -> None:
    program = program_in(State.ERRORED)

    answer = ada.get(f"/api/programs/{program.run_id}/wait/?timeout=30").json()

    assert (answer["ended"], answer["state"]) == (True, "errored")


@pytest.mark.parametrize("timeout", ["61", "-1", "x", "1e9", "nan", "", "1_0"])
def test_a_timeout_out_of_bounds_is_refused(ada: Client, timeout: str) -> None:
    program = create_program(["noop"])

    answer = ada.get(f"/api/programs/{program.run_id}/wait/?timeout={timeout}")

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "timeout"


@pytest.mark.django_db(transaction=True)
def test_waiting_answers_once_the_program_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    program = create_program(["noop"])
    client = client_of(VIEW)
    monkeypatch.setattr("programs.models.waiting.sleep", lambda _: end(program))

    answer = client.get(f"/api/programs/{program.run_id}/wait/?timeout=30").json()

    assert (answer["ended"], answer["state"]) == (True, "finished")


def end(program: Program) -> None:
    """Run it, in the pause between two looks."""
    if Program.objects.open().filter(pk=program.pk).exists():
        run(program)


@pytest.mark.django_db(transaction=True)
def test_waiting_ends_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    program = create_program(["noop"])

    answer = client_of(VIEW).get(f"/api/programs/{program.run_id}/wait/?timeout=0.01").json()

    assert (answer["ended"], answer["state"]) == (False, "waiting")


@pytest.mark.django_db(transaction=True)
def test_where_many_wait_a_wait_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    program = create_program(["noop"])
    client = client_of(VIEW)
    waited: list[float] = []
    monkeypatch.setattr(Program, "wait", lambda _, seconds: waited.append(seconds))
    held = [endpoint._waiting.acquire(blocking=False) for _ in range(endpoint.WAITING_AT_ONCE)]
    try:
        client.get(f"/api/programs/{program.run_id}/wait/?timeout=30")
    finally:
        for _ in held:
            endpoint._waiting.release()

    assert all(held)
    assert waited == [endpoint.CROWDED_WAIT]


# One program ----------------------------------------------------------------------------------


def test_a_program_tells_why_it_waits(ada: Client) -> None:
    program = create_program(["noop"])

    shown = ada.get(f"/api/programs/{program.run_id}/").json()

    assert shown["why"].startswith("no live worker serves queue default")

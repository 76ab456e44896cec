"""What operators do to a queue and to a worker: pause, resume, drain."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections, transaction

from programs import operations
from programs.errors import InvalidProgram, OperationRefused
from programs.models import Operation, Queue, Verb, Worker
from programs.submission import create_program
from programs.worker.keeper import Keeper
from tests.running import fresh, on_server

pytestmark = pytest.mark.usefixtures("bookkeeping")


def worker(name: str = "w1") -> Worker:
    """Let a live worker be known."""
    Worker.register(
        name=name, host="host", pid=1, queues=["default"], slots=8, jobs=["noop"], version="0"
    )
    return Worker.objects.get(name=name)


# Queues ------------------------------------------------------------------------------------


def test_pausing_a_queue_is_recorded_with_who_and_why() -> None:
    queue = operations.pause_queue("reports", by="ada", reason="the printer is out of paper")

    assert queue == Queue.objects.get(name="reports")
    assert queue.paused_at is not None
    deed = Operation.objects.get()
    assert (deed.verb, deed.subject, deed.program) == (Verb.PAUSE_QUEUE, "reports", None)
    assert (deed.by, deed.reason) == ("ada", "the printer is out of paper")
    assert deed.detail == {"from": "open", "to": "paused"}


def test_resuming_it_is_recorded_as_well_and_it_can_be_paused_again() -> None:
    operations.pause_queue("reports")

    resumed = operations.resume_queue("reports", by="eve")

    assert resumed.paused_at is None
    deed = resumed.last_operation()
    assert deed is not None
    assert (deed.verb, deed.by, deed.reason) == (Verb.RESUME_QUEUE, "eve", None)
    assert deed.detail == {"from": "paused", "to": "open"}
    assert operations.pause_queue("reports").paused_at is not None


def test_pausing_it_twice_is_refused_and_says_who_was_first() -> None:
    first = operations.pause_queue("reports", by="ada")

    with pytest.raises(
        OperationRefused,
        match=r"^queue reports is paused \(last paused by ada\): it cannot be paused$",
    ):
        operations.pause_queue("reports", by="eve")

    assert Queue.objects.get().paused_at == first.paused_at
    assert Operation.objects.count() == 1


@pytest.mark.parametrize("is_known", [True, False])
def test_resuming_a_queue_that_is_not_paused_is_refused(is_known: bool) -> None:
    who = ""
    if is_known:
        operations.pause_queue("reports")
        operations.resume_queue("reports", by="ada")
        who = r" \(last resumed by ada\)"
    with pytest.raises(
        OperationRefused, match=rf"^queue reports is open{who}: it cannot be resumed$"
    ):
        operations.resume_queue("reports")
    assert Queue.objects.count() == is_known


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\nb", "a\0b", "a\u202eb", None, 5])
def test_a_name_that_no_queue_can_have_is_refused(name: object) -> None:
    for operate in (operations.pause_queue, operations.resume_queue):
        with pytest.raises(InvalidProgram) as refused:
            operate(name)
        assert refused.value.field == "queue"
    assert not Queue.objects.exists()


@pytest.mark.parametrize("operate", [operations.pause_queue, operations.drain_worker])
def test_who_did_it_must_be_a_text(operate: Callable[..., object]) -> None:
    worker("reports")
    with pytest.raises(InvalidProgram, match="by: must be a text"):
        operate("reports", by=5)
    assert not Queue.objects.exists()
    assert not Operation.objects.exists()


def test_a_pause_that_is_rolled_back_was_none(bookkeeping: str) -> None:
    with pytest.raises(RuntimeError), transaction.atomic(using=bookkeeping):
        operations.pause_queue("reports")
        raise RuntimeError("undo")
    assert not Queue.objects.paused().exists()
    assert not Operation.objects.exists()


@on_server
@pytest.mark.parametrize("verb", ["pause_queue", "resume_queue"])
def test_of_two_that_do_the_same_at_once_one_wins_and_the_other_is_told(verb: str) -> None:
    for number in range(10):
        name = f"reports-{number}"
        if verb == "resume_queue":
            operations.pause_queue(name)
        before = Operation.objects.count()
        told = at_once(getattr(operations, verb), name)
        assert told[0] == "done"
        assert "by ada)" in told[1] or "by eve)" in told[1]
        assert Operation.objects.count() == before + 1


def at_once(operate: Callable[..., object], subject: str) -> list[str]:
    """Let ada and eve do it at the same moment; return what each was told, the winner first."""
    start, told = threading.Barrier(2), []

    def act(by: str) -> None:
        start.wait()
        try:
            operate(subject, by=by)
            told.append("done")
        except OperationRefused as refused:
            told.append(str(refused))
        connections.close_all()

    threads = [threading.Thread(target=act, args=(by,)) for by in ("ada", "eve")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(told)


# Workers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("by_name", [True, False])
def test_draining_a_worker_is_recorded_and_its_heartbeat_tells_it(by_name: bool) -> None:
    row = worker()
    assert not Worker.heartbeat("w1")

    drained = operations.drain_worker("w1" if by_name else row, by="ada", reason="new kernel")

    assert drained.drain_requested_at is not None
    assert Worker.heartbeat("w1")
    deed = Operation.objects.get()
    assert (deed.verb, deed.subject, deed.by) == (Verb.DRAIN_WORKER, "w1", "ada")
    assert (deed.reason, deed.detail) == ("new kernel", {"from": "live", "to": "draining"})
    assert drained.last_drain() == deed


def test_draining_it_twice_is_refused_and_says_who_was_first() -> None:
    operations.drain_worker(worker(), by="ada")
    with pytest.raises(
        OperationRefused, match=r"w1 is draining \(last drained by ada\): it cannot be drained"
    ):
        operations.drain_worker("w1")
    assert Operation.objects.count() == 1


def test_a_worker_that_is_gone_or_was_never_there_cannot_be_drained() -> None:
    worker("ended")
    Worker.sign_off("ended")
    worker("lost")
    Worker.objects.filter(name="lost").update(last_seen_at=datetime(2020, 1, 1, tzinfo=UTC))
    for name, why in (
        ("ended", "worker ended has ended"),
        ("lost", "worker lost has not been heard of for over a lease"),
        ("nobody", "there is no worker named 'nobody'"),
    ):
        with pytest.raises(OperationRefused, match=why):
            operations.drain_worker(name)
    assert not Worker.objects.filter(drain_requested_at__isnull=False).exists()
    assert not Operation.objects.exists()


@on_server
def test_of_two_that_drain_a_worker_at_once_one_wins() -> None:
    worker()
    told = at_once(operations.drain_worker, "w1")
    assert told[0] == "done"
    assert "is draining (last drained by" in told[1]


def test_the_heartbeat_of_a_worker_without_a_row_asks_for_nothing() -> None:
    assert not Worker.heartbeat("nobody")


@pytest.mark.parametrize(
    ("by", "told"), [("ada", "asked to drain by ada"), (None, "asked to drain")]
)
def test_the_keeper_hears_of_a_drain_with_its_heartbeat(by: str | None, told: str) -> None:
    own = Keeper("w1", ("default",), list, lambda notice: None)
    heard: list[str | None] = []
    own._show_in_list()  # as it does after each renewal
    heard.append(own.drain)
    operations.drain_worker("w1", by=by)
    own._show_in_list()
    heard.append(own.drain)
    Worker.objects.all().delete()
    own._show_in_list()  # a row that is gone costs nothing
    assert [*heard, own.drain] == [None, told, told]


# The engine's own jobs -----------------------------------------------------------------------


def test_the_data_of_the_engines_own_jobs_cannot_be_edited(job: Callable[..., str]) -> None:
    own = job("own", lambda self, message, job_data: None, internal=True)
    program = create_program(["noop", own], {"by": "ada"})
    edits: list[dict[str, Any]] = [{"program_data": {"by": "root"}}, {"job_data": {own: {}}}]
    for given in edits:
        with pytest.raises(
            InvalidProgram, match=r"program_data: belongs to a job of the engine's own \(own\)"
        ):
            operations.edit_data(program, **given)
    assert fresh(program).program_data == {"by": "ada"}
    assert not Operation.objects.exists()


def test_a_worker_that_was_forgotten_while_it_slept_is_in_the_list_again() -> None:
    keeper = Keeper("w", ("default",), list, lambda notice: None)
    keeper._show_in_list()
    Worker.objects.all().delete()

    for _ in range(2):  # renewals: the first one misses the row
        keeper._show_in_list()

    assert Worker.objects.live().get().name == "w"

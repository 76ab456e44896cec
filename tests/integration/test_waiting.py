"""Waiting for the end of a program, in sync and async code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connections, transaction
from django.db.transaction import TransactionManagementError

from programs.errors import InvalidProgram, ProgramNotFound
from programs.models import Program, State, waiting
from programs.submission import acreate_program, create_program
from tests.running import carry, claim, on_server, on_sqlite

pytestmark = pytest.mark.usefixtures("bookkeeping")


def run(program: Program) -> None:
    claimed = claim(program)
    assert claimed is not None
    carry(claimed)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], None]], list[float]]:
    """Let something happen in the place of each pause, and return how long they would be."""

    def install(happen: Callable[[int], None]) -> list[float]:
        taken: list[float] = []

        def pause(seconds: float) -> None:
            taken.append(seconds)
            happen(len(taken))

        monkeypatch.setattr(waiting, "sleep", pause)
        return taken

    return install


def test_it_waits_until_the_program_has_ended(pauses) -> None:
    program = create_program(["count"])
    taken = pauses(lambda number: run(program) if number == 20 else None)

    assert program.wait() is True

    assert (program.state, program.job_data) == (State.FINISHED, {"count": {"n": 1}})
    assert len(taken) == 20
    assert taken[0] == 0.05
    assert taken == sorted(taken)
    assert taken[-1] == 0.5


@pytest.mark.parametrize("end", [Program.stop, lambda program: run(program)])
def test_it_does_not_wait_for_what_has_ended(pauses, end: Callable[[Program], object]) -> None:
    program = create_program(["behave"], {"how": "fail"})
    end(program)

    assert program.wait() is True
    assert program.state in (State.STOPPED, State.ERRORED)
    assert pauses(lambda number: None) == []


@pytest.mark.parametrize("timeout", [0, 0.01, -1])
def test_it_gives_up_when_the_time_is_up(timeout: float) -> None:
    assert create_program(["noop"]).wait(timeout) is False


def test_a_program_that_is_deleted_is_not_waited_for(pauses) -> None:
    program = create_program(["noop"])
    pauses(lambda number: Program.objects.filter(pk=program.pk).delete())

    with pytest.raises(ProgramNotFound, match="is gone"):
        program.wait()


def test_in_a_transaction_it_says_why_it_does_not_wait(bookkeeping: str) -> None:
    with transaction.atomic(using=bookkeeping):
        program = create_program(["noop"])
        with pytest.raises(TransactionManagementError, match="wait behind it"):
            program.wait(timeout=60)


@on_server
def test_it_holds_no_connection_while_it_pauses(bookkeeping: str, pauses) -> None:
    held: list[bool] = []
    program = create_program(["noop"])

    def look(number: int) -> None:
        held.append(connections[bookkeeping].connection is not None)
        if number == 2:
            run(program)

    pauses(look)

    assert program.wait() is True
    assert held == [False, False]


@on_sqlite
def test_async_code_creates_a_program_and_waits_for_it() -> None:
    async def view() -> tuple[Program, bool, bool]:
        program = await acreate_program(["count"], {"year": 2024}, created_by="ada")
        too_early = await program.await_end(timeout=0.01)
        ending = asyncio.create_task(program.await_end(timeout=60))
        await sync_to_async(run)(program)
        return program, too_early, await ending

    program, too_early, ended = async_to_sync(view)()

    assert (too_early, ended) == (False, True)
    assert (program.state, program.created_by) == (State.FINISHED, "ada")
    assert program.program_data == {"year": 2024}


@on_sqlite
def test_async_creation_refuses_what_creation_refuses() -> None:
    with pytest.raises(InvalidProgram, match="jobs: is empty"):
        async_to_sync(acreate_program)([])
    with pytest.raises(InvalidProgram, match="job_data: is the name of this field"):
        async_to_sync(acreate_program)(["noop"], jobsData={})

"""`purgeprograms`: what is deleted, what is left alone, and in which bites."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections, transaction

from programs import operations
from programs.management import purging
from programs.models import Attempt, BulkOutcome, Operation, Program, State
from programs.models.state import ENDED
from programs.submission import create_program, create_programs
from tests.commands import manage
from tests.console import add_attempt, program_in
from tests.running import on_server

pytestmark = pytest.mark.usefixtures("bookkeeping")

LONG_AGO = datetime.now(UTC) - timedelta(days=40)


def age(program: Program, ended: datetime = LONG_AGO) -> Program:
    """Let a program have ended then."""
    Program.objects.filter(pk=program.pk).update(**{f"{program.state.value}_at": ended})
    return program


def remaining() -> set[Program]:
    return set(Program.objects.all())


def test_what_ended_long_ago_goes_with_all_that_is_kept_of_it() -> None:
    old = age(program_in(State.ERRORED))
    operations.edit_data(old, program_data={"x": 1}, by="ada")
    BulkOutcome.objects.create(bulk=old, run_id="another")
    kept = age(program_in(State.FINISHED), datetime.now(UTC) - timedelta(days=29))

    done = manage("purgeprograms", "--older-than", "30d")

    assert done.lines == ["finished: 0", "errored: 1", "stopped: 0", "1 programs deleted"]
    assert remaining() == {kept}
    assert {attempt.program_id for attempt in Attempt.objects.all()} == {kept.pk}
    assert not Operation.objects.exists()
    assert not BulkOutcome.objects.exists()


def test_what_has_not_ended_is_never_deleted_however_old() -> None:
    programs = {program_in(state) for state in State if state not in ENDED}
    Program.objects.update(created_at=LONG_AGO)

    assert manage("purgeprograms", "--older-than", "1s").lines[-1] == "0 programs deleted"
    assert remaining() == programs


def test_the_age_counts_from_the_end() -> None:
    program = program_in(State.FINISHED)
    Program.objects.update(created_at=LONG_AGO)

    manage("purgeprograms", "--older-than", "30d")

    assert remaining() == {program}


@pytest.mark.parametrize("state", ENDED)
def test_one_may_ask_for_some_endings_only(state: State) -> None:
    programs = {each: age(program_in(each)) for each in ENDED}

    done = manage("purgeprograms", "--older-than", "30d", "--state", state.value)

    assert done.lines == [f"{state.value}: 1", "1 programs deleted"]
    assert remaining() == set(programs.values()) - {programs[state]}


def test_a_rehearsal_counts_and_deletes_nothing() -> None:
    programs = {age(program_in(state)) for state in ENDED}

    done = manage("purgeprograms", "--older-than", "30d", "--dry-run")

    assert done.lines[-1] == "3 programs would be deleted"
    assert remaining() == programs


def test_a_job_that_runs_on_after_somebody_ended_its_program_by_hand_keeps_its_row() -> None:
    program = program_in(State.RUNNING)
    Program.objects.update(errored_at=LONG_AGO)

    manage("purgeprograms", "--older-than", "30d")

    assert remaining() == {program}


@pytest.mark.parametrize("given", ["30", "d", "0d", "-1d", "30 d", "1y", "9999999999d", "٣d"])
def test_a_length_of_time_that_is_none_is_refused(given: str) -> None:
    age(program_in(State.FINISHED))

    done = manage("purgeprograms", f"--older-than={given}")

    assert "is no length of time such as 12h, 30d or 8w" in done.err
    assert len(remaining()) == 1


def test_many_are_deleted_in_bites(monkeypatch: pytest.MonkeyPatch, bookkeeping: str) -> None:
    monkeypatch.setattr(purging, "BATCH", 3)
    programs = create_programs([{"jobs": ["noop"]}] * 10)
    Program.objects.update(due_at=None, finished_at=LONG_AGO)
    for number in range(1, 9):  # more of one program than one bite
        add_attempt(programs[0], number=number, epoch=number)
    bites: list[tuple[str, int]] = []

    with statements(bookkeeping, bites):
        numbers = list(purging.purge(State.FINISHED, timedelta(days=30)))

    assert numbers == [3, 3, 3, 1]
    assert not remaining()
    assert not Attempt.objects.exists()
    assert max(deleted for _, deleted in bites) == 3
    assert len([table for table, _ in bites if "attempt" in table]) >= 3


@contextmanager
def statements(alias: str, deleted: list[tuple[str, int]]) -> Iterator[None]:
    """Note the table and the number of rows of each DELETE."""

    def note(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if sql.startswith("DELETE"):
            deleted.append((sql.split()[2], context["cursor"].rowcount))
        return result

    with connections[alias].execute_wrapper(note):
        yield


def test_what_an_operator_opens_again_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "BATCH", 1)
    first, second = (age(program_in(State.ERRORED)) for _ in range(2))

    bites = purging.purge(State.ERRORED, timedelta(days=30))
    assert next(bites) == 1
    operations.retry_program(second)

    assert list(bites) == []
    assert first not in remaining()
    assert second in remaining()


@on_server
def test_a_row_that_somebody_has_locked_is_passed_over(bookkeeping: str) -> None:
    locked, free = (age(program_in(State.ERRORED)) for _ in range(2))
    other = connections[bookkeeping].copy("other")
    connections["other"] = other
    connections.settings["other"] = connections.settings[bookkeeping]
    try:
        with transaction.atomic(using="other"):
            assert Program.objects.using("other").filter(pk=locked.pk).unlocked() == [locked.pk]
            numbers = list(purging.purge(State.ERRORED, timedelta(days=30)))
    finally:
        other.close()
        del connections["other"], connections.settings["other"]

    assert numbers == [1]
    assert remaining() == {locked}
    assert free not in remaining()
    assert locked.attempts.count() == 1


def test_a_key_is_free_again() -> None:
    operations.stop_program(create_program(["noop"], idempotency_key="k"))
    age(Program.objects.get())

    manage("purgeprograms", "--older-than", "30d")

    assert create_program(["count"], idempotency_key="k").was_created


def test_a_terminal_is_shown_the_progress() -> None:
    age(program_in(State.FINISHED))

    done = manage("purgeprograms", "--older-than", "30d", on_terminal=True)

    assert done.err == "\rfinished: 1 deleted\n"

"""Starting a bulk operation: where it runs, what it is made of, and what is counted before."""

from __future__ import annotations

from typing import Any

import pytest

from programs import bulk
from programs.bulk import BulkOperation, outcomes_of, start
from programs.errors import InvalidProgram
from programs.inspection import Selection
from programs.models import Program, Queue, State, Verb, Worker
from programs.submission import create_program, create_programs
from tests.console import program_in
from tests.running import carry, claim, fresh

pytestmark = pytest.mark.usefixtures("bookkeeping")

ALL = Selection()


def test_it_comes_before_the_programs_that_wait_for_it_may_be_there_to_stop_them() -> None:
    programs = create_programs([{"jobs": ["noop"]}] * 3)

    program = start(Verb.STOP, selection=ALL, by="ada")

    first = Program.objects.ripe("default").first()
    assert first == program
    assert {fresh(each).state for each in (program, *programs)} == {State.WAITING}


@pytest.mark.parametrize(
    ("paused", "queue"), [((), "default"), (("default",), "a"), (("default", "a", "b"), "default")]
)
def test_it_goes_to_a_queue_that_is_served(
    paused: tuple[str, ...], queue: str, bookkeeping: str
) -> None:
    given = {"host": "h", "pid": 1, "slots": 1, "version": "1"}
    Worker.register(name="w", queues=["b", "a", "default"], jobs=[BulkOperation.name], **given)
    Worker.register(name="old", queues=["0"], jobs=["noop"], **given)
    for name in paused:
        Queue.objects.using(bookkeeping).create(
            name=name, paused_at=create_program(["noop"]).due_at
        )

    assert start(Verb.STOP, selection=ALL, by="ada").queue == queue


def test_the_same_key_starts_it_once() -> None:
    given: dict[str, Any] = {"selection": ALL, "by": "ada", "up_to": 0, "idempotency_key": "k"}

    assert start(Verb.STOP, **given) == start(Verb.STOP, **given)
    assert Program.objects.count() == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "run_ids"),
        ({"selection": ALL, "run_ids": ["a"]}, "run_ids"),
        ({"run_ids": []}, "run_ids"),
        ({"run_ids": [str(number) for number in range(1001)]}, "run_ids"),
        ({"run_ids": ["a\0"]}, "run_ids"),
        ({"run_ids": ["a" * 256]}, "run_ids"),
        ({"selection": ALL, "verb": Verb.EDIT}, "verb"),
    ],
)
def test_what_cannot_be_done_is_refused_by_the_name_of_its_field(
    given: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidProgram) as refusal:
        start(**{"verb": Verb.STOP, "by": "ada", **given})
    assert refusal.value.field == field
    assert not Program.objects.exists()


def test_a_selection_comes_back_as_it_was_stored() -> None:
    given = {"state": "errored", "q": "it \u202e<broke>", "since": "2026-01-31T10:00:00+00:00"}
    selection = Selection.parse({**given, "queue": "a/b", "job": "no,op", "worker": "w"})

    program = start(Verb.RETRY, selection=selection, by="ada", reason="\u202e'")

    order = bulk.Order.decode(fresh(program).program_data)
    assert order.selection == selection
    assert (order.verb, order.by, order.reason) == (Verb.RETRY, "ada", "\u202e'")


@pytest.mark.parametrize(
    ("given", "verb", "expected"),
    [
        ({"state": "errored"}, Verb.RETRY, 1),
        ({"state": "errored"}, Verb.STOP, 0),
        ({"q": "noop"}, Verb.STOP, 2),
        ({"job": "noop"}, Verb.RETRY, 2),
        ({"since": "2000-01-01"}, Verb.PAUSE, 1),
        ({"until": "2000-01-01"}, Verb.PAUSE, 0),
        ({"queue": "nobody's"}, Verb.STOP, 0),
    ],
)
def test_what_is_counted_before_is_what_is_treated(
    given: dict[str, str], verb: Verb, expected: int
) -> None:
    for state in (State.WAITING, State.PAUSED, State.ERRORED, State.STOPPED, State.FINISHED):
        program_in(state)
    selection = Selection.parse(given)

    assert bulk.count(verb, selection) == (expected, True)
    claimed = claim(start(verb, selection=selection, by="ada"))
    assert claimed is not None
    carry(claimed)
    assert outcomes_of(claimed).done().count() == expected

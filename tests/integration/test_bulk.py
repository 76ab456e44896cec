"""One operation done to many programs: all of those that were meant, each of them once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError

from programs import bulk, execution, operations
from programs.bulk import BulkOperation, outcomes_of, start
from programs.inspection import Selection
from programs.job import JobData
from programs.lease import Lease
from programs.models import Operation, Program, State, Verb
from programs.submission import create_programs
from tests.console import program_in
from tests.running import carry, claim, fresh, make_due

pytestmark = pytest.mark.usefixtures("bookkeeping")

ALL = Selection()


class Crash(BaseException):
    """The process is gone."""


def done(program: Program) -> Program:
    """Run the bulk operation to its end, and return its program as it then is."""
    claimed = claim(program)
    assert claimed is not None
    carry(claimed)
    return fresh(program)


def told(program: Program) -> dict[str, str | None]:
    """Return what became of each program, by run id."""
    return dict(outcomes_of(program).values_list("run_id", "refusal"))


def tally(program: Program) -> tuple[Any, ...]:
    data = program.data_of(BulkOperation.name)
    return data["done"], data["refused"], data["total"]


def waiting(number: int, **given: Any) -> list[Program]:
    return create_programs([{"jobs": ["noop"], **given}] * number)


def states(*programs: Program) -> list[State]:
    return [fresh(program).state for program in programs]


def during(verb: Verb, program: Program, happens: Callable[[], Any], monkeypatch: Any) -> None:
    """Let something happen just before the verb is done to this program."""
    deed = bulk.DEEDS[verb]

    def act(run_id: str, **given: Any) -> Program:
        if run_id == program.run_id:
            happens()
        return deed(run_id, **given)

    monkeypatch.setitem(bulk.DEEDS, verb, act)


def failing_at(verb: Verb, number: int, error: BaseException, monkeypatch: Any) -> list[str]:
    """Let the deed raise `error` at its `number`th call, after it was done; return the calls."""
    deed, calls = bulk.DEEDS[verb], []

    def act(run_id: str, **given: Any) -> Program:
        program = deed(run_id, **given)
        calls.append(run_id)
        if len(calls) == number:
            raise error
        return program

    monkeypatch.setitem(bulk.DEEDS, verb, act)
    return calls


# Which programs are meant ---------------------------------------------------------------------


def test_a_thousand_programs_are_stopped_each_once_with_who_and_why() -> None:
    programs = waiting(1000)
    spared = waiting(1, queue="other")

    program = done(
        start(Verb.STOP, selection=Selection(queue="default"), by="ada", reason="a flood")
    )

    assert program.state is State.FINISHED
    assert tally(program) == (1000, 0, None)
    assert told(program) == dict.fromkeys((each.run_id for each in programs), None)
    stopped = Operation.objects.filter(verb=Verb.STOP, by="ada", reason="a flood")
    assert stopped.values("program").distinct().count() == stopped.count() == 1000
    assert states(*spared) == [State.WAITING]


@pytest.mark.parametrize(
    ("verb", "meant", "after"),
    [
        (Verb.STOP, {State.SCHEDULED, State.WAITING, State.PAUSED}, State.STOPPED),
        (Verb.PAUSE, {State.SCHEDULED, State.WAITING}, State.PAUSED),
        (Verb.RESUME, {State.PAUSED}, State.WAITING),
        (Verb.RETRY, {State.ERRORED, State.STOPPED}, State.WAITING),
    ],
)
def test_of_all_that_match_those_are_treated_that_can_be(
    verb: Verb, meant: set[State], after: State
) -> None:
    others = set(State) - {State.RUNNING}
    programs: dict[State, Program] = {state: program_in(state) for state in others}

    assert bulk.count(verb, ALL) == (len(meant), True)
    program = done(start(verb, selection=ALL, by="ada"))

    assert set(told(program)) == {programs[state].run_id for state in meant}
    assert {state for state in meant if fresh(programs[state]).state is not after} == set()
    untouched = {state for state in programs if state not in meant}
    assert {state for state in untouched if fresh(programs[state]).state is state} == untouched


def test_a_running_program_is_asked_to_stop() -> None:
    program = program_in(State.RUNNING)

    assert tally(done(start(Verb.STOP, selection=ALL, by="ada", total=1))) == (1, 0, 1)
    assert states(program) == [State.STOPPING]


def test_those_named_each_have_an_outcome_even_where_it_is_a_refusal() -> None:
    finished, errored = program_in(State.FINISHED), program_in(State.ERRORED)
    run_ids = [finished.run_id, errored.run_id, "no-such-run", errored.run_id]

    program = done(start(Verb.RETRY, run_ids=run_ids, by="ada"))

    assert program.state is State.FINISHED
    assert tally(program) == (1, 2, 3)
    assert told(program) == {
        errored.run_id: None,
        finished.run_id: f"program {finished.run_id} is finished: it cannot be retried",
        "no-such-run": "there is no program with the run id 'no-such-run'",
    }


def test_programs_created_after_it_was_confirmed_are_not_meant() -> None:
    (seen,) = waiting(1)
    up_to = seen.pk
    (between,) = waiting(1)
    program = start(Verb.STOP, selection=ALL, by="ada", up_to=up_to)
    (after,) = waiting(1)

    assert set(told(done(program))) == {seen.run_id}
    assert states(between, after) == [State.WAITING, State.WAITING]


def test_it_finds_those_that_are_far_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "SPAN", 10)
    monkeypatch.setattr(bulk, "BATCH", 3)
    (first,) = waiting(1)
    near = waiting(7)
    others = waiting(40, queue="other")
    far = Program.objects.create(pk=10**12, jobs=["noop"], queue="default", due_at=first.due_at)

    program = done(start(Verb.STOP, selection=Selection(queue="default"), by="ada", up_to=far.pk))

    assert set(told(program)) == {each.run_id for each in (first, *near, far)}
    assert set(states(*others)) == {State.WAITING}


def test_it_leaves_the_engines_own_programs_alone() -> None:
    other = start(Verb.STOP, run_ids=["x"], by="eve")

    for given in ({"selection": ALL}, {"run_ids": [other.run_id]}):
        refused = told(done(start(Verb.STOP, by="ada", **given)))
        assert "is the engine's own" in str(refused[other.run_id])
    assert states(other) == [State.WAITING]


# What may happen meanwhile --------------------------------------------------------------------


def test_after_a_crash_it_goes_on_and_does_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BATCH", 10)
    programs = waiting(45)
    program = start(Verb.PAUSE, selection=ALL, by="ada")
    claimed = claim(program, slot="crashed/0.1")
    assert claimed is not None
    calls = failing_at(Verb.PAUSE, 25, Crash(), monkeypatch)

    with pytest.raises(Crash):
        data = JobData(claimed, BulkOperation.name, Lease(60))
        execution.call(BulkOperation, execution.message_for(claimed, 1), data)
    before = outcomes_of(program).count()
    make_due(program)
    after = done(program)

    assert before == 24  # the 25th was rolled back together with its deed
    assert len(calls) == 46
    assert tally(after) == (45, 0, None)
    paused = Operation.objects.filter(verb=Verb.PAUSE)
    assert sorted(paused.values_list("program", flat=True)) == [each.pk for each in programs]


def test_a_slot_that_loses_its_lease_does_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = waiting(3)
    program = start(Verb.STOP, selection=ALL, by="ada")
    lease = Lease(60)
    during(Verb.STOP, programs[1], lease.lose, monkeypatch)
    claimed = claim(program)
    assert claimed is not None

    execution.carry(claimed, lease, lambda: False)

    assert states(*programs) == [State.STOPPED, State.STOPPED, State.WAITING]
    assert tally(done(program)) == (3, 0, None)


def test_two_slots_at_once_do_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = waiting(5)
    program = start(Verb.STOP, selection=ALL, by="ada")
    order = bulk.Order.decode(program.program_data)
    for each in programs[:3]:  # another slot was here after this one had read what is treated
        bulk._treat(each.run_id, order, program, is_ours=False)
    monkeypatch.setattr("programs.models.bulk.BulkOutcomeQuerySet.values_list", lambda *a, **k: [])

    after = done(program)

    assert tally(after) == (5, 0, None)
    assert Operation.objects.filter(verb=Verb.STOP).count() == 5


def test_it_is_stopped_between_two_programs_and_retried_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    programs = waiting(30)
    program = start(Verb.PAUSE, selection=ALL, by="ada", total=30)
    lease = Lease(60)

    def stop() -> None:
        operations.stop_program(program, by="eve")
        lease.request_stop()  # as the next renewal would

    during(Verb.PAUSE, programs[9], stop, monkeypatch)
    claimed = claim(program)
    assert claimed is not None
    execution.carry(claimed, lease, lambda: False)

    stopped = fresh(program)
    assert stopped.state is State.STOPPED
    assert tally(stopped) == (10, 0, 30)
    assert states(programs[9], programs[10]) == [State.PAUSED, State.WAITING]
    operations.retry_program(program, by="eve")
    assert tally(done(program)) == (30, 0, 30)
    assert Operation.objects.filter(verb=Verb.PAUSE).count() == 30


def test_a_program_that_was_changed_meanwhile_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = waiting(2)
    during(Verb.PAUSE, first, lambda: operations.stop_program(second.run_id, by="eve"), monkeypatch)

    program = done(start(Verb.PAUSE, selection=ALL, by="ada"))

    assert tally(program) == (1, 1, None)
    refusal = str(told(program)[second.run_id])
    assert "is stopped (last stopped by eve): it cannot be paused" in refusal


def test_a_database_that_is_away_for_a_moment_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting(3)
    program = start(Verb.STOP, selection=ALL, by="ada")
    failing_at(Verb.STOP, 2, OperationalError("server closed the connection"), monkeypatch)

    waits = done(program)
    assert waits.state is State.SCHEDULED
    assert waits.step_retry_count == 1
    make_due(program)
    assert tally(done(program)) == (3, 0, None)

"""The machine: slots and operators in random order, and what holds after every move.

Slots claim the program, run its steps, checkpoint, lose it and come back as zombies; leases run
out and are renewed; processes crash and shut down; operators stop, pause, resume, retry, skip and
edit. After every move the row, its attempts and its state must be the model's, nothing may be
stuck, and from wherever it ends the program can be brought to an end.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import pytest
from django.db import connections
from django.db.models import Value
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from programs import execution, operations, registry
from programs.errors import OperationRefused
from programs.lease import Lease
from programs.models import Program, State
from programs.worker.sweep import Sweep
from tests.life.model import HOUR, Scripted
from tests.life.slots import LONG_AGO, Slots


class LifeOfAProgram(Slots):
    # Operators ------------------------------------------------------------------------------

    @precondition(lambda self: not self.is_over())
    @rule(data=st.data())
    def an_operator_acts(self, data: st.DataObject) -> None:
        verbs = ["stop", "pause", "resume", "retry", "skip", "edit", "set_errored_at"]
        if self.model.ended is not None:
            verbs += ["retry"] * 5  # or most of the time would be spent at the end
        verb = data.draw(st.sampled_from(verbs), label="verb")
        if verb == "retry":
            steps = st.integers(0, self.model.steps - 1)
            self.retry(data.draw(st.none() | steps, label="from_step"))
        else:
            getattr(self, verb)()

    def steer(self, verb: Any, *, allowed: bool, **given: Any) -> bool:
        try:
            verb(self.program.run_id, **given)
        except OperationRefused:
            assert not allowed, f"{verb.__name__} was refused"
        else:
            assert allowed, f"{verb.__name__} was not refused"
        return allowed

    def stop(self) -> None:
        model = self.model
        if self.steer(operations.stop_program, allowed=not (model.ended or model.stopping)):
            model.stopping = True
            if model.holder is None:
                model.end(State.STOPPED)

    def pause(self) -> None:
        model = self.model
        allowed = not (model.ended or model.stopping or model.paused)
        if self.steer(operations.pause_program, allowed=allowed):
            model.paused = True

    def resume(self) -> None:
        model = self.model
        if self.steer(operations.resume_program, allowed=model.state is State.PAUSED):
            model.paused = False

    def retry(self, step: int | None) -> None:
        model = self.model
        allowed = model.ended in (State.ERRORED, State.STOPPED) and model.holder is None
        if self.steer(operations.retry_program, allowed=allowed, from_step=step):
            model.reopen(model.step if step is None else step)
            model.paused = False

    def skip(self) -> None:
        model = self.model
        allowed = model.ended is not State.FINISHED and model.holder is None
        if self.steer(operations.skip_step, allowed=allowed, reason="known to be done"):
            last = model.step == model.steps - 1
            model.reopen(model.step if last else model.step + 1)
            if last:
                model.paused = False
                model.end(State.FINISHED)

    def edit(self) -> None:
        model = self.model
        allowed = model.ended is not State.FINISHED and model.holder is None
        data = {Scripted.name: {"n": 0}}
        if self.steer(operations.edit_data, allowed=allowed, job_data=data):
            model.n = 0

    def set_errored_at(self) -> None:
        """Set it by hand, the original's documented way to stop a program."""
        if self.model.ended is not None or self.model.holder is not None:
            return
        Program.objects.filter(pk=self.program.pk).update(errored_at=LONG_AGO)
        self.model.ended = State.ERRORED
        self.model.thrown_away = self.model.paused  # a paused one is in no queue

    # What holds after every move ------------------------------------------------------------

    @invariant()
    def the_row_is_what_the_model_says(self) -> None:
        model, row = self.model, Program.objects.get(pk=self.program.pk)
        assert row.state is model.state
        assert (row.step, row.step_retry_count, row.losses) == (
            model.step,
            model.retries,
            model.losses,
        )
        assert row.worker == (model.holder.slot if model.holder else None)
        assert row.data_of(Scripted.name).get("n", 0) == model.n
        assert (row.due_at is None) == model.parked  # it is in its queue, unless it is parked
        assert row.queue == "default"
        before, self.epoch = self.epoch, row.epoch
        assert self.epoch >= before

    @invariant()
    def one_state_matches_it_in_queries_as_well(self) -> None:
        assert states_of_all_rows() == [self.model.state]

    @invariant()
    def every_attempt_is_told_once(self) -> None:
        attempts = Counter(self.program.attempts.values_list("step", "outcome"))
        assert attempts == Counter((step, ending.value) for step, ending in self.model.attempts)

    def teardown(self) -> None:
        """From wherever it is: whoever finds it can bring it to an end."""
        if self.model.state is State.PAUSED:
            operations.resume_program(self.program.run_id)
        Scripted.script = "succeed"
        for _ in range(5):
            if Program.objects.get(pk=self.program.pk).due_at is None:
                break
            self.time_passes()
            row = Sweep("sweeper", ["default"], adaptive=True).claim(
                self.new_slot(), HOUR, at_most=5
            )
            if row is not None:
                execution.carry(row, Lease(HOUR), lambda: False)
        ended = Program.objects.get(pk=self.program.pk)
        assert ended.state in (State.FINISHED, State.ERRORED, State.STOPPED)
        assert (ended.worker, ended.due_at) == (None, None)


@cache
def query_for_states(alias: str) -> tuple[str, list[Any]]:
    """Return the SQL of all states' conditions: compiled once, as it is asked after every move."""
    asked = [
        Program.objects.using(alias).in_state(state).order_by().values_list(Value(state.value))
        for state in State
    ]
    compiled = [each.query.get_compiler(alias).as_sql() for each in asked]
    return " UNION ALL ".join(sql for sql, _ in compiled), [p for _, own in compiled for p in own]


def states_of_all_rows() -> list[State]:
    """Return, for each row, each state whose condition it meets."""
    alias = Program.objects.db
    with connections[alias].cursor() as cursor:
        cursor.execute(*query_for_states(alias))
        return [State(name) for (name,) in cursor.fetchall()]


def live(examples: int, monkeypatch: pytest.MonkeyPatch, seeded: int | None = None) -> None:
    """Let so many programs live, each for up to 30 moves; `seeded`: always in the same way."""
    monkeypatch.setitem(registry._jobs, Scripted.name, Scripted)
    monkeypatch.setattr("programs.models.persistence._last_outage", float("-inf"))
    monkeypatch.setattr("programs.transport.publisher.publish", lambda *hint: None)
    machine = LifeOfAProgram if seeded is None else seed(seeded)(LifeOfAProgram)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),  # explaining costs more than all the rest
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )

"""The life of one program, in random order, against a small model of what it should be.

Slots claim it, run its steps, checkpoint, lose it and come back as zombies; leases run out and are
renewed; processes crash and shut down; operators stop, pause, resume, retry, skip and edit. After
every move the row, its attempts and its state must be the model's, nothing may be stuck, and from
wherever it ends the program can be brought to an end.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from programs import execution, operations, registry
from programs.conf import settings as executor_settings
from programs.errors import (
    ExecutionTimeExceeded,
    IgnorableError,
    LeaseLost,
    OperationRefused,
    RetryableError,
    StopRequested,
)
from programs.job import Job, JobData
from programs.lease import Lease
from programs.message import Message
from programs.models import Ending, Program, State
from programs.models.transitions import Standing
from programs.submission import create_program
from programs.worker.sweep import Sweep

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
HOUR = 3600.0
RETRIES = 2  # of the job below

ENDINGS = {
    "succeed": (None, Ending.SUCCEEDED),
    "fail": (RuntimeError, Ending.ERRORED),
    "ignore": (IgnorableError, Ending.IGNORED),
    "retry": (RetryableError, Ending.RETRIED),
    "give way": (ExecutionTimeExceeded, Ending.YIELDED),
}


ANY_CLAIM = st.sampled_from([-1, -1, 0, 1])  # the last one is the live one, if there is one

DEEDS = st.sampled_from(["succeed", *ENDINGS, "checkpoint", "checkpoint", "give back"])


class Scripted(Job):
    """Ends as the machine has written into `script`."""

    name = "scripted"
    max_retries = RETRIES
    retry_delay = HOUR
    script = "succeed"

    def execute(self, message: Message, job_data: JobData) -> None:
        error, _ = ENDINGS[self.script]
        if error is not None:
            raise error(self.script)


@dataclass
class Claim:
    """What a slot believes to hold; `row` is its own copy, which may be stale."""

    slot: str
    row: Program


@dataclass
class Model:
    """What the program should be like."""

    steps: int
    step: int = 0
    retries: int = 0
    losses: int = 0
    ended: State | None = None
    stopping: bool = False
    paused: bool = False
    scheduled: bool = False  # its time has not come, or will not have once it is resumed
    thrown_away: bool = True  # whether an end by hand has been noticed; True without one
    holder: Claim | None = None
    expired: bool = False  # the holder's lease has run out
    n: int = 0  # in the job data
    attempts: list[tuple[int, Ending]] = field(default_factory=list)

    @property
    def state(self) -> State:
        if self.ended is not None:
            return self.ended
        if self.stopping:
            return State.STOPPING
        if self.paused:
            return State.PAUSED
        if self.holder is not None:
            return State.RUNNING
        return State.SCHEDULED if self.scheduled else State.WAITING

    @property
    def parked(self) -> bool:
        """Nobody shall find it: ended and noticed, or paused and let go."""
        return self.holder is None and (
            (self.ended is not None and self.thrown_away) or (self.ended is None and self.paused)
        )

    @property
    def claimable(self) -> bool:
        return self.holder is None and self.ended is None and not self.paused and not self.scheduled

    def end(self, state: State) -> None:
        """An outcome is the last word, unless somebody had it by hand before."""
        self.ended, self.thrown_away = self.ended or state, True
        self.holder, self.expired, self.scheduled = None, False, False

    def release(self, *, scheduled: bool = False) -> Standing:
        """The holder lets go; a stop or a pause that came meanwhile decides what follows."""
        self.holder, self.expired, self.scheduled = None, False, scheduled
        if self.ended is not None:
            self.thrown_away = True
            return Standing.DISCARDED
        if self.stopping:
            self.end(State.STOPPED)
            return Standing.STOPPED
        if self.paused:
            return Standing.PAUSED
        return Standing.RELEASED if scheduled else Standing.YIELDED

    def reopen(self, step: int) -> None:
        self.step, self.retries, self.losses = step, 0, 0
        self.ended, self.stopping, self.scheduled, self.thrown_away = None, False, False, True


class LifeOfAProgram(RuleBasedStateMachine):
    model: Model
    program: Program

    def __init__(self) -> None:
        super().__init__()
        self.slots = 0
        self.create(steps=3)

    def create(self, steps: int) -> None:
        Program.objects.all().delete()
        self.program = create_program([Scripted.name] * steps)
        self.model = Model(steps)
        self.claims: list[Claim] = []  # of slots that still run, live or not
        self.epoch = 0

    def is_over(self) -> bool:
        return self.model.ended is State.FINISHED and not self.claims

    @precondition(is_over)
    @rule(steps=st.integers(1, 3))
    def another_one_is_created(self, steps: int) -> None:
        """Nothing opens a finished program again: go on with a new one."""
        self.create(steps)

    # Slots ---------------------------------------------------------------------------------

    def new_slot(self) -> str:
        self.slots += 1
        return f"w{self.slots}/1.1"

    def note_claim(self, row: Program) -> None:
        assert row.worker is not None
        claim = Claim(row.worker, row)
        self.model.holder, self.model.expired = claim, False
        self.claims.append(claim)

    @precondition(lambda self: not self.is_over())
    @rule(hinted=st.booleans(), deeds=st.lists(DEEDS, max_size=3))
    def a_slot_looks_for_work(self, hinted: bool, deeds: list[str]) -> None:
        if hinted:
            self.look_for_what_a_hint_names()
        else:
            self.sweep()
        for deed in deeds:
            if self.model.holder is None or self.model.holder not in self.claims:
                return
            self.go_on(self.claims.index(self.model.holder), deed)

    def look_for_what_a_hint_names(self) -> None:
        named = Program.objects.filter(run_id=self.program.run_id)
        row = named.due("default").unblemished().claim(self.new_slot(), HOUR)
        assert (row is not None) == (self.model.claimable and not self.model.losses)
        if row is not None:
            self.note_claim(row)

    def sweep(self) -> None:
        model, slot = self.model, self.new_slot()
        row = Sweep("sweeper", ["default"], adaptive=True).claim(slot, HOUR, at_most=5)
        if model.ended is not None and model.holder is None and not model.scheduled:
            model.thrown_away = True
        elif model.holder is not None and model.expired:
            self.note_loss(counted=True)
        assert (row is not None) == (model.claimable), model
        if row is not None:
            self.note_claim(row)

    def note_loss(self, *, counted: bool) -> None:
        model = self.model
        model.attempts.append((model.step, Ending.LOST if counted else Ending.INTERRUPTED))
        if model.ended is not None:  # by hand: nothing else is written
            model.release()
            return
        model.losses += counted
        if model.losses >= executor_settings.LOSS_LIMIT:
            model.end(State.ERRORED)
        else:
            model.release()

    @precondition(lambda self: self.claims)
    @rule(which=ANY_CLAIM, deed=DEEDS)
    def a_slot_goes_on(self, which: int, deed: str) -> None:
        self.go_on(which, deed)

    def go_on(self, which: int, deed: str) -> None:
        if deed == "checkpoint":
            self.checkpoint(which)
        elif deed == "give back":
            self.give_back(which)
        else:
            self.run_a_step(which, deed)

    def run_a_step(self, which: int, script: str) -> None:
        claim = self.claims[which % len(self.claims)]
        is_live = claim is self.model.holder
        Scripted.script = script
        number = claim.row.attempts.numbers().get(claim.row.step, 0) + 1

        standing, _ = execution.take_step(claim.row, Lease(HOUR), number)

        if is_live:
            assert standing is self.expected(script), script
        else:
            assert standing is Standing.LOST
            self.survive(claim)
        if standing is not Standing.HELD:
            self.claims.remove(claim)

    def expected(self, script: str) -> Standing:
        """Let the model end its step so, and return how the program stands then."""
        model = self.model
        ending = ENDINGS[script][1]
        if script == "retry" and model.retries >= RETRIES:
            ending = Ending.ERRORED
        model.attempts.append((model.step, ending))
        if model.ended is not None:  # by hand
            return model.release()
        if ending in (Ending.ERRORED, Ending.IGNORED):
            model.end(State.ERRORED)
            return Standing.ERRORED
        model.losses = 0
        if ending is Ending.RETRIED:
            model.retries += 1
            return model.release(scheduled=True)
        if ending is Ending.YIELDED:
            return model.release()
        model.retries = 0
        if model.step == model.steps - 1:
            model.end(State.FINISHED)
            return Standing.FINISHED
        model.step += 1
        return model.release() if model.stopping or model.paused else Standing.HELD

    def survive(self, claim: Claim) -> None:
        """A zombie has come back: the loss that was counted for it was none.

        Unless the slot that took over has let go since: the losses may be others' by then.
        """
        row = Program.objects.get(pk=claim.row.pk)
        heirs = row.epoch - claim.row.epoch
        is_still_ours = heirs == 0 or (heirs == 1 and row.worker is not None)
        claim.row.survive()
        lost = claim.row.attempts.filter(epoch=claim.row.epoch, outcome=Ending.ABANDONED)
        for step in lost.values_list("step", flat=True):
            self.model.attempts.remove((step, Ending.LOST))
            self.model.attempts.append((step, Ending.ABANDONED))
            if step == self.model.step and self.model.losses and is_still_ours:
                self.model.losses -= 1

    def checkpoint(self, which: int) -> None:
        claim, model = self.claims[which % len(self.claims)], self.model
        lease = Lease(HOUR)
        told: type[Exception] | None = None
        try:
            JobData(claim.row, Scripted.name, lease).checkpoint({"n": model.n + 1})
        except (StopRequested, LeaseLost) as error:
            told = type(error)

        if claim is not model.holder:
            assert told is LeaseLost
        elif model.stopping or model.ended is not None:
            assert told is StopRequested
            model.n += 1
        else:
            assert told is None
            model.n += 1
            model.losses = 0
        assert lease.stop_requested == (told is not None)

    def give_back(self, which: int) -> None:
        claim = self.claims.pop(which % len(self.claims))
        is_live = claim is self.model.holder
        assert claim.row.give_back() is (self.model.release() if is_live else Standing.LOST)

    # Time and the supervisor ----------------------------------------------------------------

    @precondition(lambda self: self.model.holder or self.model.scheduled)
    @rule()
    def time_passes(self) -> None:
        """Leases run out, and delays are over."""
        rows = Program.objects.filter(pk=self.program.pk)
        rows.filter(due_at__isnull=False).update(due_at=LONG_AGO)
        rows.filter(run_at__isnull=False).update(run_at=LONG_AGO)
        self.model.scheduled = False
        self.model.expired = self.model.holder is not None

    @precondition(lambda self: self.model.holder in self.claims)
    @rule(deeds=st.lists(DEEDS, min_size=1, max_size=3))
    def another_slot_takes_it_over(self, deeds: list[str]) -> None:
        """The one that held it is a zombie, which goes on as if nothing had happened."""
        zombie = self.model.holder
        self.time_passes()
        self.sweep()
        for deed in deeds:
            if zombie in self.claims:
                self.go_on(self.claims.index(zombie), deed)

    @precondition(lambda self: self.claims)
    @rule()
    def supervisors_renew(self) -> None:
        holdings = Program.objects.renew([claim.slot for claim in self.claims], HOUR)
        holder = self.model.holder
        if holder is None or holder not in self.claims:
            assert holdings == []
        else:
            self.model.expired = False
            (held,) = holdings
            assert (held.slot, held.program, held.epoch) == (
                holder.slot,
                self.program.pk,
                holder.row.epoch,
            )
            assert held.renewed
            assert held.stop_requested == self.model.stopping

    @precondition(lambda self: self.model.holder)
    @rule(released=st.booleans(), counted=st.booleans())
    def the_holders_process_ends(self, released: bool, counted: bool) -> None:
        """It crashes, or is killed at the shutdown timeout; its supervisor releases, or is gone."""
        holder = self.model.holder
        assert holder is not None
        if holder in self.claims:
            self.claims.remove(holder)
        if not released:
            return
        for row in Program.objects.held_by([holder.slot]):
            row.lose(counted=counted)
        self.note_loss(counted=counted)

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

    @invariant()
    def one_state_matches_it_in_queries_as_well(self) -> None:
        states = [state for state in State if Program.objects.in_state(state).exists()]
        assert states == [self.model.state]

    @invariant()
    def it_is_in_its_queue_unless_it_is_parked(self) -> None:
        row = Program.objects.get(pk=self.program.pk)
        assert (row.due_at is None) == self.model.parked
        assert row.queue == "default"

    @invariant()
    def every_attempt_is_told_once(self) -> None:
        attempts = Counter(self.program.attempts.values_list("step", "outcome"))
        assert attempts == Counter((step, ending.value) for step, ending in self.model.attempts)

    @invariant()
    def the_epoch_never_falls(self) -> None:
        before, self.epoch = self.epoch, Program.objects.get(pk=self.program.pk).epoch
        assert self.epoch >= before

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


@pytest.mark.timeout(400)  # a failure is made small first
@pytest.mark.django_db(transaction=True)
@pytest.mark.invariant(2)
@pytest.mark.invariant(3)
@pytest.mark.invariant(8)
@pytest.mark.invariant(9)
@pytest.mark.invariant(10)
def test_a_program_lives_as_the_model_says_in_whatever_order_things_happen(monkeypatch) -> None:
    monkeypatch.setitem(registry._jobs, Scripted.name, Scripted)
    monkeypatch.setattr("programs.models.persistence._last_outage", float("-inf"))
    monkeypatch.setattr("programs.transport.publisher.publish", lambda *hint: None)
    run_state_machine_as_test(
        LifeOfAProgram,
        settings=settings(
            max_examples=120,
            stateful_step_count=30,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),  # explaining costs more than all the rest
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )

"""Slots that claim the program, run it, lose it and come back, and their supervisors."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from programs import execution
from programs.conf import settings as executor_settings
from programs.errors import LeaseLost, StopRequested
from programs.job import JobData
from programs.lease import Lease
from programs.models import Ending, Program, State
from programs.models.transitions import Standing
from programs.submission import create_program
from programs.worker.sweep import Sweep
from tests.life.model import ENDINGS, HOUR, RETRIES, Claim, Model, Scripted

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

ANY_CLAIM = st.sampled_from([-1, -1, 0, 1])  # the last one is the live one, if there is one

DEEDS = st.sampled_from(["succeed", *ENDINGS, "checkpoint", "checkpoint", "give back"])


class Slots(RuleBasedStateMachine):
    """One program, and whoever runs it. `model` is what it should be like."""

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
        else:
            assert told is (StopRequested if model.stopping or model.ended else None)
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

"""Claims, leases and fences: one slot holds a program, and a stale one writes nothing."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from programs.conf import settings as executor_settings
from programs.models import Ending, Program, State
from programs.models.transitions import Standing
from programs.submission import create_program, create_programs
from programs.worker.sweep import Sweep
from tests.running import carry, claim, claimed, fresh, make_due, on_postgresql, on_server, run

pytestmark = pytest.mark.usefixtures("bookkeeping")


def sweep(slot: str = "other/1.1") -> Program | None:
    return Sweep("sweeper", ["default"], adaptive=True).claim(slot, 60.0, at_most=10)


@pytest.mark.invariant(3)
def test_a_claim_names_worker_and_slot_raises_the_epoch_and_sets_the_lease() -> None:
    program = claimed("noop", slot="w1/2.3", lease=15.0)
    assert (program.worker, program.epoch) == ("w1/2.3", 1)
    assert program.due_at is not None
    assert program.started_at is not None
    assert program.due_at - program.started_at == timedelta(seconds=15)


@pytest.mark.invariant(3)
def test_a_claimed_program_is_claimed_by_nobody_else() -> None:
    program = claimed("noop")
    assert claim(program, "other/1.1") is None
    assert sweep() is None


@pytest.mark.invariant(3)
@on_server
def test_of_many_that_claim_at_once_each_program_goes_to_one() -> None:
    create_programs([{"jobs": ["noop"]}] * 40)
    won: list[int] = []
    start = threading.Barrier(6)

    def compete(slot: str) -> None:
        start.wait()
        for program in Program.objects.order_by("id"):
            if claim(program, slot) is not None:
                won.append(program.pk)
                assert fresh(program).worker == slot
                carry(fresh(program))
        connections.close_all()

    threads = [threading.Thread(target=compete, args=(f"w{n}/1.1",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(won) == sorted(Program.objects.values_list("pk", flat=True))
    assert {program.state for program in Program.objects.all()} == {State.FINISHED}


@pytest.mark.invariant(3)
def test_a_slot_whose_lease_was_taken_over_writes_nothing() -> None:
    zombie = claimed("noop", "noop")
    make_due(zombie)  # the lease has run out
    heir = sweep()
    assert heir is not None
    before = fresh(zombie)

    assert carry(zombie) is Standing.LOST

    after = fresh(zombie)
    assert (after.epoch, after.worker, after.step) == (before.epoch, "other/1.1", 0)
    assert [attempt.outcome for attempt in after.attempts.all()] == [Ending.ABANDONED]
    assert carry(heir) is Standing.FINISHED


@pytest.mark.invariant(4)
def test_an_attempt_whose_lease_ran_out_is_told_and_its_outcome_refused(tmp_path) -> None:
    zombie = claimed("behave", program_data={"how": "checkpoint_until_file", "file": "never"})
    make_due(zombie)
    assert sweep() is not None

    assert carry(zombie) is Standing.LOST  # its checkpoint raises LeaseLost

    assert fresh(zombie).worker == "other/1.1"


@pytest.mark.invariant(3)
def test_no_job_is_started_once_the_lease_has_run_out() -> None:
    program = claimed("noop")
    assert carry(program, lease=-1.0) is Standing.YIELDED
    assert fresh(program).attempts.count() == 0
    assert fresh(program).state is State.WAITING


@pytest.mark.invariant(3)
def test_renewing_holds_what_is_claimed_and_an_expired_lease_that_nobody_took() -> None:
    held, expired, other = (
        claimed("noop", slot="w/1.1"),
        claimed("noop", slot="w/1.2"),
        claimed("noop"),
    )
    make_due(expired)
    due_before = fresh(other).due_at

    holdings = Program.objects.renew(["w/1.1", "w/1.2"], 120.0)

    assert {(h.slot, h.program, h.epoch, h.renewed) for h in holdings} == {
        ("w/1.1", held.pk, 1, True),
        ("w/1.2", expired.pk, 1, True),
    }
    for program in (held, expired):
        due_at = fresh(program).due_at
        assert due_at is not None
        assert due_at > datetime.now(UTC) + timedelta(seconds=100)
    assert fresh(other).due_at == due_before


@pytest.mark.invariant(3)
def test_a_claim_that_was_renewed_meanwhile_is_not_taken_over() -> None:
    program = claimed("noop", slot="w/1.1")
    make_due(program)
    candidate = Program.objects.ripe("default").get()
    Program.objects.renew(["w/1.1"], 60.0)

    assert candidate.lose(counted=True, expired=True) is Standing.LOST

    assert fresh(program).worker == "w/1.1"
    assert fresh(program).losses == 0
    assert fresh(program).attempts.count() == 0


@pytest.mark.invariant(10)
def test_a_take_over_counts_a_loss_and_writes_the_lost_attempt() -> None:
    program = claimed("noop")
    make_due(program)

    heir = sweep()

    assert heir is not None
    assert (heir.losses, heir.epoch) == (1, 2)
    lost = heir.attempts.get()
    assert (lost.outcome, lost.worker, lost.epoch, lost.number) == (
        Ending.LOST,
        "tests/1.1",
        1,
        1,
    )


@pytest.mark.invariant(10)
def test_the_third_loss_on_one_step_quarantines_the_program() -> None:
    program = claimed("noop", "noop")
    for _ in range(2):
        make_due(program)
        assert sweep() is not None
    make_due(program)

    assert sweep() is None

    ended = fresh(program)
    assert ended.state is State.ERRORED
    assert ended.error_message == "worker lost 3 times at step 0"
    assert [a.outcome for a in ended.attempts.all()] == [Ending.LOST] * 3


@pytest.mark.invariant(10)
def test_an_outcome_clears_the_losses_and_so_does_a_checkpoint() -> None:
    for how in ("succeed", "count_slowly"):
        program = claimed("behave", "behave_too", program_data={"how": how, "to": 1})
        Program.objects.filter(pk=program.pk).update(losses=2)
        program.losses = 2
        carry(program)
        assert fresh(program).losses == 0


@pytest.mark.invariant(10)
def test_a_lease_that_was_lost_while_the_process_lived_is_no_loss() -> None:
    zombie = claimed("noop")
    make_due(zombie)
    assert sweep() is not None
    assert fresh(zombie).losses == 1

    carry(zombie)

    assert fresh(zombie).losses == 0


@pytest.mark.invariant(10)
def test_one_process_runs_at_most_one_program_with_losses_at_a_time() -> None:
    suspects = [create_program(["noop"]) for _ in range(2)]
    Program.objects.update(losses=1)
    fine = create_program(["noop"])
    shared = Sweep("sweeper", ["default"], adaptive=True)

    first = shared.claim("w/1.1", 60.0, at_most=10)
    second = shared.claim("w/1.2", 60.0, at_most=10)

    assert first == suspects[0]
    assert second == fine
    shared.end("w/1.1")
    shared.hurry()
    assert shared.claim("w/1.3", 60.0, at_most=10) == suspects[1]


@pytest.mark.invariant(10)
def test_once_a_suspect_has_passed_its_step_the_next_one_runs_beside_it() -> None:
    first, second = create_program(["noop", "noop"]), create_program(["noop"])
    Program.objects.update(losses=1)
    shared = Sweep("w", ["default"], adaptive=True)
    running = shared.claim("w/1.1", 60.0, at_most=10)
    assert running == first
    assert not shared.passed("w/1.1")

    running.step += 1  # as its slot does

    assert shared.passed("w/1.1")
    assert shared.claim("w/1.2", 60.0, at_most=10) == second


@pytest.mark.invariant(10)
def test_whom_the_next_loss_would_end_runs_beside_no_former_suspect() -> None:
    """Its job may kill at each of its steps, and never be a suspect for long."""
    create_program(["noop", "noop"])
    Program.objects.update(losses=1)
    shared = Sweep("w", ["default"], adaptive=True)
    running = shared.claim("w/1.1", 60.0, at_most=10)
    assert running is not None
    running.step += 1
    shared.passed("w/1.1")
    in_danger, other = create_program(["noop"]), create_program(["noop"])
    Program.objects.filter(pk=in_danger.pk).update(losses=2)

    shared.hurry()
    assert shared.claim("w/1.2", 60.0, at_most=1) == other  # which is not hidden behind it
    shared.hurry()
    assert shared.claim("w/1.3", 60.0, at_most=1) is None
    shared.end("w/1.1")
    shared.hurry()
    assert shared.claim("w/1.3", 60.0, at_most=1) == in_danger


@pytest.mark.invariant(8)
def test_a_program_that_errored_at_was_set_on_by_hand_is_thrown_away_at_its_next_turn() -> None:
    waiting, running = create_program(["noop"]), claimed("noop")
    Program.objects.update(errored_at=datetime.now(UTC))

    assert sweep() is None
    assert carry(running) is Standing.DISCARDED

    for program in (fresh(waiting), fresh(running)):
        assert (program.state, program.due_at, program.worker) == (State.ERRORED, None, None)


@pytest.mark.invariant(2)
def test_the_next_step_starts_only_when_the_outcome_before_it_is_committed() -> None:
    seen: list[list[int]] = []
    from programs import signals

    def look(**sent: object) -> None:
        seen.append(list(Program.objects.get().attempts.values_list("step", flat=True)))

    signals.job_started.connect(look)
    try:
        run("noop", "noop", "noop")
    finally:
        signals.job_started.disconnect(look)
    assert seen == [[], [0], [0, 1]]


@pytest.mark.invariant(2)
def test_an_outcome_belongs_to_its_step_and_cannot_be_written_for_another() -> None:
    program = claimed("noop", "noop", "noop")
    same = fresh(program)
    carry(same)  # by the same claim: finished
    assert program.give_back() is Standing.LOST
    assert fresh(program).state is State.FINISHED


@on_postgresql
def test_both_forms_of_writing_an_outcome_leave_the_same_rows(monkeypatch) -> None:
    given = {"behave": {"how": ["retry", "fail"]}}

    def rows() -> list[object]:
        program = claimed("noop", "behave", job_data=given)
        carry(program)
        make_due(program)
        again = claim(program)
        assert again is not None
        carry(again)
        ended = fresh(program)
        left_out = {"id", "run_id", "program_id"}
        dates = {"created_at", "updated_at", "started_at", "ended_at", "run_at", "errored_at"}
        dates |= {"step_started_at"}
        return [
            {
                name: value is not None if name in dates else value
                for name, value in row.items()
                if name not in left_out
            }
            for row in (
                *Program.objects.filter(pk=ended.pk).values(),
                *ended.attempts.values(),
            )
        ]

    special = rows()
    compiled = vars(connections[executor_settings.DATABASE])
    monkeypatch.setitem(compiled, "programs_compiled", {})
    monkeypatch.setattr(connections[executor_settings.DATABASE], "vendor", "any other")
    monkeypatch.setattr(
        "programs.models.clock.Utc.as_sql",
        lambda self, compiler, connection, **extra: self.as_postgresql(compiler, connection),
    )
    assert rows() == special

"""Paused queues in a worker's slots: nothing of them is claimed or carried on."""

from __future__ import annotations

import pytest

from programs import operations
from programs.lease import Lease
from programs.models import Ending, Program, State
from programs.submission import create_program, create_programs
from programs.worker.slots import Slot
from tests.pausing import Seconds, hinted, passing, slot_of, two_queues
from tests.running import claimed, crew, fresh, make_due

pytestmark = pytest.mark.usefixtures("bookkeeping")


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    return passing(monkeypatch)


# Claiming ----------------------------------------------------------------------------------


def test_what_is_due_in_a_paused_queue_is_claimed_once_it_is_resumed(seconds: Seconds) -> None:
    operations.pause_queue("default")
    program = create_program(["noop"])
    own = crew()
    slot_of(own)._work()
    assert fresh(program).state is State.WAITING

    operations.resume_queue("default")
    seconds(1.0)
    slot_of(own)._work()  # learns it, and looks at once
    assert fresh(program).state is State.FINISHED


def test_a_hint_for_a_paused_queue_is_settled_and_refused() -> None:
    operations.pause_queue("default")
    program = create_program(["noop"])

    assert hinted(crew(hinted=True), program)

    after = fresh(program)
    assert (after.state, after.epoch) == (State.WAITING, 0)


def test_a_row_of_the_originals_is_adopted_into_a_paused_queue_and_waits_there(
    seconds: Seconds,
) -> None:
    """No other hint may come for it."""
    operations.pause_queue("default")
    program = Program.objects.create(jobs=["noop"], program_data={}, queue=None)
    own = crew(hinted=True)

    assert hinted(own, program)

    assert (fresh(program).queue, fresh(program).state) == ("default", State.WAITING)
    operations.resume_queue("default")
    seconds(1.0)
    own.sweep.hurry()
    slot_of(own)._work()
    assert fresh(program).state is State.FINISHED


def test_a_hint_through_another_queue_wakes_no_program_of_a_paused_one() -> None:
    operations.pause_queue("reports")
    held, free = create_program(["noop"], queue="reports"), create_program(["noop"])
    own = two_queues()

    assert hinted(own, held, "default")
    assert hinted(own, held, "reports")
    assert hinted(own, free, "default")

    assert fresh(held).epoch == 0
    assert fresh(free).state is State.FINISHED


def test_of_two_queues_the_one_that_is_not_paused_goes_on() -> None:
    operations.pause_queue("reports")
    held = create_programs([{"jobs": ["noop"], "queue": "reports"}] * 20)
    free = create_programs([{"jobs": ["noop"]}] * 5)
    own = two_queues()
    for _ in free:
        slot_of(own)._work()
    assert {fresh(program).state for program in free} == {State.FINISHED}
    assert {fresh(program).epoch for program in held} == {0}


def test_what_a_look_had_found_before_the_pause_is_not_claimed_after_it(seconds: Seconds) -> None:
    programs = create_programs([{"jobs": ["noop"]}] * 3)
    own = crew(threads=3)
    slot_of(own)._work()
    assert own.sweep.has_found

    operations.pause_queue("default")
    seconds(1.0)
    for _ in programs:
        slot_of(own)._work()

    assert sorted(fresh(program).epoch for program in programs) == [0, 0, 1]
    assert not own.sweep.has_found


def test_a_program_with_losses_waits_in_a_paused_queue_and_makes_nobody_a_suspect(
    seconds: Seconds,
) -> None:
    operations.pause_queue("default")
    program = create_program(["noop"])
    Program.objects.update(losses=1)
    own = crew()
    slot_of(own)._work()
    assert fresh(program).epoch == 0
    assert own.sweep._suspect_slot is None
    operations.resume_queue("default")
    seconds(1.0)
    slot_of(own)._work()
    assert fresh(program).state is State.FINISHED


def test_the_claim_of_a_lost_worker_is_released_and_not_claimed_again() -> None:
    operations.pause_queue("default")
    program = claimed("noop", slot="dead/1.1")
    make_due(program)

    slot_of(crew())._work()

    after = fresh(program)
    assert (after.worker, after.state, after.losses) == (None, State.WAITING, 1)
    assert after.epoch == program.epoch
    assert [attempt.outcome for attempt in after.attempts.all()] == [Ending.LOST]


def test_a_burst_ends_although_a_paused_queue_has_due_programs() -> None:
    operations.pause_queue("reports")
    held = create_program(["noop"], queue="reports")
    lost = create_program(["noop"], queue="reports")
    Program.objects.filter(pk=lost.pk).update(worker="dead/1.1", epoch=1)
    free = create_programs([{"jobs": ["noop"]}] * 3)
    own = two_queues(burst=True)

    for _ in range(20):
        if not own.closing.is_set():
            slot_of(own)._work()

    assert own.closing.is_set()
    assert {fresh(program).state for program in free} == {State.FINISHED}
    assert {fresh(program).state for program in (held, lost)} == {State.WAITING}
    assert fresh(lost).worker is None


# Between steps -------------------------------------------------------------------------------


def test_a_running_job_ends_first_and_the_program_goes_back_to_its_queue(
    seconds: Seconds, job
) -> None:
    def pause(self: object, message: object, job_data: object) -> None:
        operations.pause_queue("default")
        seconds(1.0)

    program = create_program([job("pausing", pause), "noop"])
    own = crew()

    slot_of(own)._work()

    after = fresh(program)
    assert (after.state, after.step, after.worker) == (State.WAITING, 1, None)
    assert [attempt.outcome for attempt in after.attempts.all()] == [Ending.SUCCEEDED]
    operations.resume_queue("default")
    seconds(1.0)
    slot_of(own)._work()
    assert fresh(program).state is State.FINISHED


def test_a_retry_whose_time_comes_in_a_paused_queue_waits_for_the_end_of_the_pause(
    seconds: Seconds,
) -> None:
    program = create_program(["behave"], {"how": ["retry", "succeed"], "retry_after": 0})
    own = crew()
    slot_of(own)._work()
    assert fresh(program).step_retry_count == 1
    operations.pause_queue("default")
    seconds(1.0)
    make_due(program)
    own.sweep.hurry()
    slot_of(own)._work()
    assert fresh(program).epoch == 1
    operations.resume_queue("default")
    seconds(1.0)
    slot_of(own)._work()
    assert fresh(program).state is State.FINISHED


def test_a_claim_that_was_made_just_before_the_pause_starts_no_job(
    seconds: Seconds, monkeypatch
) -> None:
    program = create_program(["noop"])
    own = crew()
    run = Slot._run

    def later(self: Slot, program: Program, lease: Lease) -> None:
        operations.pause_queue("default")
        seconds(1.0)
        run(self, program, lease)

    monkeypatch.setattr(Slot, "_run", later)
    slot_of(own)._work()
    after = fresh(program)
    assert (after.state, after.epoch, after.attempts.count()) == (State.WAITING, 1, 0)


def test_programs_that_wait_in_a_paused_queue_take_nobodys_turn() -> None:
    own = two_queues()
    create_program(["noop"], queue="reports")
    assert own.others_wait()
    operations.pause_queue("reports")
    assert not two_queues().others_wait()
    operations.pause_queue("default")
    assert not two_queues().others_wait()

"""The auditor, judged itself: for each finding a story that has it, and one like it without."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from programs.models import Ending
from tests.faults.auditor import Findings, History, is_owner, judge
from tests.faults.witness import Change
from tests.journal import Line

A, B = "ada-host-11-aaaaaa/1.1", "bob-host-22-bbbbbb/1.1"  # slots of two workers
A2 = "ada-host-11-aaaaaa/1.2"  # another slot of the same child
PID = {A: 111, B: 222}

NEVER_CLAIMED = {
    "run_id": "r1",
    "queue": "default",
    "worker": None,
    "epoch": 0,
    "step": 0,
    "step_retry_count": 0,
    "losses": 0,
    "due_at": 0.5,
    "finished_at": None,
    "errored_at": None,
    "stopped_at": None,
}
TIMES = ("due_at", "finished_at", "errored_at", "stopped_at")


def as_json(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with its times as PostgreSQL tells them."""
    told = {
        name: datetime.fromtimestamp(row[name], UTC).isoformat() if row[name] else None
        for name in TIMES
    }
    return {**row, **told}


class Story:
    """What happened to one program, told in seconds from its beginning."""

    def __init__(self, steps: int = 1, **row: Any) -> None:
        self.steps = steps
        self.row = {**NEVER_CLAIMED, **row}
        self.changes = [Change(0.1, "the tests", None, as_json(self.row))]
        self.lines: list[Line] = []
        self.attempts: dict[tuple[str, int, int], str] = {}

    def write(self, at: float, by: str, *, data_changed: bool = False, **columns: Any) -> Story:
        """Let a slot, or whoever it is, change columns of the row."""
        was, self.row = self.row, {**self.row, **columns}
        self.changes.append(Change(at, by, as_json(was), as_json(self.row), data_changed))
        return self

    def claim(self, at: float, slot: str = A, until: float = 50.0) -> Story:
        return self.write(at, slot, worker=slot, epoch=self.row["epoch"] + 1, due_at=until)

    def run(
        self,
        start: float,
        end: float | None,
        slot: str = A,
        *,
        step: int = 0,
        attempt: int = 1,
        outcome: str | None = Ending.SUCCEEDED,
        event: str = "end",
    ) -> Story:
        """Let a job run; `end` None: it never comes to its end."""
        known = ("r1", step, attempt, PID[slot], slot)
        self.lines.append(Line(start, "start", *known))
        if end is not None:
            self.lines.append(Line(end, event, *known))
        if outcome is not None:
            self.attempts["r1", step, attempt] = outcome
        return self

    def advance(self, at: float, slot: str = A) -> Story:
        return self.write(at, slot, step=self.row["step"] + 1)

    def finish(self, at: float, slot: str = A) -> Story:
        return self.write(at, slot, finished_at=at, worker=None, due_at=None)

    def lose(self, at: float, by: str) -> Story:
        return self.write(at, by, worker=None, due_at=at, losses=self.row["losses"] + 1)

    def judged(self, **history: Any) -> Findings:
        lines = sorted(self.lines, key=lambda line: line.at)
        given = {"steps": {"r1": self.steps}, "attempts": self.attempts, **history}
        return judge(History(lines=lines, changes=self.changes, **given))

    def found(self, **history: Any) -> list[str]:
        return sorted(self.judged(**history).violations)


LOST, OUT_OF_ORDER = ["lost programs"], ["steps out of order"]
UNDER_LIVE_LEASE = ["attempts under another's live lease"]
AFTER_THE_LEASE = ["attempts after their lease"]
TWICE_ENDED = ["terminal states written twice"]
STALE = ["writes from a stale fence"]
UNEXPLAINED = ["re-runs that no fault explains"]


def of_two_steps() -> Story:
    return Story(2).claim(1).run(2, 3).advance(4).run(5, 6, step=1).finish(7)


def test_a_program_that_ran_well_has_no_findings() -> None:
    findings = of_two_steps().judged()
    assert findings.violations == {}
    assert (findings.programs, findings.reruns, findings.overlaps) == (1, 0, [])


# Lost -----------------------------------------------------------------------------------------


def test_a_program_that_nobody_claimed_is_lost() -> None:
    assert Story().found() == LOST


def test_a_program_that_did_not_finish_is_lost() -> None:
    assert Story().claim(1).run(2, 3).found() == LOST


def test_a_program_that_ended_errored_is_lost() -> None:
    errored = Story().claim(1).run(2, 3).write(4, A, errored_at=4.0, worker=None, due_at=None)
    assert errored.found() == LOST


def test_a_program_that_finished_without_a_step_is_lost() -> None:
    assert Story(2).claim(1).run(2, 3).advance(4).finish(5).found() == LOST
    broken_off = Story(2).claim(1).run(2, 3).advance(4).run(5, 6, step=1, event="raised")
    assert broken_off.finish(7).found() == LOST


def test_a_program_that_need_not_finish_is_not_lost() -> None:
    assert Story().claim(1).run(2, 3).found(steps={}) == []


# Order ----------------------------------------------------------------------------------------


def test_a_step_that_begins_before_the_one_before_it_ended_is_out_of_order() -> None:
    story = Story(2).claim(1, A).run(2, 5, A).write(3, A, step=1, worker=None, due_at=3.0)
    story.claim(3.5, B).run(4, 6, B, step=1).finish(7, B)
    assert story.found() == OUT_OF_ORDER


def test_a_step_that_begins_before_the_outcome_before_it_is_written_is_out_of_order() -> None:
    story = Story(2).claim(1).run(2, 3).run(4, 6, step=1).advance(5).finish(7)
    assert story.found() == OUT_OF_ORDER


def test_a_step_that_comes_before_its_turn_is_out_of_order() -> None:
    story = Story(2).claim(1).advance(2).run(3, 4, step=1).write(5, A, step=0).run(6, 7)
    assert story.finish(8).found() == OUT_OF_ORDER


def test_the_step_after_one_that_a_zombie_is_at_begins_once_the_heir_has_ended() -> None:
    story = Story(2).claim(1, A, until=5).run(2, 20, A, outcome=Ending.ABANDONED).lose(6, B)
    story.claim(7, B).run(8, 9, B, attempt=2).advance(10, B).run(11, 12, B, step=1).finish(13, B)
    assert story.found(disturbed={PID[A]: (0, 99)}) == []


# Leases ---------------------------------------------------------------------------------------


def test_a_job_that_starts_while_another_slot_holds_the_lease_is_found() -> None:
    story = Story().claim(1, B).run(2, 3, A).finish(4, B)
    assert story.found() == UNDER_LIVE_LEASE


def test_a_stranger_that_takes_over_a_live_lease_is_found() -> None:
    story = Story().claim(1, A, until=20).write(5, "worker-22", worker=None)
    assert "attempts under another's live lease" in story.found()
    by_child = Story().claim(1, A, until=20).lose(5, B).claim(6, B).run(7, 8, B).finish(9, B)
    assert "attempts under another's live lease" in by_child.found()


def test_a_take_over_once_the_lease_has_run_out_is_none() -> None:
    story = Story().claim(1, A, until=5).lose(6, B).claim(7, B).run(8, 9, B).finish(10, B)
    assert story.found() == []


def test_a_supervisor_may_release_the_live_lease_of_its_own_child() -> None:
    story = Story().claim(1, A, until=20).lose(5, "worker-11").claim(6, B).run(7, 8, B)
    assert story.finish(9, B).found() == []


def test_a_job_that_starts_after_its_lease_is_found() -> None:
    assert Story().claim(1, until=5).run(6, 7).finish(8).found() == AFTER_THE_LEASE


def test_a_job_that_starts_without_a_claim_is_found() -> None:
    story = Story().run(0.6, 0.7).claim(1).finish(2)
    assert story.found() == AFTER_THE_LEASE


def test_a_job_that_starts_under_a_renewed_lease_is_none() -> None:
    story = Story().claim(1, until=5).write(4, "worker-11", due_at=9.0).run(6, 7).finish(8)
    assert story.found() == []


# Endings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", ["finished_at", "errored_at", "stopped_at"])
def test_a_program_that_ends_twice_is_found(again: str) -> None:
    story = of_two_steps().write(8, A, **{again: 8.0, "worker": A})
    assert "terminal states written twice" in story.found()


def test_a_program_that_an_operator_opened_in_between_may_end_again() -> None:
    story = Story().claim(1).run(2, 3, event="raised", outcome=Ending.ERRORED)
    story.write(4, A, errored_at=4.0, worker=None, due_at=None)
    story.write(5, "the tests", errored_at=None, due_at=5.0)  # retry
    story.claim(6, B).run(7, 8, B, attempt=2).finish(9, B)
    assert story.found() == []


# Stale writes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        {"step": 1},
        {"finished_at": 8.5, "worker": None, "due_at": None},
        {"step_retry_count": 1, "worker": None, "due_at": 9.0},
        {"data_changed": True},
        {"due_at": 70.0},
    ],
    ids=lambda written: next(iter(written)),
)
def test_a_write_of_a_slot_that_lost_its_claim_is_stale(written: dict[str, Any]) -> None:
    story = Story().claim(1, A, until=5).lose(6, B).claim(7, B)
    assert "writes from a stale fence" in story.write(8, A, **written).found()
    story = Story().claim(1, A, until=5).lose(6, B).claim(7, B)
    assert "writes from a stale fence" not in story.write(8, B, **written).found()


def test_a_write_of_a_slot_whose_claim_was_released_is_stale() -> None:
    story = Story().claim(1, A, until=5).lose(6, B).write(7, A, step=1)
    assert story.found() == [*LOST, *STALE]


def test_a_claim_of_what_another_slot_holds_is_stale() -> None:
    story = Story().claim(1, A).claim(2, B).run(3, 4, B).finish(5, B)
    assert "writes from a stale fence" in story.found()


@pytest.mark.parametrize("row", [{"due_at": 9.0}, {"due_at": None}], ids=["later", "parked"])
def test_a_claim_of_what_is_not_due_is_stale(row: dict[str, Any]) -> None:
    assert Story(**row).claim(1).run(2, 3).finish(4).found() == STALE


def test_a_loss_that_also_moves_the_program_on_is_stale() -> None:
    story = Story(2).claim(1, A, until=5).run(2, 3).write(6, B, worker=None, due_at=6.0, step=1)
    assert "writes from a stale fence" in story.found()


def test_a_sibling_slot_of_the_same_process_is_a_stranger_too() -> None:
    taking = Story().claim(1, A).write(2, A2, worker=None, due_at=2.0).claim(3).run(4, 5).finish(6)
    writing = Story().claim(1, A).write(2, A2, data_changed=True).run(3, 4).finish(5)
    assert taking.found() == [*UNDER_LIVE_LEASE, *STALE]
    assert writing.found() == STALE


@pytest.mark.parametrize(
    "columns", [{"due_at": 60.0}, {"step": 0}], ids=["renews what is not its own", "writes"]
)
def test_a_strange_supervisor_has_nothing_to_write(columns: dict[str, Any]) -> None:
    story = Story().claim(1, A).write(2, "worker-22", data_changed="step" in columns, **columns)
    assert story.run(3, 4).finish(5).found() == STALE


def test_a_supervisor_moves_no_program_of_its_own_on() -> None:
    story = Story(2).claim(1, A).run(2, 3).write(4, "worker-11", step=1).run(5, 6, step=1).finish(7)
    assert story.found() == STALE


def test_only_an_operator_opens_a_program_again() -> None:
    ended = Story().claim(1).run(2, 3).finish(4)
    assert ended.write(5, "worker-11", finished_at=None, due_at=5.0).found() == [*LOST, *STALE]


def test_a_live_slot_may_take_its_loss_back() -> None:
    story = Story().claim(1, A, until=5).lose(6, B).claim(7, B).write(7.5, A, losses=0)
    assert story.run(8, 9, B).finish(10, B).found() == []


def test_a_row_of_another_program_may_be_adopted() -> None:
    story = Story(queue=None, due_at=None).write(1, A, queue="default", due_at=1.0)
    assert story.claim(2).run(3, 4).finish(5).found() == []


def test_a_program_that_was_errored_by_hand_may_be_taken_out_of_its_queue() -> None:
    story = Story(errored_at=0.3).write(1, A, due_at=None)
    assert story.found(steps={}) == []


def test_a_slot_with_a_long_name_is_known_by_as_much_as_postgresql_keeps_of_it() -> None:
    holder = f"{'w' * 60}-host-11-aaaaaa/1.1"
    assert is_owner(holder[:63], holder)
    assert not is_owner(f"v{holder[1:63]}", holder)


# Re-runs --------------------------------------------------------------------------------------


def run_twice(outcome: str | None, end: float | None = None) -> Story:
    """A step runs in A's slot, is taken over after the lease has run out, and runs again."""
    story = Story().claim(1, A, until=5).run(2, end, A, outcome=outcome).lose(6, B)
    return story.claim(7, B).run(8, 9, B, attempt=2).finish(10, B)


def test_a_rerun_without_a_fault_is_found() -> None:
    assert run_twice(Ending.LOST).found() == UNEXPLAINED


def test_a_rerun_of_what_had_succeeded_is_found_whatever_happened() -> None:
    dead = {"deaths": {PID[A]: 4.0}, "disturbed": {PID[A]: (0, 99)}, "shut_down": {PID[A]}}
    assert run_twice(Ending.SUCCEEDED, end=3).found(**dead) == UNEXPLAINED


def test_a_rerun_after_an_attempt_without_a_record_is_found_whatever_happened() -> None:
    dead = {"deaths": {PID[A]: 4.0}, "disturbed": {PID[A]: (0, 99)}, "shut_down": {PID[A]}}
    assert run_twice(None, end=3).found(**dead) == UNEXPLAINED


@pytest.mark.parametrize("end", [None, 3.0], ids=["in the job", "between job and outcome"])
def test_a_death_explains_a_rerun(end: float | None) -> None:
    findings = run_twice(Ending.LOST, end).judged(deaths={PID[A]: 4.0})
    assert (findings.violations, findings.reruns) == ({}, 1)


@pytest.mark.parametrize("death", [7.0, 20.0], ids=["after it let go", "after the re-run"])
def test_a_death_that_comes_too_late_explains_nothing(death: float) -> None:
    assert run_twice(Ending.LOST, end=3).found(deaths={PID[A]: death}) == UNEXPLAINED


def test_the_death_of_another_process_explains_nothing() -> None:
    assert run_twice(Ending.LOST).found(deaths={PID[B]: 4.0}) == UNEXPLAINED


@pytest.mark.parametrize("outcome", [Ending.LOST, Ending.ABANDONED])
def test_a_disturbance_explains_a_rerun_after_a_lost_lease(outcome: str) -> None:
    findings = run_twice(outcome, end=3).judged(disturbed={PID[A]: (0, 99)})
    assert (findings.violations, findings.reruns) == ({}, 1)
    assert run_twice(outcome, end=3).found(disturbed={PID[B]: (0, 99)}) == UNEXPLAINED
    assert run_twice(outcome, end=3).found(disturbed={PID[A]: (0, 5)}) == UNEXPLAINED


def test_a_shutdown_explains_the_rerun_of_what_it_interrupted() -> None:
    findings = run_twice(Ending.INTERRUPTED).judged(shut_down=frozenset({PID[A]}))
    assert (findings.violations, findings.reruns) == ({}, 1)
    assert run_twice(Ending.LOST).found(shut_down=frozenset({PID[A]})) == UNEXPLAINED
    assert run_twice(Ending.INTERRUPTED).found() == UNEXPLAINED


@pytest.mark.parametrize("outcome", [Ending.RETRIED, Ending.YIELDED, Ending.STOPPED])
def test_an_ordinary_retry_needs_no_explanation_and_is_not_counted(outcome: str) -> None:
    story = Story().claim(1).run(2, 3, outcome=outcome, event="raised")
    story.write(4, A, worker=None, due_at=4.0).claim(5, B).run(6, 7, B, attempt=2).finish(8, B)
    findings = story.judged()
    assert (findings.violations, findings.reruns) == ({}, 0)


# Overlaps -------------------------------------------------------------------------------------


def test_jobs_of_one_program_at_the_same_time_are_counted() -> None:
    zombie = run_twice(Ending.ABANDONED, end=8.5)  # the second run began at 8
    assert len(zombie.judged().overlaps) == 1
    assert run_twice(Ending.ABANDONED, end=7.5).judged().overlaps == []


def test_a_job_that_nobody_saw_end_goes_on() -> None:
    assert len(run_twice(Ending.LOST).judged().overlaps) == 1


def test_the_job_of_a_killed_process_ends_at_its_death() -> None:
    assert run_twice(Ending.LOST).judged(deaths={PID[A]: 4.0}).overlaps == []
    assert len(run_twice(Ending.LOST).judged(deaths={PID[A]: 8.1}).overlaps) == 1

"""What operators do to schedules: make, change, pause, resume, run now and delete."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from programs import operations
from programs.errors import InvalidProgram, InvalidSchedule, OperationRefused, UnknownDefinition
from programs.models import Operation, Program, Schedule, Tick, Verb
from programs.scheduling import (
    change_schedule,
    create_schedule,
    delete_schedule,
    next_ticks,
    pause_schedule,
    resume_schedule,
    run_schedule,
)
from tests.scheduling import (
    Defined,
    define,
    due_since,
    fire,
    now,
    outcomes,
    scheduled,
    started,
    ticks,
)

__all__ = ["define"]

pytestmark = pytest.mark.usefixtures("bookkeeping")


def deeds() -> list[tuple[str, str | None, str | None, str | None]]:
    return [
        (deed.verb, deed.subject, deed.by, deed.reason)
        for deed in Operation.objects.filter(program__isnull=True)
    ]


# Making one ------------------------------------------------------------------------------------


def test_a_schedule_is_made_with_its_next_tick_and_recorded(define: Defined) -> None:
    define()

    schedule = create_schedule(
        "nightly",
        cron="  30   2 * * * ",
        time_zone="Europe/Berlin",
        description="for the reports ",
        program_data={"day": "monday"},
        by="ada",
        reason="the reports want it",
    )

    assert schedule == Schedule.objects.get()
    assert (schedule.cron, schedule.interval) == ("30 2 * * *", None)
    assert (schedule.catch_up, schedule.catch_up_limit, schedule.overlap) == ("last", 10, "skip")
    assert (schedule.description, schedule.created_by) == ("for the reports", "ada")
    assert next_ticks(schedule)[0] == schedule.next_at
    assert len(set(next_ticks(schedule))) == 5
    assert deeds() == [("create_schedule", str(schedule.pk), "ada", "the reports want it")]
    assert Operation.objects.get().detail == {
        "definition": "nightly",
        "when": "30 2 * * * (Europe/Berlin)",
    }


def test_an_interval_is_counted_from_now(define: Defined) -> None:
    define()
    schedule = scheduled(interval=3600)
    assert schedule.next_at is not None
    assert timedelta(minutes=59) < schedule.next_at - now(schedule) <= timedelta(hours=1)


@pytest.mark.parametrize(
    ("given", "field", "reason"),
    [
        ({"definition": "gone"}, "definition", "there is no definition 'gone'"),
        ({"definition": None}, "definition", "must be the name of a definition"),
        ({"cron": "61 * * * *", "interval": None}, "cron", "is no cron expression: bad minute"),
        ({"cron": "0 0 31 2 *", "interval": None}, "cron", "never ticks"),
        ({"cron": "* * * * *"}, "interval", "is given beside a cron expression"),
        ({"interval": 0}, "interval", "must be 1 to"),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "is no time zone"),
        ({"catch_up": "some"}, "catch_up", "must be one of none, last, all"),
        ({"catch_up": []}, "catch_up", "must be one of"),
        ({"catch_up_limit": 0}, "catch_up_limit", "must be a whole number from 1 to 1000"),
        ({"catch_up_limit": 1001}, "catch_up_limit", "must be a whole number"),
        ({"catch_up_limit": True}, "catch_up_limit", "must be a whole number"),
        ({"overlap": "maybe"}, "overlap", "must be one of allow, skip, queue"),
        ({"description": "x" * 256}, "description", "has 256 characters; at most 255"),
        ({"description": 5}, "description", "must be a text"),
        ({"program_data": []}, "program_data", "must be a JSON object"),
        ({"program_data": {"a": float("nan")}}, "program_data", "holds a number"),
        (
            {"job_data": {"count": {}}},
            "job_data",
            "has data for 'count', which is none",
        ),
        ({"job_data": {"noop": 5}}, "job_data.noop", "must be a JSON object"),
    ],
)
def test_what_cannot_be_is_refused_with_the_name_of_the_field(
    define: Defined, given: dict[str, Any], field: str, reason: str
) -> None:
    define()
    with pytest.raises(InvalidSchedule) as refused:
        create_schedule(**{"definition": "nightly", "interval": 60, **given})
    assert refused.value.field == field
    assert refused.value.reason.startswith(reason)
    assert (Schedule.objects.count(), Operation.objects.count()) == (0, 0)


def test_all_that_is_wrong_is_told_at_once(define: Defined) -> None:
    define()
    with pytest.raises(InvalidSchedule) as refused:
        create_schedule("nightly", interval=0, overlap="maybe", program_data=[])
    assert [field for field, _ in refused.value.errors] == ["interval", "overlap", "program_data"]


def test_a_definition_whose_job_has_vanished_is_not_scheduled(define: Defined) -> None:
    define("nightly", "noop", "gone")
    with pytest.raises(InvalidSchedule, match="names the job 'gone'") as refused:
        scheduled()
    assert refused.value.field == "definition"


# Changing one ----------------------------------------------------------------------------------


def test_a_change_is_recorded_and_leaves_the_next_tick_where_its_timetable_stays(
    define: Defined,
) -> None:
    define()
    schedule = scheduled(interval=3600)
    before = schedule.next_at

    changed = change_schedule(schedule, overlap="queue", program_data={"day": 1}, by="eve")

    assert (changed.overlap, changed.program_data, changed.next_at) == ("queue", {"day": 1}, before)
    deed = Operation.objects.get(verb=Verb.CHANGE_SCHEDULE)
    assert deed.by == "eve"
    assert deed.detail["changed"] == ["overlap", "program_data"]
    assert "day" not in str(deed.detail)  # data may be secret


def test_a_cron_expression_takes_the_place_of_an_interval(define: Defined) -> None:
    define()
    schedule = scheduled(interval=3600)

    changed = change_schedule(schedule, cron="0 0 1 1 *")

    assert (changed.cron, changed.interval) == ("0 0 1 1 *", None)
    assert changed.next_at is not None
    assert (changed.next_at.month, changed.next_at.day) == (1, 1)
    assert change_schedule(changed, interval=60).cron is None


def test_nothing_changed_is_nothing_recorded(define: Defined) -> None:
    define()
    schedule = scheduled(interval=3600)
    change_schedule(schedule, interval=3600)
    assert not Operation.objects.filter(verb=Verb.CHANGE_SCHEDULE).exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"cron": "nonsense"}, "cron"), ({"name": "x"}, "name"), ({"interval": 0}, "interval")],
)
def test_a_change_to_what_cannot_be_is_refused_and_changes_nothing(
    define: Defined, changes: dict[str, Any], field: str
) -> None:
    define()
    schedule = scheduled(interval=3600)
    with pytest.raises(InvalidSchedule) as refused:
        change_schedule(schedule, description="new", **changes)
    assert refused.value.field == field
    assert Schedule.objects.get().description == ""


# Pausing ---------------------------------------------------------------------------------------


def test_what_a_pause_leaves_out_is_not_caught_up(define: Defined) -> None:
    define()
    schedule = scheduled(interval=60, catch_up="all")
    due_since(schedule, 3600)

    paused = pause_schedule(schedule, by="ada", reason="too loud")

    assert paused.is_paused
    assert (paused.next_at, next_ticks(paused)) == (None, [])
    assert fire(schedule) == 0

    resumed = resume_schedule(schedule, by="eve")

    assert not resumed.is_paused
    assert resumed.next_at is not None
    assert resumed.next_at > now(schedule)
    assert fire(schedule) == 0
    assert ticks(schedule) == []
    assert deeds()[1:] == [
        ("pause_schedule", str(schedule.pk), "ada", "too loud"),
        ("resume_schedule", str(schedule.pk), "eve", None),
    ]


def test_pausing_or_resuming_twice_is_refused(define: Defined) -> None:
    define()
    schedule = scheduled()
    with pytest.raises(OperationRefused, match="is not paused: it cannot be resumed"):
        resume_schedule(schedule)
    pause_schedule(schedule)
    with pytest.raises(OperationRefused, match="is paused: it cannot be paused again"):
        pause_schedule(schedule)


def test_changing_the_timetable_of_a_paused_one_does_not_wake_it(define: Defined) -> None:
    define()
    schedule = pause_schedule(scheduled())
    assert change_schedule(schedule, interval=5).next_at is None


# Running now -----------------------------------------------------------------------------------


def test_running_it_now_starts_a_program_and_leaves_its_moments_as_they_are(
    define: Defined,
) -> None:
    define()
    schedule = scheduled(program_data={"day": "monday"}, overlap="skip")
    before = schedule.next_at

    program = run_schedule(schedule, by="ada", reason="now")
    again = run_schedule(schedule, by="ada")

    assert started(schedule) == [program, again]
    assert (program.program_data, program.created_by) == ({"day": "monday"}, "ada")
    assert {tick.by for tick in ticks(schedule)} == {"ada"}
    assert Schedule.objects.get().next_at == before
    deed = Operation.objects.filter(verb=Verb.RUN_SCHEDULE)[0]
    assert (deed.reason, deed.detail) == (
        "now",
        {"definition": "nightly", "run_id": program.run_id},
    )


def test_a_paused_one_can_be_run_now(define: Defined) -> None:
    define()
    schedule = pause_schedule(scheduled())
    assert run_schedule(schedule).definition == "nightly"


def test_what_cannot_be_run_says_so_and_leaves_no_tick(define: Defined) -> None:
    definition = define()
    schedule = scheduled()
    vars(definition).update(jobs=["gone"])
    with pytest.raises(InvalidProgram, match="names the job 'gone'"):
        run_schedule(schedule)
    Schedule.objects.update(definition="elsewhere")
    with pytest.raises(UnknownDefinition, match="there is no definition 'elsewhere'"):
        run_schedule(schedule)
    assert (Tick.objects.count(), Program.objects.count()) == (0, 0)
    assert not Operation.objects.filter(verb=Verb.RUN_SCHEDULE).exists()


# Deleting --------------------------------------------------------------------------------------


def test_deleting_it_leaves_the_programs_that_it_has_started(define: Defined) -> None:
    define()
    schedule = scheduled()
    program = run_schedule(schedule)

    delete_schedule(schedule, by="ada", reason="no longer wanted")

    assert (Schedule.objects.count(), Tick.objects.count()) == (0, 0)
    assert Program.objects.get() == program
    assert deeds()[-1] == ("delete_schedule", str(schedule.pk), "ada", "no longer wanted")


@pytest.mark.parametrize(
    "act", [change_schedule, delete_schedule, pause_schedule, resume_schedule, run_schedule]
)
def test_nothing_can_be_done_to_one_that_somebody_has_deleted(define: Defined, act: Any) -> None:
    define()
    schedule = scheduled()
    Schedule.objects.all().delete()
    with pytest.raises(OperationRefused, match=r"schedule \d+ \(nightly\) is gone"):
        act(schedule)


def test_a_tick_says_what_became_of_it(define: Defined) -> None:
    define()
    schedule = scheduled(overlap="skip")
    at = due_since(schedule, 1)
    fire(schedule)
    assert str(ticks(schedule)[0]) == f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}: started"
    operations.stop_program(started(schedule)[0])
    assert outcomes(schedule) == ["started"]
    assert next_ticks(Schedule.objects.get())[0] > datetime.now(UTC)

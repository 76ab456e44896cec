"""`startprogram`, `definitions` and `schedules`: what they start, refuse and list."""

from __future__ import annotations

import json

import pytest

from jobs.airports import PROGRAM
from programs.definition import save_definition, start_program
from programs.models import Definition, Program, Schedule
from programs.scheduling import create_schedule, pause_schedule
from tests.commands import manage
from tests.ending import run_to_end

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def orders(db: None) -> Definition:
    data = {"shop": "Basel", "year": 2025}
    return save_definition("orders", ["noop", "count"], program_data=data, queue="reports")


def started() -> Program:
    return Program.objects.get()


# Starting -------------------------------------------------------------------------------------


def test_it_starts_the_definition_and_prints_the_run_id_alone() -> None:
    done = manage("startprogram", "orders", "--by", "ada")

    program = started()
    assert done == (0, f"{program.run_id}\n", "")
    assert (program.jobs, program.queue) == (["noop", "count"], "reports")
    assert (program.definition, program.created_by) == ("orders", "ada")


def test_what_is_set_is_json_or_a_text_and_goes_over_the_data_that_is_given() -> None:
    values = ["year=2026", "day=2026-11-24", 'pages=[1, "2"]', "x=a=b", "empty=", "none=NaN"]
    options = [word for value in values for word in ("--set", value)]

    manage("startprogram", "orders", "--data", '{"year": 1, "z": 0}', *options)

    assert started().program_data == {
        "shop": "Basel",
        "year": 2026,
        "z": 0,
        "day": "2026-11-24",
        "pages": [1, "2"],
        "x": "a=b",
        "empty": "",
        "none": "NaN",
    }


def test_it_hands_on_what_a_program_is_made_of() -> None:
    options = {
        "--job-data": '{"count": {"n": 3}}',
        "--queue": "mail",
        "--run-at": "2035-01-31T12:00:00Z",
        "--idempotency-key": "orders-7",
    }
    words = [word for option in options.items() for word in option]

    first = manage("startprogram", "orders", *words)
    again = manage("startprogram", "orders", *words)

    program = started()
    assert (program.job_data, program.queue) == ({"count": {"n": 3}}, "mail")
    assert program.run_at is not None
    assert program.run_at.isoformat() == "2035-01-31T12:00:00+00:00"
    assert (again.out, "was there already" in again.err) == (first.out, True)


def test_the_import_of_the_airports_starts_for_a_day() -> None:
    manage("startprogram", "airports", "--set", "day=2026-11-24")

    assert (started().jobs, started().program_data) == (PROGRAM, {"day": "2026-11-24"})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["no-such"], "there is no definition 'no-such'"),
        (["orders", "--set", "day"], "'day' is no KEY=VALUE, such as day=2026-11-24"),
        (["orders", "--set", "=1"], "'=1' is no KEY=VALUE"),
        (["orders", "--set", "token=***"], "--set: holds a mask (***) at token"),
        (["orders", "--set", "a=1", "--data", "[]"], "--data (program_data): must be a JSON"),
        (["orders", "--job-data", '{"sleep": {}}'], "--job-data: has data for 'sleep'"),
        (["orders", "--queue", "x" * 101], "--queue: must have 1 to 100 characters"),
        (["orders", "--wait", "-1"], "'-1' is no number of seconds"),
        (["airports", "--set", "day=yesterday"], "(program_data.day): Date has wrong format"),
        (["airports", "--set", "day=0001-01-01"], "(program_data.day): must be in 1900 to 2100"),
        (["airports", "--set", "file=x"], "(program_data.file): must be an absolute path"),
        (["no\x1b]0;such\x07"], "there is no definition"),
    ],
)
def test_what_is_wrong_is_named_with_its_option(given: list[str], told: str) -> None:
    done = manage("startprogram", *given)

    assert (done.status, done.out) == (1, "")
    assert told in done.err
    assert "\x1b" not in done.err
    assert not Program.objects.exists()


def test_one_whose_job_has_vanished_does_not_start() -> None:
    Definition.objects.update(jobs=["noop", "vanished"])

    done = manage("startprogram", "orders")

    assert done.status == 1
    assert "NAME (jobs): definition 'orders' names the job 'vanished'" in done.err
    assert not Program.objects.exists()


def test_a_start_that_is_waited_for_ends_as_the_program_does() -> None:
    given = ["orders", "--queue", "default", "--idempotency-key", "k", "--wait", "0.05"]

    in_time = manage("startprogram", *given)
    run_to_end(started())
    ended = manage("startprogram", *given)

    assert (in_time.status, ended.status) == (5, 0)
    assert "it has not ended in time" in in_time.err


# The list -------------------------------------------------------------------------------------


def test_definitions_are_listed_by_name_wherever_they_stand() -> None:
    lines = manage("definitions").lines

    names = [line.split()[0] for line in lines]
    assert names == sorted(names)
    (airports,) = (line for line in lines if line.startswith("airports "))
    (orders,) = (line for line in lines if line.startswith("orders "))
    assert airports.split()[1:5] == ["in", "code", "6", "jobs"]
    assert orders.split()[1:6] == ["of", "operators", "2", "jobs", "reports"]


def test_a_script_is_told_one_object_a_line() -> None:
    told = [json.loads(line) for line in manage("definitions", "--json").lines]

    orders = next(each for each in told if each["name"] == "orders")
    assert orders == {
        "name": "orders",
        "description": "",
        "jobs": ["noop", "count"],
        "queue": "reports",
        "is_in_code": False,
        "is_shadowed": False,
        "missing_jobs": [],
    }


def test_one_that_cannot_start_or_is_hidden_says_so() -> None:
    Definition.objects.update(jobs=["vanished\x1b[2J"])
    Definition.objects.create(name="airports", jobs=["noop"])

    out = manage("definitions").out

    assert "does not start: nobody knows its job vanished\\u001b[2J" in out
    assert "hidden: one in code has the same name" in out
    assert "\x1b" not in out


def test_programs_lists_those_of_a_definition_and_showprogram_tells_it() -> None:
    program = start_program("orders")
    manage("createprogram", "noop")

    (line,) = manage("programs", "--definition", "orders").lines

    assert line.split()[0] == program.run_id
    assert "from      orders" in manage("showprogram", program.run_id).out


# Schedules ------------------------------------------------------------------------------------


def test_schedules_are_listed_with_their_next_tick() -> None:
    nightly = create_schedule("orders", cron="30 2 * * *", time_zone="Europe/Berlin")
    paused = create_schedule("airports", interval=900)
    pause_schedule(paused)

    first, second = manage("schedules").lines

    assert first.split()[:2] == [str(nightly.pk), "orders"]
    assert first.split()[3].endswith(":30:00")
    assert "02:30" in first
    assert second.split() == [str(paused.pk), "airports", "paused", "every", "15", "minutes"]
    assert manage("schedules", "--definition", "airports").lines == [second]


def test_a_script_is_told_of_schedules_with_their_next_five_ticks() -> None:
    schedule = create_schedule("orders", interval=60, description="a\x1b[2J")

    told = json.loads(manage("schedules", "--json").out)

    assert (told["id"], told["definition"], told["interval"]) == (schedule.pk, "orders", 60)
    assert (told["explained"], len(told["next"])) == ("every minute", 5)
    assert told["next"][0] == told["next_at"]
    assert "\x1b" not in manage("schedules", "--json").out


def test_a_schedule_that_another_program_has_written_is_listed_all_the_same() -> None:
    Schedule.objects.create(definition="gone", cron="when\x1b[2Jever")

    done = manage("schedules")

    assert (done.status, "when\\u001b[2Jever" in done.out, "\x1b" in done.out) == (0, True, False)
    assert json.loads(manage("schedules", "--json").out)["next"] == []

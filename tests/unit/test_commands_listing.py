"""`programs` and `showprogram`: what they tell people, and what they tell scripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from programs import operations
from programs.inspection import selection
from programs.inspection.visibility import PROGRAM_FIELDS
from programs.management import following
from programs.management.commands import programs as listing
from programs.models import Ending, Program, State, waiting
from programs.submission import create_program, create_programs
from tests.commands import manage
from tests.console import add_attempt, failing, program_in, run

pytestmark = pytest.mark.django_db

HOSTILE = "done\r\nprogram b is finished\x1b[2J\u202egnp.exe\x9b\x00"


def shown(*given: str) -> list[str]:
    """Return the run ids that `programs` lists."""
    return [line.split()[0] for line in manage("programs", *given).lines]


# The list -------------------------------------------------------------------------------------


def test_the_newest_programs_come_first_one_a_line() -> None:
    programs = [create_program(["noop"]) for _ in range(3)]
    assert shown() == [program.run_id for program in reversed(programs)]


@pytest.mark.parametrize("state", list(State))
def test_a_line_tells_state_step_job_and_error(state: State) -> None:
    program = program_in(state)
    error = "it broke" if state is State.ERRORED else ""
    step, job = ("2/2", "noop") if state is State.FINISHED else ("1/2", "behave")

    (line,) = manage("programs", "--state", state).lines

    words = line.split()
    assert words[:3] == [program.run_id, state.value, step]
    assert words[5:7] == ["default", job]
    assert line.endswith(error or job)


@pytest.mark.parametrize(
    "given",
    [
        ["--state", "paused"],
        ["--q", "ada"],
        ["--queue", "reports"],
        ["--job", "count"],
        ["--since", "2026-01-01", "--until", "2026-01-01"],
    ],
    ids=lambda given: given[0],
)
def test_the_filters_are_those_of_the_console(given: list[str]) -> None:
    create_program(["noop"], run_at=datetime(2035, 1, 1, tzinfo=UTC))
    wanted = create_program(["noop", "count"], queue="reports", created_by="ada")
    operations.pause_program(wanted)
    moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
    Program.objects.filter(pk=wanted.pk).update(created_at=moment, paused_at=moment)

    assert shown(*given) == [wanted.run_id]


def test_there_is_an_option_for_every_filter() -> None:
    named = {action.dest for action in listing.Command().create_parser("", "programs")._actions}
    assert set(selection.PARAMETERS) <= named


def test_the_worker_that_holds_a_program_is_a_filter() -> None:
    held = program_in(State.RUNNING)
    program_in(State.WAITING)
    assert shown("--worker", "w") == [held.run_id]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--state", "asleep"], "--state: invalid choice: 'asleep'"),
        (["--since", "yesterday"], "--since: must be a day or a moment"),
        (["--limit", "0"], "--limit: '0' is no positive whole number"),
        (["--q", "x" * 300], "--q: must be at most 255 characters"),
    ],
)
def test_a_wrong_filter_is_named(given: list[str], told: str) -> None:
    done = manage("programs", *given)
    assert (done.status, done.out) == (1, "")
    assert told in done.err


def test_a_limit_is_kept_over_many_pages_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE", 4)
    programs = create_programs([{"jobs": ["noop"]}] * 11)
    newest = [program.run_id for program in reversed(programs)]

    assert shown("--limit", "10") == newest[:10]
    assert "there may be more than these 10" in manage("programs", "--limit", "10").err
    assert shown("--limit", "11") == newest
    assert manage("programs", "--limit", "12").err == ""


def test_a_list_takes_few_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    create_programs([{"jobs": ["noop"], "program_data": {"x": 1}}] * 50)
    # Of statements, or of waiting for locks and their return.
    limits = {"postgresql": 1, "mysql": 3}.get(connection.vendor, 0)
    with django_assert_max_num_queries(3 + limits):
        assert len(manage("programs", "--limit", "50", "--json").lines) == 50
    with django_assert_max_num_queries(4 + limits):
        manage("programs", "--limit", "50", "--q", "noop")


def test_scripts_get_an_object_a_line() -> None:
    program = program_in(State.ERRORED)

    (line,) = manage("programs", "--json").lines

    told = json.loads(line)
    assert tuple(told) == PROGRAM_FIELDS
    assert (told["run_id"], told["state"]) == (program.run_id, "errored")
    assert told["jobs"] == ["behave", "noop"]
    assert datetime.fromisoformat(told["errored_at"]).tzinfo is not None


# What jobs and users wrote --------------------------------------------------------------------


def hostile_program() -> Program:
    program = create_program(["behave", "noop"], {"how": "fail", "text": HOSTILE})
    run(program)
    Program.objects.update(
        error_message=HOSTILE.replace("\0", ""), created_by="eve\x1b[1A", idempotency_key="k\u2066"
    )
    add_attempt(
        program, epoch=9, error_class="E\x07", message="m\x1b[H", log="one\x1b[2J\ntwo\rthree"
    )
    operations.retry_program(program, by="mal\u202elory", reason="because\n\x1b[31m")
    return program


@pytest.mark.parametrize("given", [[], ["--json"]])
@pytest.mark.parametrize("command", ["programs", "showprogram"])
def test_nothing_that_was_written_moves_the_terminal(command: str, given: list[str]) -> None:
    program = hostile_program()
    arguments = [program.run_id, "-v", "2"] if command == "showprogram" else []

    done = manage(command, *arguments, *given)

    assert done.status == 0
    assert not [sign for sign in done.out if sign in "\x1b\x9b\r\x07\u202e\u2066"]
    assert "program b is finished" not in done.lines
    if given:
        assert json.loads(done.out)["run_id"] == program.run_id


def test_a_row_of_others_work_is_shown_all_the_same() -> None:
    create_program(["noop"])
    for jobs in (None, "text", [], [{"x": 1}], [["noop"]]):
        Program.objects.update(jobs=jobs if jobs is not None else {}, job_data=[], queue=None)
        program = Program.objects.get()
        assert manage("programs").status == 0
        assert manage("showprogram", program.run_id).status == 0
        assert manage("showprogram", program.run_id, "--json").status == 0


# One program ----------------------------------------------------------------------------------


def test_a_program_is_shown_with_its_steps_attempts_errors_and_log() -> None:
    program = create_program(["noop", "behave", "count"], failing("out of paper"))
    run(program)
    program.attempts.filter(step=1).update(log="INFO read 3 pages\nINFO printed 2")
    operations.pause_program(create_program(["noop"]))

    done = manage("showprogram", program.run_id)

    assert done.lines[0] == f"program {program.run_id} is errored"
    assert "  error     out of paper" in done.lines
    assert [line for line in done.lines if line.startswith("step")] == [
        "step 1 noop: done",
        "step 2 behave: errored",
        "step 3 count: not run",
    ]
    assert "RuntimeError: out of paper" in done.out
    assert "    | INFO read 3 pages" in done.lines
    assert "Traceback" not in done.out
    assert (
        "    | Traceback (most recent call last):"
        in manage("showprogram", program.run_id, "-v", "2").lines
    )


def test_a_failure_that_a_retry_has_mended_is_no_error_of_a_finished_program() -> None:
    program = create_program(["behave"], {"how": ["retry", "succeed"], "retry_after": 0})
    run(program)
    assert manage("programs").out.endswith("not yet\n")
    run(program)

    assert "not yet" not in manage("programs").out
    assert "  error" not in manage("showprogram", program.run_id).out
    assert "RetryableError: not yet" in manage("showprogram", program.run_id).out


def test_it_tells_why_a_program_waits_and_what_was_done_to_it() -> None:
    program = create_program(["noop", "noop"], idempotency_key="k")
    operations.skip_step(program, by="ada", reason="nothing to do")

    lines = manage("showprogram", program.run_id).lines

    assert any(line.startswith("  why       no live worker serves queue default") for line in lines)
    assert "step 1 noop: skipped" in lines
    assert lines[-1].endswith(" moved on by ada: nothing to do")


def test_scripts_get_all_of_a_program() -> None:
    program = create_program(["behave"], failing())
    run(program)
    operations.retry_program(program, by="ada", reason="again")

    told = json.loads(manage("showprogram", program.run_id, "--json").out)

    assert told["program_data"] == failing()
    assert [attempt["outcome"] for attempt in told["attempts"]] == [Ending.ERRORED]
    assert told["attempts"][0]["message"] == "it broke"
    assert [(done["verb"], done["by"]) for done in told["operations"]] == [("retry", "ada")]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_secrets_are_masked_unless_they_are_to_be_revealed(form: list[str]) -> None:
    data = {"token": "s3cret", "page": 3}
    program = create_program(["noop"], data, {"noop": {"login": {"password": "hunter2"}}})

    masked = manage("showprogram", program.run_id, *form).out
    revealed = manage("showprogram", program.run_id, "--reveal", *form).out

    assert "***" in masked
    for secret in ("s3cret", "hunter2"):
        assert secret not in masked
        assert secret in revealed


def test_only_the_newest_attempts_are_shown(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    program = create_program(["noop"])
    for number in range(1, 56):
        add_attempt(program, number=number, epoch=number)

    with django_assert_max_num_queries(12):
        lines = manage("showprogram", program.run_id).lines

    assert len([line for line in lines if line.startswith("  attempt")]) == 50
    assert "(the newest 50 attempts are shown)" in lines


def test_a_program_that_is_not_there_is_told() -> None:
    done = manage("showprogram", "nobody")
    assert (done.status, done.err) == (1, "there is no program with the run id 'nobody'")


# Following ------------------------------------------------------------------------------------


@pytest.fixture
def happenings(monkeypatch: pytest.MonkeyPatch):
    """Let one thing after the other happen in the pauses of the one who follows."""

    def install(*happen) -> None:
        left = list(happen)
        for module in (following, waiting):
            monkeypatch.setattr(module, "sleep", lambda seconds: left.pop(0)())

    return install


def test_a_program_is_followed_job_by_job_to_its_end(happenings) -> None:
    program = create_program(["noop", "behave"], {"how": ["retry", "log"], "retry_after": 60})

    def let_its_time_come() -> None:
        Program.objects.update(due_at=datetime.now(UTC) - timedelta(seconds=1))

    happenings(lambda: run(program), let_its_time_come, lambda: run(program))
    done = manage("showprogram", program.run_id, "--follow")

    told = [" ".join(line.split()[1:]) if line[0].isdigit() else line for line in done.lines]
    assert done.status == 0
    assert told[0].startswith("waiting, step 1 of 2: noop (no live worker")
    assert told[1] == "step 1 noop"
    assert told[2].startswith("  attempt 1 succeeded in")
    assert told[3] == "step 2 behave"
    assert "failed, to be tried again in" in told[4]
    assert told[4].endswith("RetryableError: not yet")
    assert told[5].startswith("scheduled, step 2 of 2: behave, retry 1 (retry 1 of 3 at")
    assert told[6].startswith("waiting, step 2 of 2")
    assert told[7] == "step 2 behave"
    assert told[8].startswith("  attempt 2 succeeded in")
    assert told[-1] == "finished"


@pytest.mark.parametrize(("state", "status"), [("finished", 0), ("errored", 3), ("stopped", 4)])
def test_following_ends_with_the_status_of_the_program(state: str, status: int) -> None:
    done = manage("showprogram", program_in(State(state)).run_id, "--follow")
    assert done.status == status
    assert done.lines[-1].split()[1].strip(",") == state


@pytest.mark.django_db(transaction=True)
def test_scripts_that_follow_get_the_program_once_it_has_ended(happenings) -> None:
    program = create_program(["behave"], failing())
    happenings(lambda: run(program))

    done = manage("showprogram", program.run_id, "--follow", "--json")

    assert done.status == 3
    assert json.loads(done.out)["state"] == "errored"


def test_a_project_without_time_zones_is_served(settings: Settings) -> None:
    settings.USE_TZ = False
    program = program_in(State.ERRORED)
    assert manage("programs").lines[0].startswith(program.run_id)
    assert manage("showprogram", program.run_id, "--follow").status == 3
    assert manage("programsstatus").status == 0
    assert manage("createprogram", "noop", "--run-at", "2035-01-31T12:00").status == 0
    assert manage("showprogram", Program.objects.latest("id").run_id).status == 0


def test_a_program_that_is_deleted_is_followed_no_longer(happenings) -> None:
    program = create_program(["noop"])
    happenings(lambda: Program.objects.all().delete())

    done = manage("showprogram", program.run_id, "--follow")

    assert (done.status, done.err) == (
        1,
        f"program {program.run_id} is gone: somebody has deleted it",
    )

"""The commands that do something to programs, and that they leave the console's audit rows."""

from __future__ import annotations

import getpass
from typing import Any

import pytest
from django.test import Client

from programs import operations
from programs.models import Operation, Program, State, Verb
from programs.submission import create_program
from tests.commands import manage
from tests.console import DEEDS, failing, page_for, program_in, run
from tests.running import fresh

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

# What does the same as the console's page is asked for in `DEEDS`.
COMMANDS: dict[Verb, tuple[str, ...]] = {
    Verb.STOP: ("stopprogram",),
    Verb.PAUSE: ("pauseprogram",),
    Verb.RESUME: ("resumeprogram",),
    Verb.RETRY: ("retryprogram", "--from-step", "1"),
    Verb.SKIP: ("skipstep",),
}

every_verb = pytest.mark.parametrize("verb", COMMANDS, ids=lambda verb: verb.value)


def audit() -> list[tuple[Any, ...]]:
    fields = ("verb", "by", "reason", "detail", "subject")
    return list(Operation.objects.order_by("id").values_list(*fields))


@every_verb
def test_a_command_leaves_the_same_row_as_the_console(verb: Verb, admin_client: Client) -> None:
    state, given = DEEDS[verb]
    by_console, by_command = program_in(state), program_in(state)
    Operation.objects.all().delete()

    admin_client.post(page_for(verb, by_console), {**given, "reason": "why not"})
    done = manage(*COMMANDS[verb], by_command.run_id, "--by", "admin", "--reason", "why not")

    assert done.status == 0, done.err
    first, second = audit()
    assert first == second
    assert first[:3] == (verb, "admin", "why not")
    assert fresh(by_console).state is fresh(by_command).state
    assert fresh(by_console).step == fresh(by_command).step


@every_verb
def test_it_says_how_the_program_stands_now(verb: Verb) -> None:
    program = program_in(DEEDS[verb][0])

    done = manage(*COMMANDS[verb], program.run_id, "--reason", "x")

    assert done.out.startswith(f"program {program.run_id} is {fresh(program).state.label} now")
    assert Operation.objects.latest("id").by == getpass.getuser()


@every_verb
def test_a_refusal_says_the_state_and_changes_nothing(verb: Verb) -> None:
    program = program_in(State.FINISHED)

    done = manage(*COMMANDS[verb], program.run_id, "--reason", "x")

    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"program {program.run_id} is finished: it cannot be")
    assert not Operation.objects.exists()


@every_verb
def test_a_program_that_is_not_there_is_told(verb: Verb) -> None:
    done = manage(*COMMANDS[verb], "nobody", "--reason", "x")
    assert (done.status, done.err) == (1, "there is no program with the run id 'nobody'")


@pytest.mark.parametrize("verb", [Verb.STOP, Verb.PAUSE, Verb.RESUME])
def test_of_several_programs_one_that_is_refused_hinders_no_other(verb: Verb) -> None:
    fitting = [program_in(DEEDS[verb][0]) for _ in range(2)]
    names = [fitting[0].run_id, program_in(State.FINISHED).run_id, fitting[1].run_id, "nobody"]
    Operation.objects.all().delete()

    done = manage(*COMMANDS[verb], *names)

    assert done.status == 1
    assert len(done.lines) == 2
    assert len(done.err.splitlines()) == 2
    assert {each.program for each in Operation.objects.all()} == set(fitting)


def test_a_step_is_not_skipped_without_a_reason() -> None:
    program = program_in(State.ERRORED)

    assert "--reason" in manage("skipstep", program.run_id).err
    blank = manage("skipstep", program.run_id, "--reason", " ")

    assert blank.err == "--reason: is required: say why the step may be skipped"
    assert not Operation.objects.exists()


def test_steps_are_counted_as_they_are_shown() -> None:
    program = create_program(["noop", "behave", "count"], failing())
    run(program)

    done = manage("retryprogram", program.run_id, "--from-step", "2")

    assert (fresh(program).step, done.out[-10:]) == (1, "at step 2\n")


@pytest.mark.parametrize("step", ["0", "4", "x"])
def test_a_step_that_is_not_there_is_refused(step: str) -> None:
    program = create_program(["noop", "behave", "count"], failing())
    run(program)

    done = manage("retryprogram", program.run_id, "--from-step", step)

    assert done.status == 1
    assert "--from-step: must be 1 to 3, not 4" in done.err or "positive whole number" in done.err
    assert not Operation.objects.exists()


def test_a_retry_with_other_data_is_an_edit_and_a_retry() -> None:
    program = program_in(State.ERRORED)
    data = ["--data", '{"how": "succeed"}', "--job-data", '{"behave": {"page": 1}}']

    manage("retryprogram", program.run_id, *data, "--by", "ada", "--reason", "mended")

    assert fresh(program).program_data == {"how": "succeed"}
    edit, retry = audit()
    assert (edit[:3], retry[:3]) == (("edit", "ada", "mended"), ("retry", "ada", "mended"))
    assert edit[3]["after"]["job_data"] == {"behave": {"page": 1}}
    run(program)
    assert fresh(program).state is State.FINISHED


def test_data_that_is_no_other_is_no_edit() -> None:
    program = program_in(State.ERRORED)
    manage("retryprogram", program.run_id, "--job-data", "{}")
    assert [row[0] for row in audit()] == ["retry"]


def test_a_secret_that_was_masked_when_it_was_shown_stays() -> None:
    program = create_program(["behave"], {**failing(), "token": "s3cret"})
    run(program)

    done = manage("retryprogram", program.run_id, "--data", '{"token": "***", "page": 2}')

    assert done.status == 0
    assert fresh(program).program_data == {"token": "s3cret", "page": 2}


@pytest.mark.parametrize("state", [State.WAITING, State.RUNNING, State.FINISHED])
def test_where_a_retry_is_refused_the_data_is_not_edited(state: State) -> None:
    program = program_in(state)

    done = manage("retryprogram", program.run_id, "--data", '{"x": 1}')

    assert "cannot be retried" in done.err
    assert (fresh(program).program_data, Operation.objects.count()) == ({}, 0)


def test_who_stopped_it_before_is_told() -> None:
    program = program_in(State.WAITING)
    operations.stop_program(program, by="eve\x1b[8m\u202e")

    told = manage("stopprogram", program.run_id).err

    assert "(last stopped by eve\\u001b[8m\\u202e)" in told


def test_who_has_no_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("no such user")

    monkeypatch.setattr(getpass, "getuser", nobody)
    program: Program = program_in(State.WAITING)

    manage("stopprogram", program.run_id)

    assert str(Operation.objects.get().by).startswith("uid ")

"""`createprogram`: what it creates, what it refuses, and how it waits."""

from __future__ import annotations

import getpass
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from programs import operations
from programs.management import following
from programs.models import Program, State, waiting
from tests.commands import manage
from tests.running import carry, claim

pytestmark = pytest.mark.django_db(transaction=True)


def created() -> Program:
    return Program.objects.get()


def test_it_prints_the_run_id_and_nothing_else() -> None:
    done = manage("createprogram", "noop", "count")

    assert done == (0, f"{created().run_id}\n", "")
    assert created().jobs == ["noop", "count"]
    assert created().created_by == getpass.getuser()


def test_it_hands_on_what_a_program_is_made_of() -> None:
    options = {
        "--data": '{"year": 2024}',
        "--job-data": '{"count": {"n": 3}}',
        "--queue": "reports",
        "--run-at": "2035-01-31T12:00:00Z",
        "--idempotency-key": "orders-7",
        "--by": "ada",
    }
    manage("createprogram", "count", *(word for option in options.items() for word in option))

    program = created()
    assert (program.program_data, program.job_data) == ({"year": 2024}, {"count": {"n": 3}})
    assert (program.queue, program.created_by) == ("reports", "ada")
    assert program.run_at is not None
    assert program.run_at.isoformat() == "2035-01-31T12:00:00+00:00"
    assert program.idempotency_key == "orders-7"


def test_the_same_key_again_prints_the_first_run_id() -> None:
    first = manage("createprogram", "noop", "--idempotency-key", "k")
    again = manage("createprogram", "noop", "--idempotency-key", "k")

    assert again.out == first.out
    assert "was there already" in again.err
    other = manage("createprogram", "count", "--idempotency-key", "k")
    assert (other.status, "other content" in other.err) == (1, True)


def test_data_comes_from_a_file_or_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data.json").write_text('{"name": "Zoë"}')
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"count": {"n": 1}}'))

    manage("createprogram", "count", "--data", f"@{tmp_path}/data.json", "--job-data", "-")

    assert (created().program_data, created().job_data) == ({"name": "Zoë"}, {"count": {"n": 1}})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["no_such"], "JOB (jobs): no job named 'no_such' is registered here"),
        (["programs.bulk"], "JOB (jobs[0]): is the engine's own job 'programs.bulk'"),
        (["noop", "--data", "{year: 2024}"], "--data (program_data): is no JSON"),
        (["noop", "--data", "[]"], "--data (program_data): must be a JSON object"),
        (["noop", "--data", '{"x": NaN}'], "--data (program_data): holds a number"),
        (["noop", "--data", "[" * 100_000], "--data (program_data): is nested too deeply"),
        (["noop", "--data", "@no/such/file"], "--data (program_data): cannot be read"),
        (["noop", "--data", "-", "--job-data", "-"], "--job-data: and --data cannot both be"),
        (["noop", "--data", '{"token": "***"}'], "--data (program_data): holds a mask (***) at"),
        (["noop", "--job-data", '{"count": {}}'], "--job-data: has data for 'count'"),
        (["noop", "--job-data", '{"noop": 1}'], "--job-data (job_data.noop): must be a JSON"),
        (["noop", "--queue", "x" * 101], "--queue: must have 1 to 100 characters"),
        (["noop", "--queue", "a\x1b[2J"], "--queue: holds characters that cannot be printed"),
        (["noop", "--run-at", "tomorrow"], "'tomorrow' is no moment such as 2030-01-31T12:00:00Z"),
        (["noop", "--wait", "-1"], "'-1' is no number of seconds"),
        (["no\x1b]0;such\x07"], "JOB (jobs[0]): holds characters that cannot be printed"),
    ],
)
def test_what_is_wrong_is_named_with_its_option(given: list[str], told: str) -> None:
    done = manage("createprogram", *given)

    assert (done.status, done.out) == (1, "")
    assert told in done.err
    assert "\x1b" not in done.err
    assert not Program.objects.exists()


# Waiting --------------------------------------------------------------------------------------


def run() -> None:
    claimed = claim(created())
    assert claimed is not None
    carry(claimed)


def stop() -> None:
    operations.stop_program(created().run_id)


@pytest.fixture
def in_pauses(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Let something happen in the place of each pause of the one who waits."""

    def install(happen: Callable[[], None]) -> None:
        for module in (waiting, following):
            monkeypatch.setattr(module, "sleep", lambda seconds: happen())

    return install


@pytest.mark.parametrize(
    ("happens", "how", "status", "told"),
    [
        (run, "succeed", 0, ""),
        (run, "fail", 3, "is errored at step 1 of 2: it broke"),
        (stop, "succeed", 4, "is stopped at step 1 of 2"),
    ],
    ids=["finished", "errored", "stopped"],
)
@pytest.mark.parametrize("on_terminal", [False, True])
def test_the_exit_status_tells_how_the_program_ended(
    in_pauses, happens: Callable[[], None], how: str, status: int, told: str, on_terminal: bool
) -> None:
    in_pauses(happens)
    given = ["behave", "noop", "--data", json.dumps({"how": how}), "--wait"]

    done = manage("createprogram", *given, on_terminal=on_terminal)

    assert done.status == status
    assert done.out == f"{created().run_id}\n"
    assert told in done.err


def test_a_program_that_takes_too_long_is_not_waited_for_any_longer() -> None:
    done = manage("createprogram", "noop", "--wait", "0.05")

    assert done.status == 5
    assert "is waiting at step 1 of 1: it has not ended in time" in done.err
    assert created().state is State.WAITING


def test_a_terminal_is_shown_the_progress(in_pauses) -> None:
    in_pauses(run)
    given = ["behave", "noop", "--data", '{"how": "log"}', "--wait"]

    silent = manage("createprogram", *given)
    Program.objects.all().delete()
    shown = manage("createprogram", *given, on_terminal=True)

    assert silent.err == ""
    assert "waiting, step 1 of 2: behave" in shown.err
    assert "step 1 behave\n" in shown.err
    assert "attempt 1 succeeded in" in shown.err

"""The commands as real processes: beside a worker, in pipes, and when something is away."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from programs.models import Operation, Program, State
from programs.submission import create_program, create_programs
from tests.site import ROOT, Site, on_sqlite, wait_for
from tests.waiting import eventually


def start(site: Site, *arguments: str, **given: str) -> subprocess.Popen[str]:
    """Start a command with pipes to all of its streams."""
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**site.environment, **given},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in its background has them ignore Ctrl-C.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def end(process: subprocess.Popen[str], given: str | None = None) -> tuple[int, str, str]:
    out, err = process.communicate(given, timeout=60)
    return process.returncode, out, err


def test_a_script_creates_a_program_waits_for_it_and_reads_it(site: Site) -> None:
    site.worker().started()

    created = start(site, "createprogram", "count", "noop", "--data", "-", "--wait", "30")
    status, out, err = end(created, '{"year": 2024}')

    assert (status, err) == (0, "")
    program = Program.objects.get()
    assert out == f"{program.run_id}\n"
    told = json.loads(site.manage("showprogram", program.run_id, "--json"))
    assert (told["state"], told["program_data"]) == ("finished", {"year": 2024})
    assert json.loads(site.manage("programs", "--state", "finished", "--json")) == {
        name: told[name] for name in json.loads(site.manage("programs", "--json"))
    }
    assert "live workers: 1" in site.manage("programsstatus", "--max-wait", "60")


@on_sqlite
def test_a_program_is_followed_while_a_worker_runs_it(site: Site) -> None:
    gate = site.folder / "gate"
    data = {"how": "checkpoint_until_file", "file": str(gate)}
    program = create_program(["noop", "behave", "noop"], data)
    following = start(site, "showprogram", program.run_id, "--follow")
    site.worker()
    assert following.stdout is not None
    read: list[str] = []
    while "running, step 2 of 3" not in "".join(read[-1:]):
        read.append(following.stdout.readline())
        assert read[-1], read
    gate.touch()

    status, out, err = end(following)

    assert (status, err) == (0, "")
    assert "step 1 noop\n" in read
    assert "step 3 noop\n" in out
    assert out.endswith(" finished\n")


@on_sqlite
def test_a_running_program_is_stopped_by_a_command(site: Site) -> None:
    program = create_program(["behave"], {"how": "watch_for_stop"})
    waiting = start(site, "showprogram", program.run_id, "--follow", "--json")
    site.worker().started()
    wait_for(program, State.RUNNING)

    assert "is stopping now" in site.manage("stopprogram", program.run_id, "--reason", "enough")

    status, out, _ = end(waiting)
    assert (status, json.loads(out)["state"]) == (4, "stopped")
    assert Operation.objects.get().reason == "enough"


@on_sqlite
def test_purging_beside_a_worker_disturbs_no_program(site: Site) -> None:
    create_programs([{"jobs": ["noop"]}] * 2500)
    Program.objects.update(due_at=None, finished_at=datetime.now(UTC) - timedelta(days=40))
    running = create_programs([{"jobs": ["count"] * 5}] * 50)
    site.worker().started()

    out = site.manage("purgeprograms", "--older-than", "30d")

    assert out.endswith("2,500 programs deleted\n")
    for program in running:
        assert wait_for(program, State.FINISHED).job_data == {"count": {"n": 5}}


@on_sqlite
@pytest.mark.parametrize(
    ("given", "status"),
    [
        (["createprogram"], 2),
        (["createprogram", "noop", "--wait", "soon"], 2),
        (["createprogram", "no_such_job"], 1),
        (["createprogram", "noop", "--wait", "0.1"], 5),
        (["skipstep", "x"], 2),
        (["showprogram", "nobody"], 1),
    ],
)
def test_the_exit_status_is_the_documented_one(site: Site, given: list[str], status: int) -> None:
    code, _, err = end(start(site, *given))

    assert code == status
    assert "Traceback" not in err


@on_sqlite
def test_a_monitor_learns_that_no_worker_is_there(site: Site) -> None:
    create_program(["noop"])
    status, out, err = end(start(site, "programsstatus", "--json"))
    assert (status, len(json.loads(out)["problems"])) == (1, 1)
    assert err == "CommandError: queue default: 1 due, and no live worker serves it\n"


@on_sqlite
def test_a_reader_that_has_seen_enough_ends_the_command_quietly(site: Site) -> None:
    create_programs([{"jobs": ["noop"]}] * 3000)
    with start(site, "programs", "--limit", "3000") as listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        listing.stdout.readline()
        listing.stdout.close()
        assert listing.stderr.read() == ""
        assert listing.wait(timeout=60) == 141


@on_sqlite
@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        ("createprogram noop --data - <&-", 1, "--data (program_data): cannot be read"),
        ("createprogram noop >&-", 0, ""),
        ("createprogram noop --wait 0 <&- >&- 2>&-", 5, ""),
        ("programsstatus >/dev/full", 1, "standard output cannot be written: "),
    ],
)
def test_a_stream_that_is_closed_or_full_is_no_traceback(
    site: Site, line: str, status: int, told: str
) -> None:
    ended = subprocess.run(
        ["sh", "-c", f"{sys.executable} manage.py {line}"],
        cwd=ROOT,
        env=site.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == status
    assert ended.stderr.count("\n") == bool(told)
    assert told in ended.stderr


@on_sqlite
def test_ctrl_c_ends_waiting_quietly_and_the_program_goes_on(site: Site) -> None:
    waiting = start(site, "createprogram", "noop", "--wait")
    assert waiting.stdout is not None
    run_id = waiting.stdout.readline().strip()
    waiting.send_signal(signal.SIGINT)

    assert end(waiting) == (130, "", "")
    site.worker("--burst")
    eventually(lambda: Program.objects.get(run_id=run_id).state is State.FINISHED, within=30)


@on_sqlite
def test_a_terminal_without_the_letters_gets_their_numbers(site: Site) -> None:
    create_program(["noop"], created_by="Zoë", queue="größe")
    given = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}

    status, out, err = end(start(site, "programs", **given))

    assert (status, err) == (0, "")
    assert "gr\\xf6\\xdfe" in out


@on_sqlite
@pytest.mark.parametrize(
    ("command", "url"),
    [
        ("programsstatus", "sqlite:///no/such/folder/x"),
        ("createprogram noop", "postgres://x:s3cret@127.0.0.1:1/x"),
    ],
    ids=["no file", "no server"],
)
def test_a_database_that_is_away_is_told_in_one_line(site: Site, command: str, url: str) -> None:
    status, out, err = end(start(site, *command.split(), DATABASE_URL=url))

    assert (status, out) == (1, "")
    assert err.startswith("CommandError: the database 'default': ")
    assert len(err.splitlines()) == 1
    assert "s3cret" not in err


@on_sqlite
def test_a_database_that_was_not_migrated_is_told_with_the_fix(site: Site) -> None:
    url = f"sqlite:///{site.folder / 'empty.sqlite3'}"
    status, _, err = end(start(site, "programsstatus", DATABASE_URL=url))
    assert (status, "`python manage.py migrate`" in err) == (1, True)

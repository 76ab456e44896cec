"""The worker as a process: it runs programs, ends in good order, and survives what jobs do."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from programs import operations
from programs.models import Ending, Program, State
from programs.models import Worker as WorkerRow
from programs.submission import create_program, create_programs
from tests.site import Site, all_ended, on_rabbitmq, on_sqlite, wait_for
from tests.waiting import eventually


def endings(program: Program) -> list[str]:
    return [attempt.outcome for attempt in program.attempts.all()]


@pytest.mark.invariant(1)
def test_a_worker_runs_a_program_and_its_row_tells_all_of_it(site: Site) -> None:
    worker = site.worker("--threads", "2", "--name", "w1").started()

    program = create_program(
        ["behave", "count"], {"how": "log", "day": "today"}, {"count": {"n": 41}}
    )

    finished = wait_for(program, State.FINISHED)
    assert finished.job_data == {"count": {"n": 42}}
    first, second = finished.attempts.all()
    assert first.log is not None
    assert "hello from behave" in first.log
    assert first.worker.startswith(f"{worker.name}/1.")
    assert first.ended_at <= second.ended_at
    row = WorkerRow.objects.get()
    assert (row.name, row.slots, row.queues) == (worker.name, 2, ["default"])
    assert "count" in row.jobs
    assert worker.terminate() == 0
    assert WorkerRow.objects.get().stopped_at is not None


def test_the_first_line_says_where_programs_come_from(site: Site) -> None:
    worker = site.worker("--threads", "3")
    line = eventually(lambda: worker.output.splitlines()[:1])[0]
    if "TEST_QUEUE_NAME" in site.environment:
        assert f"consumes {site.environment['TEST_QUEUE_NAME']} from amqp://guest:***@" in line
    else:
        assert "looks into the database only (no broker) for queue default" in line
    assert line.endswith("1 process(es) of 3 thread(s)")


def test_a_burst_ends_when_nothing_is_due(site: Site) -> None:
    later = create_program(["behave"], {"how": "retry", "retry_after": 3600})
    create_programs([{"jobs": ["noop", "count"]}] * 30)

    worker = site.worker("--burst")

    assert worker.process.wait(timeout=30) == 0
    assert Program.objects.in_state(State.FINISHED).count() == 30
    assert Program.objects.get(pk=later.pk).state is State.SCHEDULED


def test_a_worker_ends_after_its_last_program(site: Site) -> None:
    create_programs([{"jobs": ["noop"]}] * 10)
    worker = site.worker("--max-programs", "4", "--processes", "2", "--threads", "1")
    assert worker.process.wait(timeout=30) == 0
    assert Program.objects.in_state(State.FINISHED).count() == 4


def test_a_worker_serves_its_own_queues_and_no_others(site: Site) -> None:
    site.worker("--queue", "reports").started()
    other = create_program(["noop"])
    wait_for(create_program(["noop"], queue="reports"), State.FINISHED)
    assert Program.objects.get(pk=other.pk).state is State.WAITING


def test_sigterm_lets_running_jobs_end_and_gives_the_program_back(site: Site) -> None:
    gate = site.folder / "gate"
    program = create_program(["behave", "noop"], {"how": "wait_for_file", "file": str(gate)})
    worker = site.worker().started()
    wait_for(program, State.RUNNING)

    worker.signal(signal.SIGTERM)
    eventually(lambda: "ending: running jobs may take" in worker.output)
    gate.touch()

    assert worker.process.wait(timeout=10) == 0
    given_back = Program.objects.get(pk=program.pk)
    assert (given_back.state, given_back.step) == (State.WAITING, 1)
    assert endings(given_back) == [Ending.SUCCEEDED]


def test_at_the_shutdown_timeout_jobs_are_ended_and_no_loss_is_counted(site: Site) -> None:
    program = create_program(["behave"], {"how": "wait_for_file", "file": "never"})
    worker = site.worker("--shutdown-timeout", "0.5").started()
    wait_for(program, State.RUNNING)

    assert worker.terminate(within=10) == 0

    released = Program.objects.get(pk=program.pk)
    assert (released.state, released.losses) == (State.WAITING, 0)
    assert endings(released) == [Ending.INTERRUPTED]


def test_a_second_signal_ends_the_worker_at_once(site: Site) -> None:
    program = create_program(["behave"], {"how": "wait_for_file", "file": "never"})
    worker = site.worker("--shutdown-timeout", "600").started()
    wait_for(program, State.RUNNING)
    worker.signal(signal.SIGINT)
    eventually(lambda: "another signal ends them now" in worker.output)
    worker.signal(signal.SIGINT)
    assert worker.process.wait(timeout=10) == 0
    assert Program.objects.get(pk=program.pk).worker is None


@pytest.mark.invariant(9)
def test_a_running_job_is_told_of_a_stop_within_one_renewal(site: Site) -> None:
    program = create_program(["behave", "noop"], {"how": "watch_for_stop"})
    site.worker(TEST_LEASE="3").started()
    wait_for(program, State.RUNNING)
    operations.stop_program(program, by="ada")
    stopped = wait_for(program, State.STOPPED, within=10)
    assert stopped.job_data["behave"] == {"saw_stop": True}


@pytest.mark.invariant(3)
def test_a_job_that_outlasts_its_lease_by_far_keeps_it(site: Site) -> None:
    worker = site.worker(TEST_LEASE="1.5").started()
    program = create_program(["behave"], {"how": "sleep", "seconds": 5})
    finished = wait_for(program, State.FINISHED)
    assert endings(finished) == [Ending.SUCCEEDED]
    assert worker.terminate() == 0


@pytest.mark.invariant(10)
def test_a_killed_child_is_replaced_and_its_program_resumed_within_two_seconds(
    site: Site,
) -> None:
    site.environment.pop("COVERAGE_PROCESS_CONFIG", None)  # it slows a new child down
    gate = site.folder / "gate"
    given = {"how": ["wait_for_file", "succeed"], "file": str(gate)}
    program = create_program(["behave", "noop"], given)
    worker = site.worker().started()
    heir = site.worker().started()
    running = wait_for(program, State.RUNNING)
    holder = worker if str(running.worker).startswith(worker.name) else heir

    killed_at = time.monotonic()
    holder.kill_child()
    finished = wait_for(program, State.FINISHED)

    assert time.monotonic() - killed_at < 2.0
    assert endings(finished) == [Ending.LOST, Ending.SUCCEEDED, Ending.SUCCEEDED]
    assert finished.losses == 0
    eventually(lambda: len(holder.children) == 1)


@pytest.mark.invariant(3)
def test_a_killed_worker_is_replaced_by_another_once_its_lease_has_run_out(site: Site) -> None:
    given = {"how": ["wait_for_file", "succeed"], "file": "never"}
    program = create_program(["behave", "noop"], given)
    first = site.worker(TEST_LEASE="2").started()
    wait_for(program, State.RUNNING)
    second = site.worker(TEST_LEASE="2").started()

    first.kill()

    finished = wait_for(program, State.FINISHED)
    assert endings(finished) == [Ending.LOST, Ending.SUCCEEDED, Ending.SUCCEEDED]
    assert list(finished.attempts.all())[-1].worker.startswith(second.name)


def test_a_child_ends_when_its_supervisor_is_gone(site: Site) -> None:
    worker = site.worker().started()
    (child,) = worker.children
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    eventually(lambda: not Path(f"/proc/{child}").exists() or not _alive(child), within=5)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.invariant(10)
@pytest.mark.parametrize("how", ["kill_process", "leave_process"])
def test_a_job_that_ends_its_process_is_quarantined_and_no_neighbour_is(
    site: Site, how: str
) -> None:
    killer = create_program(["noop", "behave"], job_data={"behave": {"how": how}})
    given = {"how": "sleep", "seconds": 0.3}
    neighbours = [create_program(["behave"] * 3, given) for _ in range(6)]
    site.worker("--threads", "4").started()

    ended = wait_for(killer, State.ERRORED, within=40)

    assert ended.error_message == "worker lost 3 times at step 1"
    assert endings(ended) == [Ending.SUCCEEDED] + [Ending.LOST] * 3
    for neighbour in neighbours:
        wait_for(neighbour, State.FINISHED, within=40)


@pytest.mark.parametrize("how", ["leave_atomic_open", "leave_begin_open", "leave_autocommit_off"])
def test_a_job_that_leaves_a_transaction_open_fails_and_the_worker_goes_on(
    site: Site, how: str
) -> None:
    site.worker("--threads", "1").started()
    program = wait_for(create_program(["behave", "noop"], {"how": how}), State.ERRORED)
    assert program.error_message == (
        "The job left a database transaction open; it was rolled back."
    )
    wait_for(create_program(["count"]), State.FINISHED)


@pytest.mark.parametrize("how", ["close_connection", "break_connection", "exit", "fork_and_raise"])
def test_a_worker_survives_what_jobs_do(site: Site, how: str) -> None:
    site.worker("--threads", "1").started()
    program = create_program(["behave"], {"how": how})
    wait_for(program, State.ERRORED if how == "exit" else State.FINISHED)
    wait_for(create_program(["count"]), State.FINISHED)


@pytest.mark.invariant(2)
def test_programs_run_beside_each_other_and_their_jobs_in_order(site: Site) -> None:
    given = {"how": "sleep", "seconds": 0.05, "journal": str(site.journal)}
    programs = create_programs(
        {"jobs": ["behave", "behave_too", "behave_again"], "program_data": given} for _ in range(12)
    )
    site.worker("--threads", "4", "--burst").process.wait(timeout=60)

    running, most = 0, 0
    steps: dict[str, list[tuple[str, int]]] = {}
    for line in site.events():
        running += 1 if line.event == "start" else -1
        most = max(most, running)
        steps.setdefault(line.run_id, []).append((line.event, line.step))
    in_order = [(event, step) for step in range(3) for event in ("start", "end")]
    assert {program.run_id: in_order for program in programs} == steps
    assert most > 1


def test_a_long_program_gives_way_to_others_after_its_turn(site: Site) -> None:
    given = {"how": "sleep", "seconds": 0.2}
    long = create_program(["behave"] * 40, given)
    short = create_program(["noop"])
    site.worker("--threads", "1").started()
    wait_for(short, State.FINISHED, within=15)
    assert Program.objects.get(pk=long.pk).step < 39


@on_sqlite
def test_a_child_that_is_ended_alone_is_replaced(site: Site) -> None:
    worker = site.worker("--processes", "2").started()
    eventually(lambda: len(worker.children) == 2)
    wait_for(create_program(["noop"]), State.FINISHED)  # it hears signals by now
    before = set(worker.children)
    for pid in before:
        os.kill(pid, signal.SIGTERM)
    eventually(lambda: len(worker.children) == 2 and not before & set(worker.children))
    wait_for(create_program(["noop"]), State.FINISHED)


def test_a_fork_of_the_worker_is_not_what_a_child_is(site: Site) -> None:
    worker = site.worker("--processes", "2").started()
    eventually(lambda: len(worker.children) == 2)
    commands = [
        Path(f"/proc/{pid}/cmdline").read_bytes() if Path("/proc").exists() else b"child"
        for pid in worker.children
    ]
    assert all(b"child" in command for command in commands)


@on_sqlite
def test_a_missing_table_is_said_with_what_to_do(site: Site, tmp_path: Path) -> None:
    worker = site.worker(DATABASE_URL=f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    assert worker.process.wait(timeout=20) == 1
    assert "run `python manage.py migrate` first" in worker.output


@on_sqlite
def test_a_database_that_is_away_at_the_start_is_waited_for(site: Site) -> None:
    program = create_program(["noop"])
    file = Path(site.environment["DATABASE_URL"].removeprefix("sqlite:///"))
    mounted = site.folder / "mounted"
    worker = site.worker(DATABASE_URL=f"sqlite:///{mounted / file.name}")
    eventually(lambda: "unable to open database file" in worker.output, within=30)

    mounted.symlink_to(file.parent)

    wait_for(program, State.FINISHED)
    assert worker.terminate() == 0


@on_sqlite
@pytest.mark.parametrize(
    ("option", "value"),
    [("--threads", "0"), ("--processes", "x"), ("--shutdown-timeout", "-1")],
)
def test_a_wrong_option_is_refused_with_its_name(site: Site, option: str, value: str) -> None:
    worker = site.worker(option, value)
    assert worker.process.wait(timeout=20) == 2
    assert option in worker.output


@on_sqlite
def test_a_worker_starts_anew_when_the_code_changes(site: Site) -> None:
    worker = site.worker("--reload").started()
    (before,) = worker.children
    eventually(lambda: wait_for(create_program(["noop"]), State.FINISHED))
    os.utime(Path(__file__).parent.parent / "jobs.py")
    eventually(lambda: worker.children and before not in worker.children, within=20)
    wait_for(create_program(["noop"]), State.FINISHED)
    assert worker.terminate() == 0


@on_sqlite
def test_log_lines_are_json_when_asked_for(site: Site) -> None:
    worker = site.worker(LOG_FORMAT="json").started()
    program = wait_for(create_program(["noop"]), State.FINISHED)
    lines = eventually(lambda: [x for x in worker.output.splitlines() if program.run_id in x])
    assert json.loads(lines[0])["action"] == "program_finished"


@on_rabbitmq
@pytest.mark.invariant(5)
def test_an_idle_worker_and_all_that_was_created_end_alike(site: Site) -> None:
    site.worker("--processes", "2").started()
    create_programs([{"jobs": ["noop", "count"]}] * 100)
    eventually(all_ended, within=30)
    assert Program.objects.in_state(State.FINISHED).count() == 100

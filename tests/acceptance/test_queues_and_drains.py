"""Queues that are paused under load, and workers that are drained, as processes."""

from __future__ import annotations

import signal
import time

from programs import operations
from programs.lease import lease_clock
from programs.models import Ending, Operation, Program, State, Verb
from programs.models import Worker as WorkerRow
from programs.submission import create_program, create_programs
from tests.running import make_due
from tests.site import Site, all_ended, on_server, on_sqlite, wait_for
from tests.waiting import eventually

NOTICED = 1.5  # seconds, in which every slot of every child knows of a pause or its end


def starts(site: Site) -> list[float]:
    """Return when jobs were started, by the clock of this machine."""
    return [line.at for line in site.events() if line.event == "start"]


def test_nothing_of_a_paused_queue_starts_and_all_of_it_ends_after_that(site: Site) -> None:
    given = {"how": "sleep", "seconds": 0.05, "journal": str(site.journal)}
    create_programs([{"jobs": ["behave", "behave_too"], "program_data": given}] * 200)
    site.worker("--processes", "2", "--threads", "4").started()
    eventually(lambda: len(starts(site)) >= 20)

    operations.pause_queue("default", by="ada", reason="too much at once")
    paused_at = lease_clock()
    created_meanwhile = create_program(["noop"])
    eventually(lambda: lease_clock() > paused_at + NOTICED + 1.5)

    assert max(starts(site)) < paused_at + NOTICED
    waiting = Program.objects.in_state(State.WAITING)
    assert waiting.count() == Program.objects.open().count() > 50
    assert waiting.filter(pk=created_meanwhile.pk).exists()

    operations.resume_queue("default")
    resumed_at = lease_clock()
    eventually(all_ended, within=60)

    assert min(at for at in starts(site) if at > paused_at + NOTICED) < resumed_at + NOTICED
    assert Program.objects.in_state(State.FINISHED).count() == 201
    assert len(starts(site)) == 400  # none of them twice


def test_a_job_that_runs_ends_first_and_its_program_goes_on_after_the_pause(site: Site) -> None:
    gate = site.folder / "gate"
    program = create_program(["behave", "noop"], {"how": "wait_for_file", "file": str(gate)})
    site.worker().started()
    wait_for(program, State.RUNNING)

    operations.pause_queue("default")
    began = time.monotonic()
    eventually(lambda: time.monotonic() > began + NOTICED)
    assert Program.objects.get(pk=program.pk).state is State.RUNNING
    gate.touch()

    waiting = wait_for(program, State.WAITING)
    assert (waiting.step, waiting.worker) == (1, None)
    operations.resume_queue("default")
    finished = wait_for(program, State.FINISHED)
    assert [attempt.outcome for attempt in finished.attempts.all()] == [Ending.SUCCEEDED] * 2


def test_of_two_queues_of_one_worker_the_other_goes_on(site: Site) -> None:
    operations.pause_queue("reports")
    held = create_programs([{"jobs": ["noop"], "queue": "reports"}] * 50)
    site.worker("--queue", "default", "--queue", "reports", "--threads", "2").started()

    for _ in range(3):
        wait_for(create_program(["noop", "count"]), State.FINISHED)

    assert not Program.objects.filter(queue="reports", epoch__gt=0).exists()
    operations.resume_queue("reports")
    resumed_at = time.monotonic()
    eventually(all_ended, within=30)
    assert time.monotonic() - resumed_at < NOTICED + 5.0
    assert {program.pk for program in held} <= set(
        Program.objects.in_state(State.FINISHED).values_list("pk", flat=True)
    )


def test_a_burst_leaves_a_paused_queue_alone_and_ends(site: Site) -> None:
    operations.pause_queue("reports")
    held = create_program(["noop"], queue="reports")
    free = create_program(["noop"])

    worker = site.worker("--burst", "--queue", "default", "--queue", "reports")

    assert worker.process.wait(timeout=30) == 0
    assert Program.objects.get(pk=free.pk).state is State.FINISHED
    assert Program.objects.get(pk=held.pk).epoch == 0


@on_server
def test_a_retry_that_becomes_due_in_a_paused_queue_waits(site: Site) -> None:
    given = {"how": ["retry", "succeed"], "retry_after": 600.0, "journal": str(site.journal)}
    site.worker().started()
    program = create_program(["behave"], given)
    wait_for(program, State.SCHEDULED)
    operations.pause_queue("default")
    paused_at = time.monotonic()
    eventually(lambda: time.monotonic() > paused_at + NOTICED)

    Program.objects.filter(pk=program.pk).update(run_at=program.created_at)
    make_due(program)
    wait_for(program, State.WAITING)
    due_at = time.monotonic()
    eventually(lambda: time.monotonic() > due_at + NOTICED)

    assert len(starts(site)) == 1
    operations.resume_queue("default")
    wait_for(program, State.FINISHED)


# Draining ------------------------------------------------------------------------------------


def test_a_drained_worker_ends_well_and_its_running_job_ends_first(site: Site) -> None:
    gate = site.folder / "gate"
    program = create_program(["behave", "noop"], {"how": "wait_for_file", "file": str(gate)})
    worker = site.worker(TEST_LEASE="3").started()
    wait_for(program, State.RUNNING)

    operations.drain_worker(worker.name, by="ada", reason="a new kernel")
    eventually(lambda: "ending, asked to drain by ada: running jobs may take" in worker.output)
    told_at = time.monotonic()  # the supervisor has heard of it, and now tells its children
    eventually(lambda: time.monotonic() > told_at + NOTICED)
    untouched = create_program(["noop"])
    gate.touch()

    assert worker.process.wait(timeout=15) == 0
    given_back = Program.objects.get(pk=program.pk)
    assert (given_back.state, given_back.step) == (State.WAITING, 1)
    assert [attempt.outcome for attempt in given_back.attempts.all()] == [Ending.SUCCEEDED]
    assert Program.objects.get(pk=untouched.pk).epoch == 0
    row = WorkerRow.objects.get()
    assert row.stopped_at is not None
    assert Operation.objects.get().verb == Verb.DRAIN_WORKER


@on_sqlite
def test_one_worker_is_drained_and_the_other_carries_on(site: Site) -> None:
    drained = site.worker(TEST_LEASE="3").started()
    other = site.worker(TEST_LEASE="3").started()
    eventually(lambda: WorkerRow.objects.live().count() == 2)

    operations.drain_worker(WorkerRow.objects.get(name=drained.name))

    assert drained.process.wait(timeout=15) == 0
    assert "ending, asked to drain: running jobs" in drained.output
    wait_for(create_program(["noop"]), State.FINISHED)
    assert other.process.poll() is None


@on_sqlite
def test_the_first_signal_after_a_drain_cuts_no_job_off(site: Site) -> None:
    """What ends every worker in good order may follow a drain; who is in a hurry signals twice."""
    program = create_program(["behave"], {"how": "wait_for_file", "file": "never"})
    worker = site.worker("--shutdown-timeout", "600", TEST_LEASE="3").started()
    wait_for(program, State.RUNNING)
    operations.drain_worker(eventually(WorkerRow.objects.first))
    eventually(lambda: "two signals end them now" in worker.output)

    worker.signal(signal.SIGTERM)
    began = time.monotonic()
    eventually(lambda: time.monotonic() > began + 1.0)
    assert worker.process.poll() is None
    worker.signal(signal.SIGTERM)

    assert worker.process.wait(timeout=10) == 0
    assert Program.objects.get(pk=program.pk).worker is None


@on_server
def test_a_drained_worker_ends_at_the_shutdown_timeout_and_counts_no_loss(site: Site) -> None:
    program = create_program(["behave"], {"how": "wait_for_file", "file": "never"})
    worker = site.worker("--shutdown-timeout", "0.5", TEST_LEASE="3").started()
    wait_for(program, State.RUNNING)

    operations.drain_worker(worker.name)

    assert worker.process.wait(timeout=15) == 0
    released = Program.objects.get(pk=program.pk)
    assert (released.state, released.losses) == (State.WAITING, 0)

"""Faults: brokers and databases that go away, workers that are killed, hints that lie."""

from __future__ import annotations

import json
import os
import random
import time
from collections import defaultdict

import pika
import pytest

from programs.conf import settings as executor_settings
from programs.models import Ending, Program, State
from programs.submission import create_program, create_programs
from programs.transport.publisher import flush
from tests.servers import Postgres, RabbitMQ
from tests.site import Site, Worker, all_ended, wait_for
from tests.waiting import eventually

on_rabbitmq = pytest.mark.parametrize("site", ["rabbitmq"], indirect=True)
on_postgresql = pytest.mark.parametrize("site", ["postgresql"], indirect=True)


def publish(site: Site, *bodies: bytes) -> None:
    """Put messages on the site's queue by hand."""
    connection = pika.BlockingConnection(pika.URLParameters(site.environment["AMQP_URL"]))
    channel = connection.channel()
    for body in bodies:
        channel.basic_publish("", site.environment["TEST_QUEUE_NAME"], body)
    connection.close()


def messages_left(site: Site, rabbitmq: RabbitMQ) -> int:
    listed = rabbitmq.ctl("list_queues", "name", "messages")
    counts = dict(line.split("\t") for line in listed.splitlines() if "\t" in line)
    return int(counts[site.environment["TEST_QUEUE_NAME"]])


@on_rabbitmq
@pytest.mark.invariant(5)
def test_hints_in_any_number_and_order_run_each_step_once(site: Site, rabbitmq: RabbitMQ) -> None:
    programs = create_programs([{"jobs": ["count", "count"]}] * 20)
    hints = [b'{"runId": "%s"}' % program.run_id.encode() for program in programs] * 10
    random.Random(7).shuffle(hints)
    flush(5.0)

    publish(site, *hints)
    site.worker("--processes", "2").started()

    eventually(all_ended)
    publish(site, *hints)  # and once more, behind the end
    eventually(lambda: messages_left(site, rabbitmq) == 0)
    for program in Program.objects.all():
        assert program.job_data == {"count": {"n": 2}}
        assert program.attempts.count() == 2


@on_rabbitmq
@pytest.mark.invariant(12)
def test_bad_hints_are_logged_and_gone_and_harm_no_good_one(site: Site, rabbitmq: RabbitMQ) -> None:
    worker = site.worker("--threads", "2").started()
    secret = b"s3cr3t-and-long " * 65_536

    publish(
        site,
        b"",
        b"not json",
        b"\xff\xfe\x00",
        b"[]",
        b"{}",
        b'{"runId": 7}',
        b'{"runId": ""}',
        b'{"runId": null}',
        b'{"runId": "no-such-program"}',
        b"[" * 100_000,
        secret[: 1024 * 1024],
        b'{"runId": "\\u0000"}',
        b'{"runId": "' + b"x" * 300 + b'"}',
    )
    wait_for(create_program(["noop"]), State.FINISHED)

    eventually(lambda: messages_left(site, rabbitmq) == 0)
    refused = [line for line in worker.output.splitlines() if "is no hint" in line]
    assert len(refused) >= 10
    assert max(len(line) for line in worker.output.splitlines()) < 700
    assert worker.process.poll() is None


@on_rabbitmq
@pytest.mark.invariant(1)
def test_a_forged_hint_for_a_program_that_was_rolled_back_runs_nothing(site: Site) -> None:
    from django.db import transaction

    worker = site.worker().started()
    with transaction.atomic(using=executor_settings.DATABASE):
        program = create_program(["noop"])
        publish(site, b'{"runId": "%s"}' % program.run_id.encode())
        wait_for(create_programs_elsewhere(site), State.FINISHED)
        transaction.set_rollback(True, using=executor_settings.DATABASE)
    wait_for(create_program(["noop"]), State.FINISHED)
    assert not Program.objects.filter(run_id=program.run_id).exists()
    assert worker.process.poll() is None


def create_programs_elsewhere(site: Site) -> Program:
    """Create a program in another process, whose transaction is its own."""
    run_id = site.manage(
        "shell",
        "-v0",
        "-c",
        "from programs.submission import create_program; print(create_program(['noop']).run_id)",
    ).split()[-1]
    return Program.objects.get(run_id=run_id)


@on_rabbitmq
@pytest.mark.invariant(7)
def test_while_the_broker_is_down_programs_are_created_at_once_and_all_run(
    site: Site, rabbitmq: RabbitMQ
) -> None:
    worker = site.worker().started()
    wait_for(create_program(["noop"]), State.FINISHED)
    rabbitmq.stop()
    try:
        longest = 0.0
        for _ in range(50):
            started = time.monotonic()
            create_program(["noop", "count"])
            longest = max(longest, time.monotonic() - started)
        eventually(all_ended)  # through the database alone
        assert longest < 0.25  # the statement itself included, on a busy machine
    finally:
        rabbitmq.start()
    eventually(lambda: worker.output.count("Connected to RabbitMQ") > 1, within=20)
    started = time.monotonic()
    wait_for(create_program(["noop"]), State.FINISHED)
    assert time.monotonic() - started < 5


@on_rabbitmq
@pytest.mark.invariant(6)
def test_no_hint_waits_in_the_broker_while_its_job_runs(site: Site, rabbitmq: RabbitMQ) -> None:
    gate = site.folder / "gate"
    program = create_program(["behave"], {"how": "wait_for_file", "file": str(gate)})
    later = create_program(["behave"], {"how": "retry", "retry_after": 3600})
    site.worker().started()
    wait_for(program, State.RUNNING)
    wait_for(later, State.SCHEDULED)
    eventually(lambda: messages_left(site, rabbitmq) == 0)
    gate.touch()
    wait_for(program, State.FINISHED)


@on_rabbitmq
def test_a_lost_hint_is_found_by_the_sweep(site: Site, rabbitmq: RabbitMQ) -> None:
    worker = site.worker().started()
    wait_for(create_program(["noop"]), State.FINISHED)
    programs = create_programs([{"jobs": ["noop"]}] * 5)
    assert worker.process.poll() is None
    rabbitmq.ctl("purge_queue", site.environment["TEST_QUEUE_NAME"])
    for program in programs:
        wait_for(program, State.FINISHED)


@on_rabbitmq
def test_a_row_that_the_original_inserted_runs_when_it_is_hinted(site: Site) -> None:
    site.worker().started()
    program = Program.objects.create(jobs=["noop", "count"], program_data={}, queue=None)
    body = {"jobs": ["noop", "count"], "programData": {}, "runId": program.run_id}
    publish(site, json.dumps(body).encode())
    finished = wait_for(program, State.FINISHED)
    assert finished.queue == "default"


@on_postgresql
def test_a_restart_of_the_database_is_survived(site: Site, postgres: Postgres) -> None:
    worker = site.worker("--threads", "4", TEST_LEASE="5").started()
    given = {"how": "sleep", "seconds": 0.2}
    programs = create_programs([{"jobs": ["behave"] * 4, "program_data": given}] * 12)
    eventually(lambda: Program.objects.in_state(State.FINISHED).exists())

    postgres.restart("immediate")

    from django.db import connections

    connections[executor_settings.DATABASE].close()
    eventually(all_ended, within=60)
    assert worker.process.poll() is None
    for program in Program.objects.filter(pk__in=[program.pk for program in programs]):
        assert program.state is State.FINISHED
        steps = [a.step for a in program.attempts.all() if a.outcome == Ending.SUCCEEDED]
        assert steps == [0, 1, 2, 3]


@pytest.mark.invariant(4)
@pytest.mark.timeout(240)
def test_workers_killed_again_and_again_lose_nothing(site: Site) -> None:
    """Three workers, one killed with its children every second: audited by the journal.

    The whole of it, as issue 2 asks: KILL_SECONDS=30 KILL_PROGRAMS=200 KILL_LEASE=15
    KILL_JOB_SECONDS=0.3 in the environment, and a minute's patience.
    """
    seconds = float(os.environ.get("KILL_SECONDS", "6"))
    many = int(os.environ.get("KILL_PROGRAMS", "40"))
    lease = os.environ.get("KILL_LEASE", "3")
    job_seconds = float(os.environ.get("KILL_JOB_SECONDS", "0.1"))
    given = {"how": "sleep", "seconds": job_seconds, "journal": str(site.journal)}
    jobs = ["behave", "behave_too", "behave_again", "behave", "behave_too"]
    create_programs([{"jobs": jobs, "program_data": given}] * many)

    def start() -> Worker:
        return site.worker("--threads", "4", TEST_LEASE=lease)

    workers = [start() for _ in range(3)]
    workers[0].started()
    kills: list[tuple[float, set[int]]] = []
    victims = random.Random(1)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        victim = victims.randrange(3)
        pids = set(workers[victim].children)
        workers[victim].kill()
        kills.append((time.monotonic(), pids))
        workers[victim] = start()
        time.sleep(1.0)  # the pace of the kills, not a wait for something

    eventually(all_ended, within=120)

    audit(site, many, len(jobs), {pid for _, pids in kills for pid in pids})


def audit(site: Site, programs: int, steps: int, killed: set[int]) -> None:
    """Judge journal, programs and attempts: nothing lost, doubled, or out of order."""
    assert Program.objects.in_state(State.FINISHED).count() == programs
    running: dict[str, tuple[int, int]] = {}
    done: dict[str, list[int]] = defaultdict(list)
    for _, event, run_id, step, _, pid in site.events():
        if event == "start":
            if run_id in running:  # it began before, and never ended: its process was killed
                earlier_step, earlier_pid = running[run_id]
                assert earlier_pid in killed, f"{run_id}: two attempts at once"
                assert earlier_step == step, f"{run_id}: a step that did not end was passed"
            running[run_id] = (step, pid)
        else:
            assert running.pop(run_id) == (step, pid)
            done[run_id].append(step)
    assert not running
    for program in Program.objects.all():
        first_ends = list(dict.fromkeys(done[program.run_id]))
        assert first_ends == list(range(steps)), f"{program.run_id}: {done[program.run_id]}"
        attempts = list(program.attempts.all())
        assert [a.step for a in attempts] == sorted(a.step for a in attempts)
        assert [a.step for a in attempts if a.outcome == Ending.SUCCEEDED] == list(range(steps))
        for attempt in attempts:  # every re-run is explained by a kill
            assert attempt.outcome in (Ending.SUCCEEDED, Ending.LOST)

"""Hints that come too often, never, or are none: only the row decides what is run."""

from __future__ import annotations

import contextlib
import json

import pytest
from pika.exceptions import AMQPError

from programs.lease import lease_clock
from programs.models import Program
from programs.submission import create_programs
from programs.transport.publisher import flush
from programs.transport.topology import broker_queue
from tests.faults.arena import Arena, all_end, scaled
from tests.faults.conftest import Verdict
from tests.faults.hinting import (
    counted,
    first_start,
    heard_at,
    is_empty,
    run_more_than_once,
)
from tests.messages import delete, hints, ready, send
from tests.servers import RabbitMQ
from tests.waiting import eventually

JOBS = ["behave", "behave_too", "behave_again"]
MANY = int(scaled(200, 5000))  # that wait when their hints are lost


def create_many(arena: Arena, count: int, jobs: list[str], **given: object) -> list[Program]:
    data = arena.given("sleep", seconds=0.001, **given)
    return create_programs([{"jobs": jobs, "program_data": data}] * count)


def all_hints_arrive(rabbitmq: RabbitMQ, count: int) -> None:
    def are_there() -> bool:
        with contextlib.suppress(AMQPError):  # the publisher has not made the queue yet
            return ready(rabbitmq, broker_queue("default")) == count
        return False

    eventually(are_there, within=30, every=0.1)


@pytest.mark.fault("every hint delivered 10 times, shuffled")
@pytest.mark.invariant(5)
@pytest.mark.timeout(240)
def test_hints_in_any_number_and_order_run_each_step_once(
    arena: Arena, rabbitmq: RabbitMQ, verdict: Verdict
) -> None:
    programs = create_many(arena, int(scaled(20, 200)), JOBS)
    assert flush(10)
    shuffled = hints(*(program.run_id for program in programs)) * 10
    arena.random.shuffle(shuffled)
    half = len(shuffled) // 2

    send(rabbitmq, broker_queue("default"), *shuffled[:half])
    for _ in range(2):
        arena.worker("--processes", "2")
    send(rabbitmq, broker_queue("default"), *shuffled[half:])  # while they run
    all_end(within=120)
    send(rabbitmq, broker_queue("default"), *shuffled)  # and once more, behind the end

    eventually(is_empty(rabbitmq), within=60)
    verdict.audited(arena.audit())
    verdict.says(f"{2 * len(shuffled)} hints")
    assert run_more_than_once(arena) == []


@pytest.mark.fault("queue purged with thousands waiting")
@pytest.mark.timeout(300)
def test_programs_whose_hints_are_purged_all_run(
    arena: Arena, rabbitmq: RabbitMQ, verdict: Verdict
) -> None:
    create_many(arena, MANY, ["behave"])
    all_hints_arrive(rabbitmq, MANY)
    rabbitmq.ctl("purge_queue", broker_queue("default"))
    assert is_empty(rabbitmq)()

    arena.worker("--processes", "2")
    first = first_start(arena, within=30)

    all_end(within=240)
    verdict.audited(arena.audit())
    verdict.says(f"first after {first:.1f} s, the start of the worker included")
    assert run_more_than_once(arena) == []
    assert first < 10


@pytest.mark.fault("queue deleted while consuming, with thousands waiting")
@pytest.mark.timeout(300)
def test_programs_whose_queue_is_deleted_all_run_and_hints_come_again(
    arena: Arena, rabbitmq: RabbitMQ, verdict: Verdict
) -> None:
    create_many(arena, MANY, ["behave"])
    all_hints_arrive(rabbitmq, MANY)
    worker = arena.worker("--processes", "2").started()
    first_start(arena, within=30)

    delete(rabbitmq, broker_queue("default"))
    deleted_at = lease_clock()
    next_one = first_start(arena, within=30)
    heard = heard_at(arena, rabbitmq, within=40) - deleted_at

    all_end(within=240)
    verdict.audited(arena.audit())
    verdict.says(f"next one after {next_one:.1f} s, hints are heard after {heard:.1f} s")
    assert run_more_than_once(arena) == []
    assert next_one < 10
    assert worker.process.poll() is None


def malformed(arena: Arena, count: int) -> list[bytes]:
    """Return messages of which none is a hint, some of them huge."""
    kinds = [
        b"",
        b"not json",
        b"\xff\xfe\x00",
        b"[]",
        b"{}",
        b'"runId"',
        b'{"runId": 7}',
        b'{"runId": ""}',
        b'{"runId": null}',
        b'{"runId": ["a"]}',
        b"[" * 100_000,
        b'{"runId": "\\u0000"}',
        b'{"runId": "\\ud800"}',
        b'{"runId": "' + b"x" * 300 + b'"}',
        b'{"runId": "x", "padding": "' + b"x" * 70_000 + b'"}',
    ]
    huge = b'{"runId": "x", "jobs": ["' + b"x" * 2_200_000 + b'"]}'
    return [huge] * 10 + [arena.random.choice(kinds) for _ in range(count - 10)]


def unknown(arena: Arena, count: int) -> list[bytes]:
    """Return hints for programs that do not exist, in the original's form as well."""
    ids = [f"{arena.random.getrandbits(128):032x}" for _ in range(count)]
    full = {"jobs": ["noop"], "programData": {}}
    return [json.dumps({"runId": id, **arena.random.choice([{}, full])}).encode() for id in ids]


@pytest.mark.fault("malformed, huge, unknown hints by the thousand among good ones")
@pytest.mark.invariant(12)
@pytest.mark.timeout(240)
def test_bad_hints_harm_no_good_one_and_are_not_delivered_again(
    arena: Arena, rabbitmq: RabbitMQ, verdict: Verdict
) -> None:
    worker = arena.worker("--threads", "4").started()
    before = {what: counted(rabbitmq, what) for what in ("delivered", "acknowledged")}
    bad = malformed(arena, int(scaled(200, 3000)))
    strange = unknown(arena, int(scaled(100, 2000)))
    programs = create_many(arena, int(scaled(20, 300)), JOBS)  # hinted once by the publisher
    mixed = bad + strange + hints(*(program.run_id for program in programs))
    arena.random.shuffle(mixed)
    sent = len(mixed) + len(programs)

    send(rabbitmq, broker_queue("default"), *mixed)

    all_end(within=120)
    eventually(is_empty(rabbitmq), within=60)
    happened = {what: counted(rabbitmq, what) - before[what] for what in before}
    lines = worker.output.splitlines()
    assert happened["acknowledged"] == sent
    assert happened["delivered"] <= sent + 20  # a pause of consuming gives back what waits
    assert sum("is no hint and is dropped" in line for line in lines) == len(bad)
    assert max(len(line) for line in lines) < 700  # a huge one is named, not copied
    assert worker.process.poll() is None
    verdict.audited(arena.audit())
    verdict.says(
        f"{len(bad)} malformed, {len(strange)} unknown",
        f"{sent} sent, {happened['delivered']} delivered",
    )
    assert run_more_than_once(arena) == []

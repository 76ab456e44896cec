"""Hints that tests put on the broker by hand, and what proves that a worker hears them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable

from pika.exceptions import AMQPError

from programs.lease import lease_clock
from programs.models import Program
from programs.transport.topology import broker_queue
from tests.faults.arena import Arena
from tests.messages import channel_to, hints, send
from tests.servers import RabbitMQ
from tests.waiting import eventually


def stranger(arena: Arena) -> Program:
    """Insert a program as another program would: no sweep finds it, a hint alone starts it."""
    return Program.objects.create(jobs=["behave"], program_data=arena.given("succeed"), queue=None)


def heard_at(arena: Arena, rabbitmq: RabbitMQ, queue: str = "default", within: float = 30) -> float:
    """Return when a hint that was sent now has started its program, by `lease_clock`.

    It is sent again and again: the queue may have no leader yet, or may have to be made anew,
    and until then the broker drops what is sent to it.
    """
    program = stranger(arena)
    sent_at = float("-inf")

    def found() -> float | None:
        nonlocal sent_at
        if lease_clock() - sent_at > 0.5:
            sent_at = lease_clock()
            with contextlib.suppress(AMQPError, OSError):
                send(rabbitmq, broker_queue(queue), *hints(program.run_id))
        return started_at(arena, program)

    at = eventually(found, within=within, every=0.05)
    assert at is not None
    return at


def started_at(arena: Arena, program: Program) -> float | None:
    """Return when the first job of `program` started, by `lease_clock`; None if it has not."""
    starts = (
        line.at
        for line in arena.events()
        if line.run_id == program.run_id and line.event == "start"
    )
    return next(starts, None)


def first_start(arena: Arena, within: float) -> float:
    """Wait until any job starts after this call; return how many seconds that took."""
    since = lease_clock()

    def found() -> float | None:
        lines = arena.events()
        return next((line.at for line in lines if line.event == "start" and line.at > since), None)

    at = eventually(found, within=within)
    assert at is not None
    return at - since


def run_more_than_once(arena: Arena) -> list[tuple[str, int]]:
    """Return the (run id, step) of all jobs that started more than once."""
    starts = Counter((line.run_id, line.step) for line in arena.events() if line.event == "start")
    return [key for key, times in starts.items() if times > 1]


def consumers(rabbitmq: RabbitMQ, queue: str = "default") -> int:
    """Return how many consumers the broker knows of the queue; 0 while it cannot tell."""
    with contextlib.suppress(AMQPError, OSError), channel_to(rabbitmq) as channel:
        count: int = channel.queue_declare(broker_queue(queue), passive=True).method.consumer_count
        return count
    return 0


def counted(rabbitmq: RabbitMQ, what: str) -> int:
    """Return how many messages the broker has `delivered` or `acknowledged` in its whole life."""
    values = "maps:values(rabbit_global_counters:overview())"
    counters = f"[maps:get(messages_{what}_total, Counters, 0) || Counters <- {values}]"
    return int(rabbitmq.ctl("eval", f"lists:sum({counters})."))


def is_empty(rabbitmq: RabbitMQ, queue: str = "default") -> Callable[[], bool]:
    """Return what tells whether the queue holds nothing, not even unsettled."""

    def look() -> bool:
        listed = rabbitmq.ctl("list_queues", "name", "messages")
        counts = dict(line.split("\t") for line in listed.splitlines() if "\t" in line)
        return counts.get(broker_queue(queue)) == "0"

    return look

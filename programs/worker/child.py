"""A child process: its slots, its consumer, and its ear to the supervisor."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import django

from programs.worker.control import DONE, DRAIN, READY, Notice, Plan

if TYPE_CHECKING:
    from programs.worker.slots import Crew

TICK = 0.1  # seconds between two looks for a signal


def main() -> None:
    """Run what the supervisor planned: `python -m programs.worker.child PLAN ORDERS ANSWERS`.

    `ORDERS` and `ANSWERS` are the numbers of two pipes; a third may follow, for reports. A new
    process and no fork: nothing of the supervisor's connections and threads comes along.
    """
    plan, pipes = Plan.decode(sys.argv[1]), [int(number) for number in sys.argv[2:]]
    orders, answers, *reports = pipes
    for pipe in pipes:
        os.set_inheritable(pipe, False)  # a subprocess of a job must not hold them open
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the supervisor, which decides
    django.setup()

    # Only now: these need the apps.
    from programs import logs, relay
    from programs.conf import settings
    from programs.scheduling.firing import Clock, fire_due
    from programs.transport.consumer import Consumer
    from programs.transport.publisher import flush
    from programs.webhooks.catching_up import CatchUp, catch_up
    from programs.worker.database import prepare_connections
    from programs.worker.reporting import Reporter
    from programs.worker.slots import Crew

    logs.configure(plan.worker)
    prepare_connections()
    gc.freeze()  # what is loaded stays: no collection goes through it again
    hinted = settings.AMQP_URL is not None and not plan.burst
    crew = Crew(plan, hinted=hinted)
    terminated: list[int] = []  # a handler only notes: it may interrupt the holder of a lock
    signal.signal(signal.SIGTERM, lambda number, frame: terminated.append(number))
    ear = threading.Thread(target=listen, args=(orders, crew), name="supervisor", daemon=True)
    ear.start()
    consumer = Consumer(plan.queues, crew.inbox, prefetch=plan.threads) if hinted else None
    reporters = [Reporter(pipe, crew, consumer) for pipe in reports]
    webhooks, clock = CatchUp(), Clock()
    if plan.burst:
        catch_up()  # there may be no other worker: what is missing runs in this one
        fire_due()
        relay.wake()
    else:
        webhooks.start()
        clock.start()
        relay.keep_looking()
    crew.start()
    os.write(answers, READY)
    for reporter in reporters:
        reporter.start()
    if consumer is not None:
        consumer.start()
    while not crew.is_done(within=TICK):
        if terminated:
            crew.drain()
    webhooks.end()
    clock.end()
    if consumer is not None:
        consumer.stop(timeout=2.0)
    flush(timeout=1.0)
    for reporter in reporters:
        reporter.end(timeout=1.0)
    os.write(answers, DONE)


def listen(orders: int, crew: Crew) -> None:
    """Hear the supervisor until its pipe closes; then end at once, for nobody renews any more."""
    try:
        with os.fdopen(orders, "rb") as lines:
            for line in lines:
                if line == DRAIN:
                    crew.drain()
                else:
                    crew.board.apply(Notice.decode(line))
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()

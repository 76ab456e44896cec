"""Dramatiq: a pipeline of messages, without results."""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from benchmarks.peers import peer, tally

QUEUE = "benchmark-dramatiq"

broker = RabbitmqBroker(url=os.environ["AMQP_URL"])
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name=QUEUE)
def step(program: int, index: int) -> None:
    tally.note(program, index)


def _command(threads: int) -> list[str]:
    return [
        *("-m", "dramatiq", "benchmarks.peers.dramatiq_pipeline"),
        *("--processes", "1", "--threads", str(threads), "--skip-logging"),
    ]


class DramatiqPipeline(peer.Peer):
    packages = ("dramatiq", "pika")
    variants = {"threads-8": _command(8), "threads-1": _command(1)}

    def empty(self) -> None:
        self.clear()

    def fill(self, programs: range, steps: int, variant: str) -> None:
        for program in programs:
            messages = [
                step.message_with_options(args=(program, index), pipe_ignore=True)
                for index in range(steps)
            ]
            dramatiq.pipeline(messages).run()

    def clear(self) -> None:
        channel = broker.connection.channel()
        for queue in (QUEUE, f"{QUEUE}.DQ", f"{QUEUE}.XQ"):
            channel.queue_delete(queue)
        channel.close()


PEER = DramatiqPipeline()

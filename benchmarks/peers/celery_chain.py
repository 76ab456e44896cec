"""Celery: a chain of tasks. With CELERY_RESULTS set, each result is stored by Django's ORM."""

from __future__ import annotations

import os

from celery import Celery, chain

from benchmarks.peers import database, peer, tally

RESULTS = "CELERY_RESULTS" in os.environ
if RESULTS:
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.peers.settings"

QUEUE = "benchmark-celery"

app = Celery("benchmark", broker=os.environ["AMQP_URL"])
app.conf.update(
    task_default_queue=QUEUE,  # durable, as messages are persistent: Celery's defaults
    task_ignore_result=not RESULTS,
    result_backend="django-db" if RESULTS else None,
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="step")
def step(program: int, index: int) -> None:
    tally.note(program, index)


def _command(pool: str, concurrency: int) -> list[str]:
    """Return a worker's command; each has 32 messages in hand."""
    return [
        *("-m", "celery", "--app", "benchmarks.peers.celery_chain", "worker"),
        *("--pool", pool, "--concurrency", str(concurrency)),
        *("--prefetch-multiplier", str(32 // concurrency), "--loglevel", "WARNING"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]


class CeleryChain(peer.Peer):
    packages = ("celery", "kombu", "amqp", *(["django-celery-results"] if RESULTS else []))
    variants = {
        "threads-8": _command("threads", 8),
        "solo": _command("solo", 1),
        "prefork-1": _command("prefork", 1),
    }

    def empty(self) -> None:
        self._delete_queue()
        if RESULTS:
            from benchmarks.peers.settings import DATABASE

            database.create(DATABASE)
            self._migrate()

    def fill(self, programs: range, steps: int, variant: str) -> None:
        for program in programs:
            chain(step.si(program, index) for index in range(steps)).apply_async()

    def clear(self) -> None:
        self._delete_queue()
        if RESULTS:
            from benchmarks.peers.settings import DATABASE

            database.drop(DATABASE)

    def _delete_queue(self) -> None:
        with app.connection_for_write() as connection:
            connection.default_channel.queue_delete(QUEUE)

    def _migrate(self) -> None:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)


PEER = CeleryChain()

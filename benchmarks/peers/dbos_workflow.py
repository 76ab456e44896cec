"""DBOS: a workflow of steps, each of which is a row once it has ended.

`queue`: enqueued before the worker starts. `direct`: called from threads of the worker itself,
which spares DBOS its queue.
"""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions

from benchmarks.peers import database, peer, tally

DATABASE = "benchmark_dbos"
QUEUE = "benchmark"
PROGRAMS, STEPS = "BENCHMARK_PROGRAMS", "BENCHMARK_STEPS"
VERSION = "1"  # of the application: who fills the queue has another source file in view


@DBOS.step()
def step(program: int, index: int) -> None:
    tally.note(program, index)


@DBOS.workflow(name="program")
def program(number: int, steps: int) -> None:
    for index in range(steps):
        step(number, index)


def _launch() -> None:
    config = DBOSConfig(
        name="benchmark",
        system_database_url=database.url_of(DATABASE),
        application_version=VERSION,
        sys_db_pool_size=20,
        log_level="WARNING",
    )
    DBOS(config=config)
    DBOS.launch()


def run_queue(concurrency: int) -> None:
    """Run queued workflows, so many at a time, until told to end."""
    _launch()
    DBOS.register_queue(QUEUE, worker_concurrency=concurrency, polling_interval_sec=0.01)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
    ended.wait()
    DBOS.destroy()


def run_directly(threads: int) -> None:
    """Call workflows from so many threads, without a queue."""
    _launch()
    many, steps = int(os.environ[PROGRAMS]), int(os.environ[STEPS])
    with ThreadPoolExecutor(threads) as pool:
        for number in range(many):
            pool.submit(program, number, steps)
    DBOS.destroy()


class DbosWorkflow(peer.Peer):
    packages = ("dbos", "psycopg", "SQLAlchemy")
    variants = {
        "direct-8": ["-c", f"from {__name__} import run_directly; run_directly(8)"],
        "queue-8": ["-c", f"from {__name__} import run_queue; run_queue(8)"],
    }

    def empty(self) -> None:
        database.create(DATABASE)
        _launch()
        DBOS.destroy()

    def fill(self, programs: range, steps: int, variant: str) -> None:
        if variant.startswith("direct"):
            os.environ[PROGRAMS], os.environ[STEPS] = str(len(programs)), str(steps)
            return
        client = DBOSClient(system_database_url=database.url_of(DATABASE))
        options: EnqueueOptions = {
            "queue_name": QUEUE,
            "workflow_name": "program",
            "app_version": VERSION,
        }
        for number in programs:
            client.enqueue(options, number, steps)
        client.destroy()

    def clear(self) -> None:
        database.drop(DATABASE)


PEER = DbosWorkflow()

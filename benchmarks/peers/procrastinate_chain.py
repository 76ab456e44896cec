"""Procrastinate: jobs that follow each other, each of them a row.

`next`: each job defers the one after it. `lock`: all are deferred at once, and a lock that the
jobs of a program share keeps their order.
"""

from __future__ import annotations

import asyncio
import os

import procrastinate

from benchmarks.peers import database, peer, tally

DATABASE = "benchmark_procrastinate"
STEPS = "BENCHMARK_STEPS"

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(
        conninfo=database.url_of(DATABASE), min_size=10, max_size=10
    )
)


@app.task(name="locked")
async def locked(program: int, index: int) -> None:
    tally.note(program, index)


@app.task(name="chained")
async def chained(program: int, index: int) -> None:
    tally.note(program, index)
    if index + 1 < int(os.environ[STEPS]):
        await chained.defer_async(program=program, index=index + 1)


class ProcrastinateChain(peer.Peer):
    packages = ("procrastinate", "psycopg")
    variants = {
        name: ["-c", f"from {__name__} import app; app.run_worker(concurrency={concurrency})"]
        for name, concurrency in (("next-8", 8), ("lock-8", 8), ("lock-1", 1))
    }

    def empty(self) -> None:
        database.create(DATABASE)
        with app.open():
            app.schema_manager.apply_schema()

    def fill(self, programs: range, steps: int, variant: str) -> None:
        os.environ[STEPS] = str(steps)
        fill = self._fill_next if variant.startswith("next") else self._fill_locked
        asyncio.run(fill(programs, steps))

    async def _fill_next(self, programs: range, steps: int) -> None:
        firsts = ({"program": program, "index": 0} for program in programs)
        async with app.open_async():
            await chained.batch_defer_async(*firsts)

    async def _fill_locked(self, programs: range, steps: int) -> None:
        async with app.open_async():
            for program in programs:
                own = ({"program": program, "index": index} for index in range(steps))
                await locked.configure(lock=str(program)).batch_defer_async(*own)

    def clear(self) -> None:
        database.drop(DATABASE)


PEER = ProcrastinateChain()

"""One measure of this project, once, in a process of its own; what was found is printed as JSON."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

from django.core.management import call_command

from benchmarks import engine, waiting
from benchmarks.figures import percentile
from programs.models import Program
from programs.submission import create_program, create_programs
from programs.transport.publisher import flush

WARM_UP = 50  # programs, until all threads are connected and the broker's consumer is there
PAUSE, PAUSE_OF_STEP = 0.03, 0.004  # seconds between two programs: the system is idle

Found = dict[str, float]


def drain(options: argparse.Namespace) -> Found:
    """Drain a queue that was full before the worker started."""
    engine.empty()
    return _drain(options)


def drain_among(options: argparse.Namespace) -> Found:
    """Drain as many programs as are created, whatever else waits in the table."""
    engine.forget_hints()
    return _drain(options, at_most=options.programs)


def _drain(options: argparse.Namespace, at_most: int | None = None) -> Found:
    engine.fill(options.programs, [options.job] * options.steps)
    ended = engine.Ended.so_far()
    with engine.worker(options.threads, options.processes, at_most) as process:
        if at_most is None:
            engine.wait_until_ended()
        else:
            process.wait(timeout=engine.PATIENCE)
    jobs = options.programs * options.steps
    ended.check(options.programs, jobs)
    seconds = ended.seconds()
    return {"rate": options.programs / seconds, "jobs": jobs / seconds}


def latency(options: argparse.Namespace) -> Found:
    """Create programs one by one on an idle system; how long each takes, in ms.

    `median` and `slow` (99th percentile) are the rows' own `finished_at - created_at`; `from_call`
    is the median from before `create_program` is called.
    """
    engine.empty()
    ended = engine.Ended.so_far()
    jobs = [options.job] * options.steps
    pause = PAUSE + options.steps * PAUSE_OF_STEP
    called: dict[int, float] = {}
    with engine.worker(options.threads):
        for _ in range(WARM_UP):
            create_program(jobs)
            time.sleep(pause)
        engine.wait_until_ended()
        for _ in range(options.programs):
            now = time.time()
            called[create_program(jobs).pk] = now
            time.sleep(pause)
        engine.wait_until_ended()
    programs = WARM_UP + options.programs
    ended.check(programs, programs * options.steps)
    spans, spans_from_call = [], []
    for program in Program.objects.filter(pk__in=called):
        assert program.finished_at is not None
        spans.append((program.finished_at - program.created_at).total_seconds() * 1000)
        spans_from_call.append((program.finished_at.timestamp() - called[program.pk]) * 1000)
    return {
        "median": statistics.median(spans),
        "slow": percentile(spans, 99),
        "from_call": statistics.median(spans_from_call),
    }


def creation(options: argparse.Namespace) -> Found:
    """Create programs one by one, then many at once."""
    engine.empty()
    jobs = [options.job] * options.steps
    create_programs([{"jobs": jobs}] * WARM_UP)
    create_program(jobs)
    began = time.perf_counter()
    for _ in range(options.programs):
        create_program(jobs)
    one_by_one = options.programs / (time.perf_counter() - began)
    flush(engine.PATIENCE)
    began = time.perf_counter()
    create_programs([{"jobs": jobs}] * engine.BATCH)
    many = engine.BATCH / (time.perf_counter() - began)
    flush(engine.PATIENCE)
    hinted = engine.BATCH / (time.perf_counter() - began)
    made = Program.objects.count()
    if made != WARM_UP + 1 + options.programs + engine.BATCH:
        raise SystemExit(f"wrong outcome: {made} programs in the table")
    return {"one": one_by_one, "many": many, "hinted": hinted}


def memory(options: argparse.Namespace) -> Found:
    """Tell the child's resident memory after half of the programs and after all, in MB."""
    engine.empty()
    ended = engine.Ended.so_far()
    readings = []
    half = options.programs // 2
    with engine.worker(options.threads) as process:
        for _ in range(2):
            engine.fill(half, [options.job] * options.steps)
            engine.wait_until_ended()
            readings.append(engine.resident_memory(engine.child_of(process.pid)))
    ended.check(2 * half, 2 * half * options.steps)
    return {"half": readings[0], "end": readings[1]}


def claims(options: argparse.Namespace) -> Found:
    """Claim and run waiting programs by the engine's own ways, by hint and by sweep, in ms."""
    return waiting.claims(options.programs)


def populate(options: argparse.Namespace) -> Found:
    """Migrate the database, and let it hold as many programs that wait, of which nobody hints."""
    call_command("migrate", verbosity=0)
    waiting.populate(options.programs, [options.job] * options.steps)
    return {"due": Program.objects.due("default").count()}


MEASURES: dict[str, Callable[[argparse.Namespace], Found]] = {
    measure.__name__.replace("_", "-"): measure
    for measure in (drain, drain_among, latency, creation, memory, claims, populate)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("--programs", type=int, required=True)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--job", default="noop")
    options = parser.parse_args()
    print(json.dumps(MEASURES[options.measure](options)))


if __name__ == "__main__":
    main()

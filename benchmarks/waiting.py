"""A table in which very many programs wait, and claims out of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from django.db import connection

from benchmarks import engine
from benchmarks.figures import percentile
from programs import execution
from programs.conf import settings
from programs.lease import Lease
from programs.models import Program
from programs.models.transitions import Standing
from programs.worker.sweep import Sweep

QUEUE = "default"
SLOT = "benchmark-claims/0.0"
WARM_UP = 20  # claims: the first compiles what the others reuse

# Due one after the other, each a little before the next: none is hinted.
PROGRAMS = """
INSERT INTO {table} (run_id, program_data, jobs, job_data, created_at, updated_at, queue, due_at)
SELECT lpad(to_hex(n), 12, '0') || left(md5(n::text), 12), '{{}}', %s, '{{}}', now(), now(), %s,
    now() - (%s - n) * interval '1 millisecond'
FROM generate_series(1, %s) AS n
"""


def populate(many: int, jobs: list[str]) -> None:
    engine.empty()
    table = Program._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(PROGRAMS.format(table=table), [json.dumps(jobs), QUEUE, many, many])
        cursor.execute("VACUUM ANALYZE")  # as autovacuum does it within minutes


def claims(many: int) -> dict[str, float]:
    """Return the 50th and 99th percentile of claims in ms, by hint and by sweep; all are run."""
    spread_out = Program.objects.filter(worker__isnull=True, due_at__isnull=False)
    waiting = spread_out.order_by("-due_at").values_list("run_id", flat=True)
    run_ids = list(waiting[: (many + WARM_UP) * 20 : 20])  # far from those that the sweep takes
    if len(run_ids) < many + WARM_UP:
        raise SystemExit(f"only {len(run_ids)} programs to claim")
    ended = engine.Ended.so_far()
    hinted = iter(run_ids)
    sweep = Sweep("benchmark-claims", [QUEUE], adaptive=False)
    lease = settings.lease
    by_hint = _timed(many, lambda: Program.objects.claim_named(next(hinted), (QUEUE,), SLOT, lease))
    by_sweep = _timed(many, lambda: sweep.claim(SLOT, lease, at_most=1))
    programs = 2 * (many + WARM_UP)
    ended.check(programs, 3 * programs)
    return {
        "hint": percentile(by_hint, 50),
        "hint_slow": percentile(by_hint, 99),
        "sweep": percentile(by_sweep, 50),
        "sweep_slow": percentile(by_sweep, 99),
    }


def _timed(many: int, claim: Callable[[], Program | None]) -> list[float]:
    taken = []
    for _ in range(WARM_UP + many):
        began = time.perf_counter()
        program = claim()
        taken.append((time.perf_counter() - began) * 1000)
        if program is None:
            raise SystemExit("nothing was to be had, though programs wait")
        standing = execution.carry(program, Lease(settings.lease), lambda: False)
        if standing is not Standing.FINISHED:
            raise SystemExit(f"a claimed program is {standing.value}")
    return taken[WARM_UP:]

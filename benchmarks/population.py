"""A million programs as a busy site leaves them in a month: what the console is measured on.

Made by the database itself, PostgreSQL, in batches that hold programs with their attempts, so that
a fill that was broken off goes on where it was. What a program is follows from its number: two
fills are the same but for their times. Some of it is there to mislead: all paused programs are
among the oldest, most errors came in two incidents, and one queue has few programs, long ago.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.db import connections, transaction
from django.utils import timezone

from programs.bulk import BulkOperation, Order
from programs.inspection import Selection
from programs.models import BulkOutcome, Operation, Program, State, Verb, Worker

BATCH = 50_000  # programs
QUEUES = ["default", "reports", "mail", "imports", "legal"]  # the last one is the rare one
VERBS = ("import", "export", "check", "send")
NOUNS = ("orders", "prices", "invoices", "customers", "stock")
JOBS = [f"{verb}_{noun}" for verb in VERBS for noun in NOUNS]
RARE_TEXT = "disk quota exceeded"  # in the messages of a few programs of each 10,000
ERRORS = [
    "ConnectionError: the warehouse closed the connection while sending order ",
    "KeyError: 'price' is missing in line ",
    "ValueError: invalid literal for int() with base 10: 'n/a' in row ",
    "PermissionError: the mail server refused the sender of message ",
    "gave up after 10 retries: HTTPError: 503 Service Unavailable for request ",
]
WORKERS, LIVE_WORKERS, LOST_WORKERS = 50, 10, 5
OPERATIONS = 200_000  # of a million programs
MANY_ATTEMPTS, MANY_OUTCOMES = 5000, 12_000
TEXT = "".join(
    f"{number * 7919 % 1009:03d} stock item, warehouse {number}; " for number in range(99)
)

# One program of each number. `chance` is of 1,000.
PROGRAMS = """
WITH numbered AS (
    SELECT n, n::float / %(many)s AS part, (n * 2654435761 %% 4294967296) / 4294967.296 AS chance,
        n * 40503 %% 1000 AS other,
        now() - '30 days'::interval * (1 - (n - 3 * random()) / %(many)s) AS created
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
), fated AS (
    SELECT *, 1 + n %% 5 AS steps, CASE
        WHEN n > %(many)s - 32 AND n %% 2 = 0 THEN 'running'
        WHEN n > %(many)s - 40 AND n %% 2 = 0 THEN 'stopping'
        WHEN part > 0.98 AND n %% 2 = 0 THEN 'waiting'
        WHEN part BETWEEN 0.001 AND 0.005 THEN 'paused'
        WHEN part BETWEEN 0.4 AND 0.42 OR part BETWEEN 0.9 AND 0.91 THEN 'errored'
        WHEN chance < 10 THEN 'errored'
        WHEN chance < 20 THEN 'stopped'
        WHEN chance < 26 THEN 'scheduled'
        ELSE 'finished' END AS fate
    FROM numbered
), told AS (
    SELECT *, least(created + random() * '2 minutes'::interval, now()) AS started,
        least(created + (2 + random() * 8) * '1 minute'::interval, now()) AS ended,
        now() + (0.04 + other / 40.0) * '1 day'::interval AS later,
        fate = 'finished' AS is_finished,
        fate IN ('running', 'stopping') AS is_held,
        CASE WHEN fate IN ('waiting', 'paused') THEN 0 ELSE least(steps - 1, n %% 3) END AS at_step
    FROM fated
)
INSERT INTO programs (run_id, program_data, jobs, job_data, step, step_retry_count, finished_at,
    errored_at, error_message, created_at, updated_at, queue, run_at, due_at, epoch, worker,
    started_at, step_started_at, losses, stop_requested_at, stopped_at, paused_at,
    idempotency_key, created_by)
SELECT
    lpad(to_hex((extract(epoch FROM created) * 1000)::bigint), 12, '0') || left(md5(n::text), 12),
    jsonb_build_object('year', 2000 + n %% 26, 'customer', n,
        'text', substr(%(text)s, (1 + n %% 500)::int, (150 + other * 1.8)::int)),
    (SELECT jsonb_agg((%(jobs)s)[1 + (n * 7 + i * i) %% 20]) FROM generate_series(1, steps) AS i),
    CASE WHEN other < 300 THEN jsonb_build_object((%(jobs)s)[1 + (n * 7 + 1) %% 20],
        jsonb_build_object('page', other)) ELSE '{}' END,
    CASE WHEN is_finished THEN steps - 1 ELSE at_step END,
    CASE WHEN fate = 'scheduled' THEN 1 ELSE 0 END,
    CASE WHEN is_finished THEN ended END,
    CASE WHEN fate = 'errored' THEN ended END,
    CASE WHEN fate <> 'errored' THEN NULL
        WHEN chance < 0.4 THEN 'OSError: ' || %(rare)s
        WHEN part BETWEEN 0.4 AND 0.42
            THEN 'TimeoutError: database db' || n %% 7 || ' did not answer within 30 s'
        ELSE (%(errors)s)[1 + other %% 5] || n END,
    created,
    CASE WHEN fate = 'waiting' THEN created ELSE ended END,
    (%(queues)s)[CASE WHEN part < 0.3 AND n %% 2003 = 5 THEN 5 WHEN other < 700 THEN 1
        WHEN other < 880 THEN 2 WHEN other < 970 THEN 3 ELSE 4 END],
    CASE WHEN fate = 'scheduled' THEN later ELSE created END,
    CASE fate WHEN 'waiting' THEN created WHEN 'scheduled' THEN later
        ELSE CASE WHEN is_held THEN now() + '10 days'::interval END END,
    at_step + 1,
    CASE WHEN is_held THEN 'worker-' || n %% 10 || '/0.' || n %% 8 END,
    CASE WHEN fate NOT IN ('waiting', 'paused') THEN started END,
    CASE WHEN fate NOT IN ('waiting', 'paused') THEN started END,
    0,
    CASE WHEN fate IN ('stopping', 'stopped') THEN ended END,
    CASE WHEN fate = 'stopped' THEN ended END,
    CASE WHEN fate = 'paused' THEN ended END,
    CASE WHEN n %% 10 = 0 THEN 'order ' || md5(created::text || n) END,
    CASE WHEN other %% 3 > 0 THEN 'operator' || other %% 12 END
FROM told ORDER BY n
"""

# One attempt of each step that was reached; of the first step of some, two.
ATTEMPTS = """
INSERT INTO programs_attempt (program_id, step, job, number, epoch, worker, started_at, ended_at,
    outcome, error_class, message, traceback, log)
SELECT id, tried, jobs ->> tried, number, number, 'worker-' || id %% 50 || '/0.' || id %% 8,
    began, began + random() * random() * (1 + tried * 20) * '1 second'::interval, outcome,
    CASE WHEN has_failed THEN split_part(error, ':', 1) END,
    CASE WHEN has_failed THEN error END,
    CASE WHEN has_failed THEN 'Traceback (most recent call last):' || chr(10)
        || substr(%(text)s, (1 + id %% 900)::int, (400 + id %% 1100)::int) END,
    CASE WHEN id %% 3 = 0 THEN substr(%(text)s, (1 + id %% 900)::int, (id %% 900)::int) END
FROM (
    SELECT *, outcome IN ('retried', 'errored', 'ignored') AS has_failed FROM (
        SELECT p.id, p.jobs, tried, number,
            coalesce(p.error_message, 'ConnectionError: the other side hung up') AS error,
            p.started_at + (tried * 3 + number - 1) * '10 seconds'::interval AS began,
            CASE WHEN number < tries THEN 'retried'
                WHEN tried < p.step OR p.finished_at IS NOT NULL THEN 'succeeded'
                WHEN p.errored_at IS NOT NULL
                    THEN CASE WHEN p.id %% 9 = 0 THEN 'ignored' ELSE 'errored' END
                WHEN p.stopped_at IS NOT NULL THEN 'stopped'
                ELSE 'retried' END AS outcome
        FROM programs AS p
            CROSS JOIN LATERAL generate_series(0, p.step) AS tried
            CROSS JOIN LATERAL (
                SELECT CASE WHEN p.id %% 6 = 0 AND tried = 0 THEN 2 ELSE 1 END AS tries
            ) AS chosen
            CROSS JOIN LATERAL generate_series(1, tries) AS number
        WHERE p.id > %(after)s AND p.started_at IS NOT NULL AND p.worker IS NULL
    ) AS ended
) AS judged ORDER BY id, tried, number
"""

OPERATION_ROWS = """
INSERT INTO programs_operation (program_id, subject, verb, by, reason, detail, created_at)
SELECT CASE WHEN n %% 100 > 0 THEN %(newest)s - (n * 7919) %% %(many)s END,
    CASE WHEN n %% 100 = 0 THEN (%(queues)s)[1 + n / 100 %% 5] END,
    CASE WHEN n %% 100 = 0 THEN 'pause_queue'
        ELSE (ARRAY['stop', 'retry', 'pause', 'resume', 'edit'])[1 + n %% 5] END,
    'operator' || n %% 12,
    CASE WHEN n %% 3 = 0 THEN 'ticket ' || n END,
    jsonb_build_object('from', 'errored', 'to', 'waiting', 'from_step', NULL),
    now() - '30 days'::interval * (1 - n::float / %(operations)s)
FROM generate_series(1, %(operations)s) AS n
"""

MORE_ATTEMPTS = """
INSERT INTO programs_attempt (program_id, step, job, number, epoch, worker, started_at, ended_at,
    outcome, error_class, message, traceback)
SELECT %(program)s, 0, 'import_orders', n, n, 'worker-1/0.1', now() - (6000 - n) * '1 s'::interval,
    now() - (5999.5 - n) * '1 second'::interval, 'retried', 'TimeoutError', 'no answer',
    left(%(text)s, 1500)
FROM generate_series(10, 10 + %(many)s) AS n
"""

OUTCOMES = """
INSERT INTO programs_bulk (bulk_id, run_id, refusal, created_at)
SELECT %(bulk)s, run_id,
    CASE WHEN id %% 40 = 0 THEN 'program ' || run_id || ' is running: it cannot be retried' END,
    now() - '1 hour'::interval
FROM (SELECT id, run_id FROM programs WHERE finished_at IS NOT NULL LIMIT %(many)s) AS treated
"""

GIVEN: dict[str, Any] = {
    "text": TEXT,
    "jobs": JOBS,
    "queues": QUEUES,
    "errors": ERRORS,
    "rare": RARE_TEXT,
}


def fill(many: int) -> bool:
    """Add what is missing of `many` programs, three attempts for each and what is beside them."""
    vendor = connections[Program.objects.db].vendor
    if vendor != "postgresql":
        raise SystemExit(f"DATABASE_URL leads to {vendor}: a PostgreSQL is measured")
    present = Program.objects.count()
    began = time.monotonic()
    for first in range(present + 1, many + 1, BATCH):
        last = min(first + BATCH - 1, many)
        with transaction.atomic(using=Program.objects.db):
            newest = Program.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
            _execute(PROGRAMS, first=first, last=last, many=many)
            _execute(ATTEMPTS, after=newest)
        print(f"{last:,} programs after {time.monotonic() - began:.0f} s", flush=True)
    if not Operation.objects.exists():
        newest = Program.objects.order_by("-pk").values_list("pk", flat=True)[0]
        _execute(OPERATION_ROWS, newest=newest, many=many, operations=many * OPERATIONS // 10**6)
    if not Worker.objects.exists():
        _add_workers()
    if much_tried().attempts.count() < MANY_ATTEMPTS:
        _execute(MORE_ATTEMPTS, program=much_tried().pk, many=MANY_ATTEMPTS)
    if not BulkOutcome.objects.exists():
        _add_bulk_operation()
    if present < many:  # as autovacuum does it within minutes
        _execute("VACUUM ANALYZE")
    return present < many


def much_tried() -> Program:
    """Return the program that has thousands of attempts."""
    return Program.objects.in_state(State.ERRORED).order_by("-errored_at")[10]


def beat() -> None:
    """Let the live workers be heard of, as they are every few seconds."""
    live = [f"worker-{number}" for number in range(LIVE_WORKERS)]
    Worker.objects.filter(name__in=live).update(last_seen_at=timezone.now())


def _add_bulk_operation() -> None:
    """Let one of the finished programs have treated thousands."""
    selection = Selection(state=State.ERRORED)
    order = Order(Verb.RETRY, selection, up_to=1, by="operator1", total=MANY_OUTCOMES)
    bulk = Program.objects.in_state(State.FINISHED).order_by("-finished_at")[3]
    bulk.jobs, bulk.step, bulk.program_data = [BulkOperation.name], 0, order.encode()
    bulk.job_data = {BulkOperation.name: {"done": MANY_OUTCOMES, "refused": 0}}
    bulk.save(update_fields=["jobs", "step", "program_data", "job_data"])
    _execute(OUTCOMES, bulk=bulk.pk, many=MANY_OUTCOMES)


def _add_workers() -> None:
    gone = timezone.now() - timedelta(hours=3)
    Worker.objects.bulk_create(
        Worker(
            name=f"worker-{number}",
            host=f"host-{number % 7}",
            pid=1000 + number,
            queues=QUEUES[: 1 + number % 5],
            slots=8,
            jobs=JOBS,
            version="1.0",
            started_at=gone - timedelta(hours=number),
            last_seen_at=gone,
            stopped_at=gone if number >= LIVE_WORKERS + LOST_WORKERS else None,
        )
        for number in range(WORKERS)
    )


def _execute(statement: str, **given: Any) -> None:
    with connections[Program.objects.db].cursor() as cursor:
        cursor.execute(statement, {**GIVEN, **given})

"""The limits: the engine's statements from bare psycopg2, and confirmed publishes from bare pika.

A program costs one claim and, for each of its steps, one statement that advances the row, fenced,
and inserts the attempt; each is committed before the next. What is found is printed as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pika
import psycopg2
from django.db import connection as django_connection

from benchmarks import engine
from programs.models.columns import new_run_id
from programs.submission import create_program

JOBS = ["noop"] * 3
QUEUE = "benchmark-raw"

CLAIM = """
UPDATE programs SET worker = %s, epoch = epoch + 1,
    due_at = STATEMENT_TIMESTAMP() + 15 * INTERVAL '1 second',
    started_at = COALESCE(started_at, STATEMENT_TIMESTAMP()),
    step_started_at = STATEMENT_TIMESTAMP(), updated_at = STATEMENT_TIMESTAMP()
WHERE run_id = %s AND queue = 'default' AND due_at <= STATEMENT_TIMESTAMP() AND worker IS NULL
    AND losses = 0 AND finished_at IS NULL AND errored_at IS NULL AND stopped_at IS NULL
RETURNING *
"""
OUTCOME = """
WITH moved AS (
    UPDATE programs SET step_retry_count = 0, losses = 0, updated_at = STATEMENT_TIMESTAMP(), {}
    WHERE id = %s AND epoch = %s AND worker = %s AND step = %s AND errored_at IS NULL{}
    RETURNING id
)
INSERT INTO programs_attempt (program_id, step, job, number, epoch, worker, started_at, ended_at,
    outcome, error_class, message, traceback, log)
SELECT id, %s, %s, 1, %s, %s, STATEMENT_TIMESTAMP() - 0.001 * INTERVAL '1 second',
    STATEMENT_TIMESTAMP(), 'succeeded', NULL, NULL, NULL, NULL FROM moved
"""
ADVANCE = OUTCOME.format(
    "step = step + 1, step_started_at = STATEMENT_TIMESTAMP()",
    " AND stop_requested_at IS NULL AND paused_at IS NULL",
)
FINISH = OUTCOME.format("finished_at = STATEMENT_TIMESTAMP(), worker = NULL, due_at = NULL", "")


def drain(many: int, threads: int) -> dict[str, float]:
    """Claim and run `many` programs in so many threads, each with a connection of its own."""
    engine.empty()
    engine.fill(many, JOBS)
    ended = engine.Ended.so_far()
    with django_connection.cursor() as cursor:
        cursor.execute("SELECT run_id FROM programs ORDER BY id")
        run_ids = iter([run_id for (run_id,) in cursor.fetchall()])
    lock = threading.Lock()

    def taken() -> Iterator[str]:
        while True:
            with lock:
                run_id = next(run_ids, None)
            if run_id is None:
                return
            yield run_id

    def slot(name: str) -> None:
        with closing(_connected()) as connection, connection.cursor() as cursor:
            columns: dict[str, int] = {}
            for run_id in taken():
                _run(cursor, name, run_id, columns)

    slots = [threading.Thread(target=slot, args=(f"raw/{number}",)) for number in range(threads)]
    for thread in slots:
        thread.start()
    for thread in slots:
        thread.join()
    ended.check(many, many * len(JOBS))
    engine.forget_hints()
    return {"rate": many / ended.seconds()}


def _run(cursor: Any, slot: str, run_id: str, columns: dict[str, int]) -> None:
    cursor.execute(CLAIM, (slot, run_id))
    row = cursor.fetchone()
    if not columns:
        columns.update({column.name: index for index, column in enumerate(cursor.description)})
    pk, epoch, jobs = row[columns["id"]], row[columns["epoch"]], row[columns["jobs"]]
    for step, job in enumerate(jobs):
        statement = FINISH if step == len(jobs) - 1 else ADVANCE
        cursor.execute(statement, (pk, epoch, slot, step, step, job, epoch, slot))
        if cursor.rowcount != 1:
            raise AssertionError(f"program {pk} was not ours at step {step}")


def inserts(many: int, threads: int) -> dict[str, float]:
    """Execute the INSERT of `create_program`, as Django wrote it, each committed."""
    engine.empty()
    kept: list[tuple[str, list[Any]]] = []

    def keep(execute: Callable[..., Any], sql: str, params: Any, *rest: Any) -> Any:
        if sql.startswith("INSERT"):
            kept.append((sql, list(params)))
        return execute(sql, params, *rest)

    with django_connection.execute_wrapper(keep):
        program = create_program(JOBS)
    ((statement, params),) = kept
    at = params.index(program.run_id)
    with closing(_connected()) as connection, connection.cursor() as cursor:
        began = time.perf_counter()
        for _ in range(many):
            params[at] = new_run_id()
            cursor.execute(statement, params)
            cursor.fetchone()
        return {"rate": many / (time.perf_counter() - began)}


def publishes(many: int, threads: int) -> dict[str, float]:
    """Publish persistent messages to a quorum queue, each confirmed before the next."""
    parameters = pika.URLParameters(os.environ["AMQP_URL"])
    with closing(pika.BlockingConnection(parameters)) as connection:
        channel = connection.channel()
        channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        channel.confirm_delivery()
        persistent = pika.BasicProperties(delivery_mode=2)
        began = time.perf_counter()
        for number in range(many):
            channel.basic_publish("", QUEUE, str(number).encode(), persistent, mandatory=True)
        rate = many / (time.perf_counter() - began)
        channel.queue_delete(QUEUE)
        return {"rate": rate}


def _connected() -> Any:
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    connection.autocommit = True
    return connection


LIMITS = {limit.__name__: limit for limit in (drain, inserts, publishes)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("limit", choices=LIMITS)
    parser.add_argument("--programs", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    print(json.dumps(LIMITS[options.limit](options.programs, options.threads)))


if __name__ == "__main__":
    main()

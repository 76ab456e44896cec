"""What Program Executor JS does, done by hand: its queues, its messages, its statements."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

import pika
from django.db import connections
from pika.adapters.blocking_connection import BlockingChannel

from tests.messages import channel_to
from tests.servers import RabbitMQ


def as_node_declares(channel: BlockingChannel, name: str) -> None:
    """Declare both queues as the original's consumer does: any difference is refused."""
    retry = f"{name}-retry-1000"
    back = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": name}
    channel.queue_declare(retry, durable=False, arguments={"x-message-ttl": 1000, **back})
    away = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": retry}
    channel.queue_declare(name, durable=False, arguments=away)


def messages(rabbitmq: RabbitMQ, name: str) -> list[tuple[Any, pika.BasicProperties]]:
    """Take off the queue what waits in it, as Node reads it."""
    found = []
    with channel_to(rabbitmq) as channel:
        as_node_declares(channel, name)
        while (got := channel.basic_get(name, auto_ack=True))[0] is not None:
            found.append((json.loads(got[2]), got[1]))
    return found


def insert(using: str, run_id: str, *jobs: str, table: str = "programs", **given: Any) -> None:
    """Insert a row as the original does; what it was not given is the columns' default."""
    row = {"run_id": run_id, "jobs": list(jobs), "step": 0, "job_data": {}, **given}
    insert_row(using, table, row)


def insert_row(using: str, table: str, row: dict[str, Any]) -> None:
    """Insert a row that holds whatever is given."""
    connection = connections[using]

    def stored(value: Any) -> Any:
        if isinstance(value, datetime):
            return connection.ops.adapt_datetimefield_value(value)
        return json.dumps(value) if isinstance(value, (list, dict)) else value

    quote, places = connection.ops.quote_name, ", ".join(["%s"] * len(row))
    into = f"{quote(table)} ({', '.join(map(quote, row))})"
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {into} VALUES ({places})", [*map(stored, row.values())])


def publish(rabbitmq: RabbitMQ, name: str, run_id: str, *jobs: str, **given: Any) -> None:
    """Publish a program as the original does: without `programData` where it has none."""
    body = json.dumps({"jobs": jobs, **given, "runId": run_id}, separators=(",", ":"))
    properties = pika.BasicProperties(headers={}, timestamp=time.time_ns() // 1_000_000)
    with channel_to(rabbitmq) as channel:
        as_node_declares(channel, name)
        channel.basic_publish("", name, body.encode(), properties)

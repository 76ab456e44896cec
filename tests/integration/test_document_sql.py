"""The SQL in the documents is run, by the server that it is for."""

from __future__ import annotations

from django.db import connections, transaction

from tests.blocks import Block, each
from tests.running import on_postgresql


@on_postgresql
@each("sql")
def test_sql_runs(block: Block, bookkeeping: str) -> None:
    with transaction.atomic(using=bookkeeping):
        with connections[bookkeeping].cursor() as cursor:
            cursor.execute(block.code)
        transaction.set_rollback(True, using=bookkeeping)

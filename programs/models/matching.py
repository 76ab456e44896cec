"""Texts that hold what somebody seeks."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F
from django.db.models.lookups import IContains
from django.db.models.sql.compiler import SQLCompiler


class Holds(IContains):
    """Whether the text of a column holds another one, whatever the case of their letters.

    On MySQL Django's own leaves that to the column's collation, which tells them apart where keys
    that differ in their case alone are to differ.
    """

    def __init__(self, column: str, sought: str) -> None:
        super().__init__(F(column), sought)

    def process_lhs(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, lhs: Any = None
    ) -> tuple[str, Any]:
        sql, params = super().process_lhs(compiler, connection, lhs)
        if connection.vendor == "mysql":
            sql = f"CONVERT({sql} USING utf8mb4) COLLATE utf8mb4_general_ci"
        return sql, params

"""Claiming one program by its run id: the hottest path, with SQL that Django compiles once.

Building and compiling these two queries anew took half of a no-op program's time in the
interpreter. The querysets stay the only source of the SQL; here it is kept for each connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from django.db import connections
from django.db.models.sql import UpdateQuery

if TYPE_CHECKING:
    from programs.models.program import Program, ProgramQuerySet


class Given(str):
    """A parameter that each call gives: Django passes texts on as they are."""

    __slots__ = ()


class Claiming:
    """The two statements of a claim, for one connection, its queues and its lease."""

    def __init__(self, queryset: ProgramQuerySet, queues: Sequence[str], lease: float) -> None:
        connection = connections[queryset.db]
        self._model = queryset.model
        self._alias = queryset.db
        named = queryset.filter(run_id=Given("run_id")).due(*queues).unblemished()
        update = cast("UpdateQuery", named.query.chain(UpdateQuery))
        update.add_update_values(queryset.claim_values(Given("slot"), lease))
        self._update, self._update_params = update.get_compiler(connection=connection).as_sql()
        held = queryset.held_by([Given("slot")]).order_by()
        self._compiler = held.query.get_compiler(connection=connection)
        self._select, self._select_params = self._compiler.as_sql()
        columns = [column for column, _, _ in self._compiler.select]
        self._converters = self._compiler.get_converters(columns)
        self._names = [field.attname for field in self._model._meta.concrete_fields]

    def __call__(self, run_id: str, slot: str) -> Program | None:
        """Claim the program for `slot`, or return None if it is not to be had."""
        given = {"run_id": run_id, "slot": slot}
        with self._compiler.connection.cursor() as cursor:
            cursor.execute(self._update, _bound(self._update_params, given))
            if not cursor.rowcount:
                return None
            cursor.execute(self._select, _bound(self._select_params, given))
            rows = cursor.fetchall()
        (row,) = self._compiler.apply_converters(rows, self._converters)
        program: Program = self._model.from_db(self._alias, self._names, row)
        return program


def claiming(queryset: ProgramQuerySet, queues: Sequence[str], lease: float) -> Claiming:
    """Return the statements for this thread's connection, compiled at the first call."""
    connection = connections[queryset.db]  # of this thread: kept on it, and gone with it
    kept: dict[Any, Claiming] = vars(connection).setdefault("programs_claiming", {})
    key = (tuple(queues), lease)
    if key not in kept:
        kept[key] = Claiming(queryset, queues, lease)
    return kept[key]


def _bound(params: Sequence[Any], given: Mapping[str, str]) -> list[Any]:
    return [given[param] if isinstance(param, Given) else param for param in params]

"""Claiming one program by its run id: one statement, where the database can tell what it wrote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import connections
from django.db.models import Q
from django.db.models.functions import Coalesce

from programs.models import compiled
from programs.models.clock import Utc
from programs.models.compiled import Given, Rows, Statement
from programs.models.persistence import again_if_victim

if TYPE_CHECKING:
    from programs.models.program import Program, ProgramQuerySet

# UPDATE … RETURNING. (MariaDB knows RETURNING for other statements alone, SQLite since 3.35.)
TELLING = {"postgresql", "sqlite"}

# As `due` says it, but in words that no index answers: without statistics PostgreSQL would take
# the index of due times for the one of run ids, and read all that is due for each claim.
IS_DUE = Q(soon__lte=Utc())


class Claiming:
    """A claim by run id, compiled for one connection, its queues and its lease."""

    def __init__(self, queryset: ProgramQuerySet, queues: Sequence[str], lease: float) -> None:
        text = queryset.model._meta.get_field("run_id")
        run_id, slot = Given(0, text), Given(1, text)
        named = queryset.open().unblemished().filter(run_id=run_id, queue__in=queues)
        due = named.alias(soon=Coalesce("due_at", Utc(after=lease))).filter(IS_DUE)
        self._claimed = Rows(queryset.filter(worker=slot).order_by())
        connection = connections[queryset.db]
        self._alias = queryset.db
        knows_returning = connection.features.can_return_columns_from_insert
        self._tells = connection.vendor in TELLING and knows_returning
        told = self._claimed.columns if self._tells else ()
        values = queryset.claim_values(slot, lease)
        self._update = compiled.update(due, returning=told, **values)

    def __call__(self, run_id: str, slot: str) -> Program | None:
        """Claim the program for `slot`, or return None if it is not to be had."""
        given = (run_id, slot)
        with compiled.in_turn(self._update.connection):
            if self._tells:
                found = self._claimed.of(self._update.fetch(given))
            else:
                claimed = again_if_victim(lambda: self._update.write(given), self._alias)
                found = self._claimed.fetch(given) if claimed else []
        return found[0] if found else None


def claiming(queryset: ProgramQuerySet, queues: Sequence[str], lease: float) -> Claiming:
    """Return the claim for this thread's connection, compiled at the first call."""
    key = ("claim", tuple(queues), lease)
    return compiled.kept(queryset.db, key, lambda: Claiming(queryset, queues, lease))


def adopting(queryset: ProgramQuerySet) -> Statement:
    """Return the statement that takes a row that only a hint makes due, given run id and queue.

    Each refused hint asks for it: mostly its program was claimed already.
    """

    def statement() -> Statement:
        text = queryset.model._meta.get_field("run_id")
        rows = queryset.filter(run_id=Given(0, text)).adoptable(into=Given(1, text))
        return compiled.update(rows, queue=Given(1, text), due_at=Utc(), updated_at=Utc())

    return compiled.kept(queryset.db, ("adopt",), statement)

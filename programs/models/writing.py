"""Writing the row of a program, if its fence holds, and the attempt with it: both or neither."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from django.db import connections, models, transaction

from programs.models import compiled
from programs.models.attempt import Attempt, Record
from programs.models.clock import Utc
from programs.models.compiled import Given, Statement

if TYPE_CHECKING:
    from programs.models.columns import Columns

# What becomes part of a statement; all else is given to it.
GIVEN, NOW, LATER = "given", "now", "later"
Shape = tuple[tuple[str, Any], ...]

ATTEMPT_COLUMNS = tuple(field.name for field in fields(Record))
values_of = attrgetter(*ATTEMPT_COLUMNS)


def write(
    program: Columns,
    changes: Mapping[str, Any],
    conditions: Mapping[str, Any],
    attempt: Record | None = None,
) -> bool:
    """Change the row that meets `conditions` and insert `attempt`; False where none meets them.

    `changes` are keyed as in a queryset's update, `conditions` as in its filter; of expressions,
    `Utc` is known. What differs between calls is given, the rest is compiled once.
    """
    given: list[Any] = []
    shape = (_shape(changes.items(), given), _shape(conditions.items(), given))
    history: Shape = ()
    if attempt is not None:
        history = _shape(zip(ATTEMPT_COLUMNS, values_of(attempt), strict=True), given)
    using = program.alias
    model = type(program)
    kind = (*shape, history)
    return compiled.kept(using, kind, lambda: Writing(model, using, *kind))(given)


class Writing:
    """The statement, or the two, of one kind of outcome, for one connection."""

    def __init__(
        self,
        model: type[Columns],
        using: str,
        changes: Shape,
        conditions: Shape,
        history: Shape,
    ) -> None:
        self._using = using
        places = _Places()
        values = {name: places.of(model, name, kind) for name, kind in changes}
        needs = {name: places.of(model, name, kind) for name, kind in conditions}
        rows = model._default_manager.using(using).filter(**needs)
        self._statements = [compiled.update(rows, **values)]
        if history:
            told = {name: places.of(Attempt, name, kind) for name, kind in history}
            self._statements.append(compiled.insert(Attempt, using, **told))
        if len(self._statements) > 1 and connections[using].vendor == "postgresql":
            self._statements = [both(*self._statements)]

    def __call__(self, given: list[Any]) -> bool:
        """Execute it with what differs; tell whether there was such a row."""
        first, *others = self._statements
        with compiled.in_turn(first.connection):
            if not others:
                return bool(first.write(given))
            with transaction.atomic(using=self._using):
                return all(statement.write(given) for statement in self._statements)


def both(update: Statement, insert: Statement) -> Statement:
    """Return the two as one: a transaction of its own, whose row count is that of the insertion.

    The portable form is four round trips, this one is one. A test holds both equal.
    """
    into, _, values = insert.sql.partition(" VALUES (")
    sql = f"WITH moved AS ({update.sql} RETURNING 1) {into} SELECT {values[:-1]} FROM moved"
    return Statement(update.connection, sql, [*update.params, *insert.params])


class _Places:
    """Counts the values that are given, in the order in which `_shape` finds them."""

    def __init__(self) -> None:
        self._next = 0

    def of(self, model: type[models.Model], name: str, kind: Any) -> Any:
        """Return what stands in the statement for a value of this kind."""
        if kind is GIVEN:
            return self._given(model._meta.get_field(name))
        if kind is NOW:
            return Utc()
        if kind is LATER:
            return Utc(after=self._given(models.FloatField()))
        return kind

    def _given(self, field: Any) -> Given:
        place = self._next
        self._next += 1
        return Given(place, field)


def _shape(values: Iterable[tuple[str, Any]], given: list[Any]) -> Shape:
    """Return of what kind each value is, and add those that are given to `given`."""
    shape = []
    for name, value in values:
        kind: Any = GIVEN
        if value is None or value is True or value is False:
            kind = value
        elif not isinstance(value, Utc):
            given.append(value)
        elif value.after:
            kind = LATER
            given.append(value.after)
        else:
            kind = NOW
        shape.append((name, kind))
    return tuple(shape)

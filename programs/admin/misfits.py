"""What of a program's data no longer fits what its jobs and its definition say of it."""

from __future__ import annotations

from dataclasses import dataclass

from programs.admin.text import legible
from programs.definition.code import registered_definitions
from programs.models import Program
from programs.typed import misfits

SHOWN = 20


@dataclass(frozen=True)
class Misfits:
    """The first of them, as pairs of field and reason, and how many more there are."""

    shown: list[tuple[str, str]]
    more: int


def misfits_of(program: Program) -> Misfits | None:
    """Return what does not fit, legible; None where all of it does."""
    definition = registered_definitions().get(program.definition or "")  # no other has a class
    found = misfits(program, definition.data_class if definition is not None else None)
    shown = [(legible(each.field), legible(each.message)) for each in found[:SHOWN]]
    return Misfits(shown, len(found) - len(shown)) if found else None

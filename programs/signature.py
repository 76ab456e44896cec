"""Who does something and why, as every operation records it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from programs import data
from programs.errors import InvalidProgram

if TYPE_CHECKING:
    from programs.models import Operation

LENGTHS = {"by": 255, "reason": 10_000}  # characters


class Signature(NamedTuple):
    """Who and why; None where nobody said so."""

    by: str | None
    reason: str | None

    @classmethod
    def of(cls, by: Any, reason: Any) -> Signature:
        """Return what was given, fit to be stored; raises `InvalidProgram`."""
        return cls(_text("by", by), _text("reason", reason))


def told(operation: Operation | None, deed: str) -> str:
    """Return who did it last, in brackets: two may act at once, and the second wants to know."""
    return f" (last {deed} by {operation.by})" if operation is not None and operation.by else ""


def _text(field: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise InvalidProgram(field, f"must be a text, not {type(value).__name__}")
    return data.clean(value, LENGTHS[field]).strip() or None if value else None

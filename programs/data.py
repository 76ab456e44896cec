"""JSON objects that are fit to be stored: program data and job data."""

from __future__ import annotations

import json
import re
from typing import Any

from programs.conf import settings
from programs.errors import InvalidData

JsonObject = dict[str, Any]

# A NUL character as JSON writes it, behind an even number of backslashes. PostgreSQL refuses it.
ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
NUL_OR_SURROGATE = re.compile("[\0\ud800-\udfff]")
REPLACEMENT = "\ufffd"


def stored(value: object) -> JsonObject:
    """Return `value` as the database will give it back: a JSON object, copied deeply.

    NUL characters and lone surrogates, which some databases refuse, become U+FFFD.

    Raises `InvalidData` for anything that is no JSON object (NaN and infinities included), that
    nests deeper than the database takes (100 levels, MySQL 30), or that is larger than `DATA_LIMIT`
    bytes.
    """
    if not isinstance(value, dict):
        raise InvalidData(f"must be a JSON object (a dict), not {type(value).__name__}")
    if not value:
        return {}
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        text = NUL_OR_SURROGATE.sub(REPLACEMENT, ESCAPED_NUL.sub(rf"\1{REPLACEMENT}", text))
        size = len(text.encode())
        copy: JsonObject = json.loads(text)
    except RecursionError as error:
        raise InvalidData(f"is nested more than {settings.data_levels} levels deep") from error
    except TypeError as error:
        raise InvalidData(f"holds a value that JSON has no form for: {error}") from error
    except ValueError as error:
        raise InvalidData(f"holds a number that JSON has no form for: {error}") from error
    if size > settings.DATA_LIMIT:
        raise InvalidData(
            f"is {size} bytes long; at most {settings.DATA_LIMIT} can be stored (DATA_LIMIT): "
            "store a reference to the data instead"
        )
    if _levels(copy) > settings.data_levels:
        raise InvalidData(f"is nested more than {settings.data_levels} levels deep")
    return copy


def _levels(value: JsonObject) -> int:
    """Return how deep objects and lists are nested in each other."""
    open_values: list[tuple[Any, int]] = [(value, 1)]
    deepest = 0
    while open_values:
        current, level = open_values.pop()
        deepest = max(deepest, level)
        inner = current.values() if isinstance(current, dict) else current
        open_values += [(item, level + 1) for item in inner if isinstance(item, (dict, list))]
    return deepest


def clean(text: str, limit: int) -> str:
    """Return `text` without what databases refuse, cut in its middle to `limit` characters."""
    if len(text) > limit:
        half = (limit - 5) // 2
        text = f"{text[:half]} ... {text[-half:]}"
    return NUL_OR_SURROGATE.sub(REPLACEMENT, text)

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


def stored(value: object) -> JsonObject:
    """Return `value` as the database will give it back: a JSON object, copied deeply.

    NUL characters and lone surrogates, which some databases refuse, become U+FFFD.

    Raises `InvalidData` for anything that is no JSON object (NaN and infinities included), that
    nests too deeply, or that is larger than `DATA_LIMIT` bytes.
    """
    if not isinstance(value, dict):
        raise InvalidData(f"must be a JSON object (a dict), not {type(value).__name__}")
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        text = ESCAPED_NUL.sub("\\1\ufffd", text)
        encoded = text.encode("utf-8", "surrogatepass")
        if len(encoded) > settings.DATA_LIMIT:
            raise InvalidData(
                f"is {len(encoded)} bytes long; at most {settings.DATA_LIMIT} can be stored "
                "(DATA_LIMIT): store a reference to the data instead"
            )
        copy = json.loads(encoded.decode("utf-8", "replace"))
    except RecursionError as error:
        raise InvalidData("is nested too deeply") from error
    except TypeError as error:
        raise InvalidData(f"holds a value that JSON has no form for: {error}") from error
    except InvalidData:
        raise
    except ValueError as error:
        raise InvalidData(f"holds a number that JSON has no form for: {error}") from error
    assert isinstance(copy, dict)
    return copy

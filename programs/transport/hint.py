"""The wire: what a message on the broker says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from programs.errors import InvalidHint

RUN_ID_LIMIT = 255
# A hint of ours is a few dozen bytes. The original's messages carry the whole program.
BODY_LIMIT = 64 * 1024
FULL_FORM_LIMIT = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Hint:
    """Says "look at the program of this run_id", and nothing else: the row is the truth."""

    run_id: str

    def encode(self) -> bytes:
        """Return the body of the message that carries this hint."""
        return json.dumps({"runId": self.run_id}).encode()

    @classmethod
    def decode(cls, body: bytes) -> Hint:
        """Return the hint in `body`, ours or the original's `{jobs, programData, runId}`.

        Raises InvalidHint, whose message tells the body's length and digest, and nothing of it.
        """
        if len(body) > FULL_FORM_LIMIT:
            raise InvalidHint(f"too many bytes for a hint: {_named(body)}")
        try:
            # Decoded apart, for json.loads would accept UTF-16 and UTF-32 as well.
            message = json.loads(body.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise InvalidHint(f"not JSON in UTF-8: {_named(body)}") from error
        if not isinstance(message, dict):
            raise InvalidHint(f"not a JSON object: {_named(body)}")
        if len(body) > BODY_LIMIT and "jobs" not in message:
            raise InvalidHint(f"too many bytes for a hint: {_named(body)}")
        return cls(_run_id(message.get("runId"), body))


def _run_id(value: object, body: bytes) -> str:
    if not isinstance(value, str):
        raise InvalidHint(f"runId is missing or no string: {_named(body)}")
    if not 0 < len(value) <= RUN_ID_LIMIT:
        raise InvalidHint(f"runId has not 1 to {RUN_ID_LIMIT} characters: {_named(body)}")
    # NUL and lone surrogates are legal in JSON, and no database takes them as text.
    if not value.isprintable():
        raise InvalidHint(f"runId has unprintable characters: {_named(body)}")
    return value


def _named(body: bytes) -> str:
    """Tell which message it is without its content, which may be anybody's data or password."""
    return f"{len(body)} bytes, SHA-256 {hashlib.sha256(body).hexdigest()}"

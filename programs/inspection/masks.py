"""Masked secrets that come back: put back in their place, or refused where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from programs.conf import settings
from programs.redaction import MASK, is_secret, unmasked


def restored(part: str, value: Any, stored: Any) -> Any:
    """Return the data that was typed, with the secrets that were masked when it was shown.

    `part`: "program_data" or "job_data", in which a job's own name makes nothing secret.
    """
    words = settings.SECRET_KEYS
    if part == "job_data" and isinstance(value, dict) and isinstance(stored, dict):
        return {job: unmasked(own, stored.get(job), words) for job, own in value.items()}
    return unmasked(value, stored, words)


def stray_masks(part: str, value: Any, stored: Any) -> list[str]:
    """Return where masks stand that hide nothing: for their keys, no secret is stored."""
    if part == "job_data" and isinstance(value, dict):
        known = stored if isinstance(stored, dict) else {}
        jobs = ((job, _stray(own, known.get(job), str(job))) for job, own in value.items())
        return [place for _, places in jobs for place in places]
    return list(_stray(value, stored, ""))


def _stray(value: Any, stored: Any, place: str) -> Iterator[str]:
    """Walk through both as `unmasked` does."""
    if isinstance(value, dict):
        known = stored if isinstance(stored, dict) else {}
        for key, own in value.items():
            inner = f"{place}.{key}".lstrip(".")
            if own == MASK and is_secret(key, settings.SECRET_KEYS):
                if key not in known:
                    yield inner
            else:
                yield from _stray(own, known.get(key), inner)
    elif isinstance(value, list):
        known_items = stored if isinstance(stored, list) else []
        for index, own in enumerate(value):
            item = known_items[index] if index < len(known_items) else None
            yield from _stray(own, item, f"{place}[{index}]")

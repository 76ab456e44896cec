"""Receivers that gave no answer: only one slot of a process waits for such a one at a time.

Without this, a receiver that is away would take all slots: each delivery waits for many seconds.
"""

from __future__ import annotations

import threading
from time import monotonic

from programs.models import Webhook
from programs.webhooks.call import DEADLINE

RESPITE = 3.0  # seconds after a call without an answer, in which no other is made

_until: dict[tuple[int, str], float] = {}  # by webhook and URL
_lock = threading.Lock()


def is_silent(webhook: Webhook) -> bool:
    """Tell whether the receiver gave no answer just now; every so often, one may try."""
    now = monotonic()
    with _lock:
        until = _until.get((webhook.pk, webhook.url))
        if until is None or now < until:
            return until is not None
        _until[webhook.pk, webhook.url] = now + DEADLINE  # the others wait for what this one finds
        return False


def begin(webhook: Webhook) -> None:
    """Note that the receiver gave no answer."""
    with _lock:
        _until[webhook.pk, webhook.url] = monotonic() + RESPITE


def end(webhook: Webhook) -> None:
    """Note that it answered."""
    with _lock:
        _until.pop((webhook.pk, webhook.url), None)

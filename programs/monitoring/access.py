"""Who may read metrics: they name queues and jobs, and how much is going on."""

from __future__ import annotations

from hmac import compare_digest

from programs.conf import settings


def bears_token(authorization: str | None) -> bool:
    """Tell whether this is `Bearer` and the setting `METRICS_TOKEN`; never where it is not set."""
    token = settings.METRICS_TOKEN
    scheme, _, given = (authorization or "").partition(" ")
    if token is None or scheme.lower() != "bearer":
        return False
    return compare_digest(given.strip().encode(), token.encode())

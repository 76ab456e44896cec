"""What must not be read by everybody, made unreadable."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

MASK = "***"


def redact_url(url: str) -> str:
    """Return `url` with its password masked, fit for a log line.

    >>> redact_url("amqp://ada:secret@broker:5672/jobs")
    'amqp://ada:***@broker:5672/jobs'
    """
    try:
        parts = urlsplit(url)
        has_password = parts.password is not None
    except ValueError:
        return MASK
    if not has_password:
        return url
    credentials, _, host = parts.netloc.rpartition("@")
    user = credentials.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{user}:{MASK}@{host}"))

"""What must not be read by everybody, made unreadable."""

from __future__ import annotations

import re

MASK = "***"


def redact_url(url: str) -> str:
    """Return `url` with its password masked, fit for a log line.

    Works on the text alone: a password with an unencoded `/` or `#` makes no URL, and must not
    be shown all the more.

    >>> redact_url("amqp://ada:secret@broker:5672/jobs")
    'amqp://ada:***@broker:5672/jobs'
    """
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    credentials, at, host = rest.rpartition("@")
    if not at and not host.startswith("["):  # a forgotten host: the "port" is the password then
        name, colon, port = host.partition(":")
        is_port = re.match(r"\d*([/?#]|$)", port)
        return url if is_port else f"{scheme}{separator}{name}{colon}{MASK}"
    user, colon, _ = credentials.partition(":")
    return f"{scheme}{separator}{user}{colon}{MASK}{at}{host}" if at and colon else url

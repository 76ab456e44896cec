"""How a worker's processes connect to databases: nothing may hang in a dead connection."""

from __future__ import annotations

from typing import Any

from django.db import connections

from programs.conf import settings

# libpq would wait for hours on a peer whose packets are dropped. Seconds, but for the last,
# which is in milliseconds and bounds how long sent data may stay unacknowledged.
POSTGRESQL_DEADLINES = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def prepare_connections() -> None:
    """Give the PostgreSQL aliases of this process deadlines, where the project gave none."""
    for alias in connections:
        config = connections.settings[alias]
        if "postgresql" in config["ENGINE"]:
            config["OPTIONS"] = {**POSTGRESQL_DEADLINES, **config.get("OPTIONS", {})}


def bound_statements(seconds: float) -> None:
    """Let no statement of this process on PostgreSQL take longer; for the supervisor alone."""
    config: dict[str, Any] = connections.settings[settings.DATABASE]
    if "postgresql" in config["ENGINE"]:
        options = config.setdefault("OPTIONS", {})
        limit = f"-c statement_timeout={round(seconds * 1000)}"
        options["options"] = f"{options.get('options', '')} {limit}".strip()

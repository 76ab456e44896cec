"""How a worker's processes connect to databases: nothing may hang in a dead connection."""

from __future__ import annotations

from django.db import connections

from programs.models.deadlines import watch_answers

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
    """Give the aliases of this process deadlines, where the project gave none."""
    watch_answers()
    for alias in connections:
        config = connections.settings[alias]
        if "postgresql" in config["ENGINE"]:
            config["OPTIONS"] = {**POSTGRESQL_DEADLINES, **config.get("OPTIONS", {})}
        elif "mysql" in config["ENGINE"]:
            config["OPTIONS"] = {"connect_timeout": 5, **config.get("OPTIONS", {})}

"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pika
import psycopg2

SETTINGS = ("server_version", "fsync", "synchronous_commit", "shared_buffers")


def described() -> dict[str, Any]:
    """Return the machine, its servers, and how busy it was before the first run."""
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB",
        "system": f"{platform.system()}, {platform.machine()}",
        "python": platform.python_version(),
        "postgresql": _postgresql(),
        "rabbitmq": _rabbitmq(),
        "load": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    for line in file.read_text().splitlines() if file.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _postgresql() -> dict[str, str]:
    """Return its version, and the settings on which the durability of all hangs."""
    found = {}
    with closing(psycopg2.connect(os.environ["DATABASE_URL"])) as connection:
        cursor = connection.cursor()
        for name in SETTINGS:
            cursor.execute(f"SHOW {name}")
            (found[name],) = cursor.fetchone() or ("",)
    return found


def _rabbitmq() -> str:
    parameters = pika.URLParameters(os.environ["AMQP_URL"])
    with closing(pika.BlockingConnection(parameters)) as connection:
        told: dict[str, Any] = connection._impl.server_properties  # type: ignore[attr-defined]
    version = told["version"]
    return version.decode() if isinstance(version, bytes) else str(version)

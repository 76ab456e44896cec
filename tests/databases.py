"""Which databases this session's tests run on.

SQLite and a PostgreSQL, each by what suits it, unless the environment names one alone: by
`TEST_DATABASE` a private one (`sqlite`, `postgresql`, `mariadb`), by `TEST_DATABASE_URL` one that
somebody has. Then all tests run on that one, but for those about what another vendor alone has.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.db import connections

PRIVATE = ("sqlite", "postgresql", "mariadb")  # what a session starts by itself

ENGINES = {
    "sqlite": "django.db.backends.sqlite3",
    "postgresql": "django.db.backends.postgresql",
    "mariadb": "django.db.backends.mysql",
    "mysql": "django.db.backends.mysql",
    "sqlserver": "mssql",
    "oracle": "django.db.backends.oracle",
    "redshift": "django_redshift_backend",
}
SCHEMES = {"postgres": "postgresql", "pgsql": "postgresql", "mssql": "sqlserver"}


def named() -> str | None:
    """Return what the environment asks for, or None for SQLite and PostgreSQL."""
    url = os.environ.get("TEST_DATABASE_URL", "")
    scheme = urlsplit(url).scheme
    asked = SCHEMES.get(scheme, scheme) or os.environ.get("TEST_DATABASE") or None
    if asked is None or asked in (ENGINES if url else PRIVATE):
        return asked
    variable = "the scheme of TEST_DATABASE_URL" if url else "TEST_DATABASE"
    known = ", ".join(ENGINES if url else PRIVATE)
    raise ValueError(f"{variable} is {asked!r}, and must be one of {known}")


ALONE = named()
KINDS = (ALONE,) if ALONE else ("sqlite", "postgresql")  # what tests are run on
SERVER = ALONE if ALONE not in (None, "sqlite") else "postgresql"  # the kind of server there is

# The database that Django's own tests are on, and the one that the engine's are on besides.
ALIASES = {"sqlite": "default", SERVER: "default" if SERVER == ALONE else "server"}


def settings(sqlite: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return DATABASES; where the server is, `lead_to` fills in once that has been started."""
    server = {"ENGINE": ENGINES[SERVER], "NAME": "", "TEST": {}}
    return {"default": server} if SERVER == ALONE else {"default": sqlite, "server": server}


def lead_to(url: str) -> None:
    """Lead the server's alias to the database of this URL."""
    own = connections[ALIASES[SERVER]].settings_dict
    own.update({**dj_database_url.parse(url), "ENGINE": ENGINES[SERVER]})

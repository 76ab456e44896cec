"""A database of a peer's own, on the server that DATABASE_URL names."""

from __future__ import annotations

import os
from contextlib import closing
from urllib.parse import urlsplit

import psycopg2


def url_of(database: str, scheme: str = "postgresql") -> str:
    """Return the URL of another database on the same server."""
    return (
        urlsplit(os.environ["DATABASE_URL"])._replace(scheme=scheme, path=f"/{database}").geturl()
    )


def create(database: str) -> None:
    """Make the database anew, so that no run measures what another has left."""
    drop(database)
    _execute(f'CREATE DATABASE "{database}"')


def drop(database: str) -> None:
    _execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


def _execute(statement: str) -> None:
    with closing(psycopg2.connect(os.environ["DATABASE_URL"])) as connection:
        connection.autocommit = True
        connection.cursor().execute(statement)

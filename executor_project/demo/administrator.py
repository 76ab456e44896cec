"""Who logs in to the console while developing."""

from __future__ import annotations

import secrets

from django.contrib.auth import get_user_model
from django.db import connection

NAME = "admin"
EASY = "admin"  # for a file on this machine that only 127.0.0.1 shows


def login() -> str:
    """Return how to log in, and make an administrator where the database has none.

    The easy password is for SQLite alone: a database server may be anybody's, so there it is
    random, and told once.
    """
    users = get_user_model()._default_manager
    user = users.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if user is None:
        password = EASY if connection.vendor == "sqlite" else secrets.token_urlsafe(12)
        users.create_superuser(NAME, password=password)
        return f"user {NAME}, password {password}"
    name = user.get_username()
    if user.check_password(EASY):
        return f"user {name}, password {EASY}"
    return f"user {name}, password as before; new: python manage.py changepassword {name}"

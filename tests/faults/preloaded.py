"""A WSGI application whose import creates a program and hints it, as `gunicorn --preload` does it.

The master's publisher is then alive, with its thread and its connection, before the workers fork.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from executor_project.wsgi import application  # first, for it sets Django up

# isort: split
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client

from programs.submission import create_program
from programs.transport import publisher
from tests.waiting import eventually

__all__ = ["application"]

create_program(["behave"], json.loads(os.environ["TEST_PROGRAM_DATA"]))
eventually(lambda: publisher.state() == "connected")
assert publisher.flush(10)

ada = Client()
ada.force_login(User.objects.create_superuser("ada"), backend=settings.AUTHENTICATION_BACKENDS[-1])
Path(os.environ["TEST_SESSION"]).write_text(ada.cookies["sessionid"].value)

connections.close_all()  # Django leaves it to whoever preloads

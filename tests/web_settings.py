"""The settings of a web server that tests start: production's, with static files of its own."""

import os
from pathlib import Path

from executor_project.settings import DATABASES, LOGGING
from tests.worker_settings import *  # noqa: F403

STATIC_ROOT = Path(os.environ["TEST_STATIC_ROOT"])
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick logins

DATABASES["default"]["CONN_MAX_AGE"] = int(os.environ.get("TEST_CONN_MAX_AGE", "0"))

# All that we ever say, so that it can be searched.
LOGGING["loggers"]["programs"] = {"level": "DEBUG"}

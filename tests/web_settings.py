"""The settings of a web server that tests start: production's, with static files of its own."""

import os
from pathlib import Path

from executor_project.settings import LOGGING
from tests.worker_settings import *  # noqa: F403

STATIC_ROOT = Path(os.environ["TEST_STATIC_ROOT"])
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick logins

# All that we ever say, so that it can be searched.
LOGGING["loggers"]["programs"] = {"level": "DEBUG"}

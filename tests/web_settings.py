"""The settings of a web server that tests start: production's, with static files of its own."""

import os
from pathlib import Path

from tests.worker_settings import *  # noqa: F403

STATIC_ROOT = Path(os.environ["TEST_STATIC_ROOT"])
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick logins

"""The project's settings in an environment that is the same on every machine.

A DATABASE_URL or AMQP_URL in the developer's shell must not lead tests to servers that are in use.
Processes that tests start inherit this environment, and are given the URLs of tests/servers.
"""

import os
from typing import Any

os.environ.update(
    DEBUG="1",
    DATABASE_URL="sqlite://:memory:",
    AMQP_URL="",
    LOG_FORMAT="text",
)

from executor_project.settings import *  # noqa: F403 (after the environment that it reads)
from executor_project.settings import DATABASES, PROGRAM_EXECUTOR, REST_FRAMEWORK
from tests import databases

DEBUG = False  # as in production: no log of queries, no page of variables
SECURE_SSL_REDIRECT = False
WHITENOISE_AUTOREFRESH = True  # no collected static files are expected
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick logins

DATABASES = databases.settings(DATABASES["default"])

PROGRAM_EXECUTOR = {**PROGRAM_EXECUTOR, "JOB_MODULES": ["jobs", "tests.jobs", "tests.tasks"]}

TASKS = {"default": {"BACKEND": "programs.tasks.ProgramsBackend", "QUEUES": ["default", "mail"]}}

# Tests ask more in a second than any user, and their users share a key.
UNLIMITED: Any = dict.fromkeys(("programs.create", "programs.change", "programs.read"))
REST_FRAMEWORK = {**REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": UNLIMITED}

# Django 6.1 asks for it wherever mail is sent, and earlier ones do not look at it.
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}

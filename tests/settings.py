"""The project's settings in an environment that is the same on every machine.

A DATABASE_URL or AMQP_URL in the developer's shell must not lead tests to servers that are in use.
Processes that tests start inherit this environment, and are given the URLs of tests/servers.
"""

import os

os.environ.update(
    DEBUG="1",
    DATABASE_URL="sqlite://:memory:",
    AMQP_URL="",
    LOG_FORMAT="text",
)

from executor_project.settings import *  # noqa: F403 (after the environment that it reads)

"""The settings of processes that tests start: what differs comes from the environment."""

import os
from typing import Any

from executor_project.settings import *  # noqa: F403
from executor_project.settings import PROGRAM_EXECUTOR as PROJECT

DEBUG = False  # as in production: no log of queries

PROGRAM_EXECUTOR: dict[str, Any] = {**PROJECT, "JOB_MODULES": ["jobs", "tests.jobs"]}
if "TEST_LEASE" in os.environ:
    PROGRAM_EXECUTOR["LEASE"] = float(os.environ["TEST_LEASE"])
if "TEST_QUEUE_NAME" in os.environ:
    PROGRAM_EXECUTOR["QUEUE_NAME"] = os.environ["TEST_QUEUE_NAME"]

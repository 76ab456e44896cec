"""The project's settings for processes that tests start: their URLs come from the environment."""

import os

from executor_project.settings import *  # noqa: F403
from executor_project.settings import PROGRAM_EXECUTOR

DEBUG = False  # as in production: no log of queries

PROGRAM_EXECUTOR = {**PROGRAM_EXECUTOR, "JOB_MODULES": ["jobs", "tests.jobs"]}
if "TEST_LEASE" in os.environ:
    PROGRAM_EXECUTOR["LEASE"] = float(os.environ["TEST_LEASE"])

"""The settings of processes that tests start: what differs comes from the environment."""

import json
import os

from executor_project.settings import *  # noqa: F403
from executor_project.settings import PROGRAM_EXECUTOR

DEBUG = False  # as in production: no log of queries

PROGRAM_EXECUTOR = {
    **PROGRAM_EXECUTOR,
    "JOB_MODULES": ["jobs", "tests.jobs", "tests.tasks"],
    # The receivers of the tests are on this machine.
    "WEBHOOK_PRIVATE_ADDRESSES": True,
    "WEBHOOK_PLAIN_HTTP": True,
}
TASKS = {"default": {"BACKEND": "programs.tasks.ProgramsBackend", "QUEUES": ["default", "mail"]}}

if "TEST_LEASE" in os.environ:
    PROGRAM_EXECUTOR["LEASE"] = float(os.environ["TEST_LEASE"])
if "TEST_QUEUES" in os.environ:
    PROGRAM_EXECUTOR["QUEUES"] = json.loads(os.environ["TEST_QUEUES"])
if "TEST_QUEUE_NAME" in os.environ:
    PROGRAM_EXECUTOR["QUEUE_NAME"] = os.environ["TEST_QUEUE_NAME"]

"""Jobs for tests: `noop`, and `behave`, which does what its job data or the program data says."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Any

from programs.errors import IgnorableError, RetryableError
from programs.job import Job, JobData
from programs.message import Message
from programs.registry import register

logger = logging.getLogger(__name__)


@register
class Noop(Job):
    """Does nothing."""

    name = "noop"

    def execute(self, message: Message, job_data: JobData) -> None:
        pass


@register
class Count(Job):
    """Reads its data and adds one to `n`."""

    name = "count"

    def execute(self, message: Message, job_data: JobData) -> None:
        job_data.merge({"n": job_data.get().get("n", 0) + 1})

"""The settings of a web server that knows the job of `tests.typed_jobs`, too."""

from tests.web_settings import *  # noqa: F403
from tests.web_settings import PROGRAM_EXECUTOR

PROGRAM_EXECUTOR["JOB_MODULES"] = [*PROGRAM_EXECUTOR["JOB_MODULES"], "tests.typed_jobs"]

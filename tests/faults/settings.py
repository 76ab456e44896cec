"""The settings of workers that come to harm: the witness knows them, and they are sabotaged."""

import json
import os
import sys

from tests.worker_settings import *  # noqa: F403
from tests.worker_settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.sabotage.Sabotage"]


def application_name() -> str:
    """Return how the witness knows this process: a child by its name, a supervisor by its pid."""
    is_child = len(sys.argv) == 4 and sys.argv[1].startswith("{")
    return json.loads(sys.argv[1])["name"] if is_child else f"worker-{os.getpid()}"


if "postgresql" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"].setdefault("OPTIONS", {})["application_name"] = application_name()

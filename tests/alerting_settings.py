"""A worker's settings in a project that is alarmed: as docs/alerting.md says it, word by word.

Mails go to the folder TEST_MAILS, and what Sentry is told to where SENTRY_DSN says.
"""

import os

import django

from tests.blocks import ROOT, blocks
from tests.worker_settings import *  # noqa: F403
from tests.worker_settings import PROGRAM_EXECUTOR

PROGRAM_EXECUTOR["JOB_MODULES"].append("tests.alarms")

FOLDER = os.environ["TEST_MAILS"]
FILES = "django.core.mail.backends.filebased.EmailBackend"
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": FILES, "OPTIONS": {"file_path": FOLDER}}}
else:
    EMAIL_BACKEND, EMAIL_FILE_PATH = FILES, FOLDER

ADMINS = ["ada@example.org"] if django.VERSION >= (6, 0) else [("Ada", "ada@example.org")]

for block in blocks(ROOT / "docs" / "alerting.md"):
    if "sentry_sdk.init(" in block.code:
        exec(compile(block.padded, "alerting.md", "exec"))  # noqa: S102 (our document)

"""What the engine carries, measured on real servers, with the tests' jobs."""

import os

import django

os.environ.setdefault("DEBUG", "1")  # a development secret will do
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.worker_settings"
django.setup()

"""What the engine carries, measured on real servers, with the tests' jobs."""

import os

import django
from django.conf import settings

# A peer runs in an environment of its own, which has nothing of this project; a test of the
# benchmark's arithmetic has settings already, and its processes inherit its environment.
if "BENCHMARK_PEER" not in os.environ and not settings.configured:
    os.environ.setdefault("DEBUG", "1")  # a development secret will do
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    django.setup()

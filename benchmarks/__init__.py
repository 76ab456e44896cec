"""What the engine carries, measured on real servers, with the tests' jobs."""

import os

# A peer runs in an environment of its own, which has nothing of this project.
if "BENCHMARK_PEER" not in os.environ:
    import django

    os.environ.setdefault("DEBUG", "1")  # a development secret will do
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.worker_settings"
    django.setup()

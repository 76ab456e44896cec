"""The Django settings of Celery with django-celery-results."""

import os
from urllib.parse import urlsplit

DATABASE = "benchmark_celery"

_server = urlsplit(os.environ["DATABASE_URL"])

SECRET_KEY = "of a benchmark, which signs nothing"  # noqa: S105
INSTALLED_APPS = ["django_celery_results"]
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": DATABASE,
        "HOST": _server.hostname,
        "PORT": _server.port,
        "USER": _server.username,
        "PASSWORD": _server.password or "",
        "CONN_MAX_AGE": None,  # or each task would connect anew
    }
}

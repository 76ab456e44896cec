"""The entry point of ASGI servers."""

import os

from django.core.asgi import get_asgi_application

from executor_project.settings import DATABASES, require_lasting_secret
from programs import logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "executor_project.settings")

require_lasting_secret()
DATABASES["default"]["CONN_MAX_AGE"] = 0  # its threads are many, and each would keep its own
application = get_asgi_application()
logs.configure()

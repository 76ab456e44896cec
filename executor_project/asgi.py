"""The entry point of ASGI servers."""

import os

from django.core.asgi import get_asgi_application

from executor_project.settings import require_lasting_secret
from programs import logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "executor_project.settings")

require_lasting_secret()
application = get_asgi_application()
logs.configure()

"""The entry point of WSGI servers: `gunicorn executor_project.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "executor_project.settings")

application = get_wsgi_application()

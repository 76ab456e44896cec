"""The entry point of WSGI servers: `gunicorn executor_project.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

from executor_project.settings import require_lasting_secret
from programs import logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "executor_project.settings")

require_lasting_secret()
application = get_wsgi_application()
logs.configure()

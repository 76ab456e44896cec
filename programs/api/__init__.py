"""The REST API, one noun a file. It needs the extra `[api]`, which the rest of the app does not."""

from importlib.util import find_spec

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

if _missing := [name for name in ("rest_framework", "drf_spectacular") if find_spec(name) is None]:
    raise ImproperlyConfigured(
        f"The API needs {' and '.join(_missing)}: pip install 'django-program-executor[api]'"
    )
if not apps.is_installed("rest_framework"):
    raise ImproperlyConfigured("The API needs 'rest_framework' in INSTALLED_APPS")

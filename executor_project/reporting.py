"""What Django's reports of errors do not show, on its pages with DEBUG and in mails to ADMINS."""

from __future__ import annotations

import re

from django.views import debug


class SecretFilter(debug.SafeExceptionReporterFilter):
    """Masks URLs as well: they hold passwords, and their names do not tell."""

    hidden_settings = re.compile(
        rf"{debug.SafeExceptionReporterFilter.hidden_settings.pattern}|_URL", re.IGNORECASE
    )

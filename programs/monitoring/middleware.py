"""Probes, answered before anything else looks at the request."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from programs.monitoring import views

PROBES = {"/healthz": views.healthz, "/readyz": views.readyz}


class ProbeMiddleware(MiddlewareMixin):
    """To stand first: a platform asks by the address of a container, and over plain HTTP.

    Behind it, `ALLOWED_HOSTS` would refuse that name, and `SECURE_SSL_REDIRECT` send it away.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        probe = PROBES.get(request.path_info)
        return None if probe is None else probe(request)

"""What the web answers to probes and to Prometheus."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from programs.errors import MetricsMissing
from programs.monitoring import processes, site
from programs.monitoring.access import bears_token
from programs.monitoring.checkup import Checkup
from programs.monitoring.exposition import render

PLAIN = "text/plain; charset=utf-8"
VIEW = "programs.view_program"

processes.share()  # each process that serves comes by here, before it creates a program


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 as long as the process can answer at all: asks neither database nor broker."""
    return _told(Checkup("alive", "dead"))


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 when the database answers in time and its migrations are applied, else 503."""
    return _told(site.readiness())


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the metrics of the site, for who bears the token or may view programs."""
    if not bears_token(request.headers.get("Authorization")) and not _may_view(request):
        text = f"Give METRICS_TOKEN as Bearer, or log in as somebody with {VIEW}.\n"
        refusal = HttpResponse(text, status=401, content_type=PLAIN)
        refusal.headers["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return refusal
    try:
        found = {**site.metrics(), **processes.own_metrics()}
        accept = request.headers.get("Accept", "")
        body, content_type = render(found, accept, processes.Shared())
    except MetricsMissing as error:
        return HttpResponse(f"{error}\n", status=501, content_type=PLAIN)
    return HttpResponse(body, content_type=content_type)


def _may_view(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)  # there may be no accounts in this project
    return user is not None and user.is_active and user.has_perm(VIEW)


def _told(checkup: Checkup) -> HttpResponse:
    return HttpResponse(checkup.text, status=checkup.status, content_type=PLAIN)

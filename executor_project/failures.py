"""What a page says when the server failed, or its database is away."""

from __future__ import annotations

import sys

from csp.decorators import csp_update
from django.core.exceptions import BadRequest
from django.db import connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.template.loader import get_template
from django.utils.deprecation import MiddlewareMixin
from django.views.defaults import bad_request, page_not_found

from executor_project.policy import hash_of
from programs.api.errors import MEDIA_TYPE, problem
from programs.models.persistence import is_outage, note_failure

RETRY_AFTER = 5  # seconds
API = "/api/"


def style_of(name: str) -> str:
    """Return the style that stands in a page, so that the page needs no file to look right."""
    return get_template(name).render().partition("<style>")[2].partition("</style>")[0]


@csp_update({"style-src": [hash_of(style_of("500.html"))]})
def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 503 where the error in flight is the database's, which may be gone in a moment.

    Needs neither session nor database. The error itself, Django logs.
    """
    if not is_outage(sys.exception()):
        return HttpResponse(get_template("500.html").render(), status=500)
    response = HttpResponse(get_template("503.html").render(), status=503)
    response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer the API's clients in its own shape, also where no view of it was found."""
    if is_of_api(request):
        told = problem(404, "There is nothing at this address.")
        return JsonResponse(told, status=404, content_type=MEDIA_TYPE)
    return page_not_found(request, exception)


def refused(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer in the API's own shape where a request is refused before any view has seen it."""
    if is_of_api(request):
        told = problem(400, str(exception) if isinstance(exception, BadRequest) else "")
        return JsonResponse(told, status=400, content_type=MEDIA_TYPE)
    return bad_request(request, exception)


def is_of_api(request: HttpRequest) -> bool:
    """Tell whether a program asks, and not somebody before a browser."""
    return request.path.startswith(API) and "text/html" not in request.headers.get("Accept", "")


class RenewalMiddleware(MiddlewareMixin):
    """Lets the connections go that an outage has spoiled, so that the next request has new ones.

    Under ASGI `server_error` runs in a thread of its own. This runs in the one that has them.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if response.status_code == 503:
            for connection in connections.all(initialized_only=True):
                note_failure(connection.alias)
        return response

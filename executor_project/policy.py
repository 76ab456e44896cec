"""What browsers may load on our pages: the Content-Security-Policy."""

from __future__ import annotations

import hashlib
from base64 import b64encode

from csp.constants import NONE, SELF
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

UNSAFE_HASHES = "'unsafe-hashes'"


def hash_of(text: str) -> str:
    """Return the source that allows this inline text, and no other.

    >>> hash_of("")
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


# REST framework's pages have one style in an attribute: that of the menu of actions.
MENU = "float: right; margin-right: 10px"

DIRECTIVES: dict[str, list[str]] = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "style-src-attr": [UNSAFE_HASHES, hash_of(MENU)],
    "img-src": [SELF, "data:"],  # REST framework's icons are in its style sheet
    "font-src": [SELF],
    "connect-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}


class PolicyMiddleware(CSPMiddleware):
    """Spares Django's pages of errors with DEBUG, whose style stands in them."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if settings.DEBUG and response.status_code == 400:  # of others it knows by itself
            return response
        return super().process_response(request, response)

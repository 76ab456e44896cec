"""In which charset requests speak: UTF-8."""

from __future__ import annotations

import codecs

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin


class CharsetMiddleware(MiddlewareMixin):
    """Refuses any other, before a form is read in it.

    `unicode_escape` and its like are charsets to Python. They make text that no database takes.
    """

    def process_request(self, request: HttpRequest) -> None:
        name = (request.content_params or {}).get("charset", "utf-8")
        try:
            known = codecs.lookup(name).name
        except LookupError:
            known = ""
        if known != "utf-8":
            raise BadRequest("The charset of a request is UTF-8.")

"""The query of a URL, read strictly: what is misspelt would otherwise answer another question."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from django.utils.encoding import escape_uri_path
from rest_framework.request import Request
from rest_framework.settings import api_settings

from programs.api.errors import Invalid
from programs.specification import TEXT_LENGTH

WHOLE = re.compile(r"[0-9]{1,18}")
DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")


class Query:
    """What a URL asks for, each name at most once."""

    def __init__(self, given: Mapping[str, str], known: Sequence[str]) -> None:
        self._given = given
        for name in given:
            if name not in known and name != api_settings.URL_FORMAT_OVERRIDE:
                raise Invalid(name, f"is no parameter here; there are {', '.join(known)}")

    def text(self, name: str) -> str:
        """Return a text that is not empty; the empty one where none is given."""
        text = self._given.get(name)
        if text is None:
            return ""
        if not text.strip() or len(text) > TEXT_LENGTH or "\0" in text:
            raise Invalid(name, f"must be 1 to {TEXT_LENGTH} characters, none of them NUL")
        return text

    def whole(self, name: str, *, least: int, most: int, usual: int) -> int:
        """Return a whole number within these bounds."""
        text = self._given.get(name)
        if text is None:
            return usual
        if not WHOLE.fullmatch(text) or not least <= int(text) <= most:
            raise Invalid(name, f"must be a whole number from {least} to {most}")
        return int(text)

    def seconds(self, name: str, *, most: float, usual: float) -> float:
        """Return a number of seconds."""
        text = self._given.get(name)
        if text is None:
            return usual
        if not DECIMAL.fullmatch(text) or float(text) > most:
            raise Invalid(name, f"must be a number of seconds from 0 to {most:g}")
        return float(text)

    def switch(self, name: str) -> bool | None:
        """Return what is asked for, None where nothing is."""
        text = self._given.get(name)
        if text not in (None, "true", "false"):
            raise Invalid(name, "must be true or false")
        return None if text is None else text == "true"

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """Return one of the choices; the empty text where none is given."""
        text = self._given.get(name)
        if text is not None and text not in choices:
            raise Invalid(name, f"must be one of {', '.join(choices)}")
        return text or ""


def next_url(request: Request, cursor: str) -> str | None:
    """Return the URL of the page behind `cursor`, None for an empty one."""
    if not cursor:
        return None
    query = {**request.query_params.dict(), "cursor": cursor}
    here = request.build_absolute_uri(escape_uri_path(request.path))  # names may hold a "?"
    return f"{here}?{urlencode(query)}"

"""The call that creates a program, as one would write it in Python or in a shell."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from programs.admin.text import as_editable, legible
from programs.errors import InvalidProgram
from programs.models.columns import DEFAULT_QUEUE

WIDTH = 80  # characters of a value that stays in one line
INDENT = "    "


@dataclass(frozen=True)
class Call:
    """The same call twice; `curl` is empty where this project has no API."""

    python: str
    curl: str

    @classmethod
    def of(cls, given: dict[str, Any], request: HttpRequest) -> Call:
        """Return the call for what the form holds: the arguments of `create_program`."""
        arguments = {name: value for name, value in given.items() if value not in (None, {}, "")}
        if arguments.get("queue") == DEFAULT_QUEUE:
            del arguments["queue"]
        if "run_at" in arguments:
            try:
                arguments["run_at"] = arguments["run_at"].astimezone(UTC)
            except OverflowError as error:
                message = "is outside the years that can be stored"
                raise InvalidProgram("run_at", message) from error
        return cls(as_python(arguments), as_curl(arguments, request))


def as_python(arguments: dict[str, Any]) -> str:
    """Return the call of `create_program`; `repr` writes what cannot be seen as an escape."""
    imports = ["from programs.submission import create_program"]
    if "run_at" in arguments:
        imports.insert(0, "from datetime import datetime\n")
    lines = [
        f"{INDENT}{'' if name == 'jobs' else f'{name}='}{_literal(value, INDENT)},"
        for name, value in arguments.items()
    ]
    return "\n".join([*imports, "", "create_program(", *lines, ")"])


def as_curl(arguments: dict[str, Any], request: HttpRequest) -> str:
    """Return the call of the API, for a shell; empty where the API is not among the URLs.

    No line of JSON can be the word that ends the here-document.
    """
    try:
        path = reverse("programs:program-list")
    except NoReverseMatch:
        return ""
    url = request.build_absolute_uri(path)
    body = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in arguments.items()
    }
    return "\n".join(
        [
            f"curl {shlex.quote(legible(url))} \\",
            '  -H "Authorization: Token $TOKEN" \\',
            "  -H 'Content-Type: application/json' \\",
            "  -d @- <<'JSON'",
            as_editable(body),
            "JSON",
        ]
    )


def _literal(value: Any, indent: str) -> str:
    """Return `value` as Python writes it, broken into lines where it is long."""
    short = repr(value) if not isinstance(value, datetime) else _moment(value)
    if len(short) <= WIDTH or not isinstance(value, (dict, list)):
        return short
    inner = indent + INDENT
    if isinstance(value, dict):
        items = [f"{key!r}: {_literal(own, inner)}" for key, own in value.items()]
        opening, closing = "{}"
    else:
        items = [_literal(own, inner) for own in value]
        opening, closing = "[]"
    lines = "".join(f"{inner}{item},\n" for item in items)
    return f"{opening}\n{lines}{indent}{closing}"


def _moment(value: datetime) -> str:
    return f"datetime.fromisoformat({value.isoformat()!r})"

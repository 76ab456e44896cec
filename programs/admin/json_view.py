"""JSON as an operator reads it: coloured, with what is long folded away."""

from __future__ import annotations

import json
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from programs.admin.text import as_json, code, legible, number

COLOURED_AT_MOST = 200_000  # characters; beyond, the page would be many times as large
LINES_AT_MOST = 12  # of an object or a list inside another
TEXT_AT_MOST = 200  # characters of a text
TEASER = 60  # characters of it that are seen when it is folded

Path = tuple[str, ...]  # the name of the whole, then keys and indexes


def json_view(value: Any, name: str) -> SafeString:
    """Return `value` as HTML; without its summaries, its text is the JSON itself.

    `name`: tells the folds of this value from those of others on the page.
    """
    text = as_json(value)
    if len(text) > COLOURED_AT_MOST:
        return code(text)
    html, _ = _shown(value, (name,))
    return format_html('<div class="programs-json">{}</div>', html)


def _shown(value: Any, path: Path) -> tuple[SafeString, int]:
    """Return the HTML of a value and how many lines it has."""
    if isinstance(value, dict) and value:
        named = [
            (format_html("{}: ", _token(key, "key")), _shown(child, (*path, key)))
            for key, child in value.items()
        ]
        return _container("{}", path, named)
    if isinstance(value, list) and value:
        listed = [
            (SafeString(), _shown(child, (*path, str(index)))) for index, child in enumerate(value)
        ]
        return _container("[]", path, listed)
    if isinstance(value, str) and len(value) > TEXT_AT_MOST:
        told = gettext("{beginning} … ({count} characters)")
        teaser = told.format(beginning=legible(value[:TEASER]), count=number(len(value)))
        return _folded(teaser, _token(value, "text"), path), 1
    kind = "text" if isinstance(value, str) else "plain"
    return _token(value, kind), 1


def _container(
    brackets: str, path: Path, members: list[tuple[SafeString, tuple[SafeString, int]]]
) -> tuple[SafeString, int]:
    depth = len(path) - 1
    inner, outer = "  " * (depth + 1), "  " * depth
    last = len(members) - 1
    html = format_html_join(
        "\n",
        "{}{}{}{}",
        (
            (inner, label, own, "," if index < last else "")
            for index, (label, (own, _)) in enumerate(members)
        ),
    )
    lines = 2 + sum(count for _, (_, count) in members)
    whole = format_html("{}\n{}\n{}{}", brackets[0], html, outer, brackets[1])
    if depth and lines > LINES_AT_MOST:
        return _folded(f"{brackets[0]} … {number(len(members))} … {brackets[1]}", whole, path), 1
    return whole, lines


def _folded(teaser: str, whole: SafeString, path: Path) -> SafeString:
    return format_html(
        '<details data-fold="{}"><summary><bdi>{}</bdi></summary>{}</details>',
        legible("/".join(path)),
        teaser,
        whole,
    )


def _token(value: Any, kind: str) -> SafeString:
    text = legible(json.dumps(value, ensure_ascii=False, default=str))
    return format_html('<span class="programs-json-{}">{}</span>', kind, text)

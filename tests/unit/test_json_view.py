"""JSON on the pages of the console: coloured, folded, and the same JSON all the while."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from programs.admin.json_view import COLOURED_AT_MOST, json_view

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def text_of(html: str) -> str:
    """Return the text of a view without its summaries, as its Copy button takes it."""
    return unescape(re.sub(r"<summary>.*?</summary>|<[^>]*>", "", html, flags=re.DOTALL))


@given(JSON)
def test_what_is_copied_is_the_json_that_is_stored(value: Any) -> None:
    assert json.loads(text_of(json_view(value, "data"))) == value


def test_a_long_text_is_folded_and_says_how_long_it_is() -> None:
    html = json_view({"page": "x" * 5000}, "data")

    assert '<details data-fold="data/page"><summary>' in html
    assert "(5,000 characters)" in html


def test_a_long_list_is_folded_but_not_the_whole() -> None:
    html = json_view({"rows": list(range(50)), "few": [1, 2]}, "data")

    assert html.count("<details") == 1
    assert "[ … 50 … ]" in html


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><img src=x>', "\u202egpj.exe"])
def test_hostile_keys_and_values_are_only_text(hostile: str) -> None:
    html = json_view({hostile: {hostile: hostile * 20}}, hostile)

    assert "<script" not in html
    assert "<img" not in html
    assert "\u202e" not in html


def test_what_is_too_large_for_colours_is_shown_without() -> None:
    html = json_view(["x" * COLOURED_AT_MOST], "data")

    assert html.startswith("<pre")
    assert json.loads(text_of(html)) == ["x" * COLOURED_AT_MOST]

"""What machines read of a page is the same in every language, however numbers are written in it."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.management.color import no_style
from django.db import connection
from django.test import Client

from programs.models import Program, Schedule, Tick
from tests.every_page import every_page

pytestmark = pytest.mark.django_db

# What browsers, style sheets and scripts read; what people read is left out.
READ_BY_MACHINES = {
    *("id", "class", "name", "for", "form", "list", "type", "href", "action", "formaction", "src"),
    *("style", "datetime", "value", "min", "max", "maxlength", "step", "rows", "cols", "width"),
    *("height", "x", "y", "viewbox", "preserveaspectratio", "method", "content", "role", "scope"),
    *("aria-labelledby", "aria-describedby", "aria-current", "tabindex", "d", "points"),
}
# The first is shown by style sheets beside a value, the second told by the admin's own filters.
FOR_PEOPLE = {"data-label", "data-filter-title"}
# Each page has its own; of a row, the digest of what is shown.
TOKENS = {"csrfmiddlewaretoken", "token", "row"}
NUMBERS = {"x", "y", "width", "height", "cx", "cy", "r", "viewbox", "d", "points"}
PLAIN = re.compile(r"-?\d+(\.\d+)?( -?\d+(\.\d+)?)*")
PAGES_IN_MOTION = {"programs_program_overview", "running"}  # drawn by the clock


class Reading(HTMLParser):
    """The attributes of a page that machines read, and what stands in its scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.attributes = Counter[tuple[str, str, str]]()  # the admin orders models by their names
        self.code: list[str] = []
        self.language = ""
        self._is_code = self._is_drawing = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._is_code = tag in ("script", "style")
        self._is_drawing = tag == "svg" or (self._is_drawing and tag in ("title", "desc", "rect"))
        is_submit = tag == "input" and given.get("type") == "submit"
        for name, value in given.items():
            is_token = name == "value" and given.get("name") in TOKENS
            is_label = name == "value" and is_submit
            is_said = name in FOR_PEOPLE or name.startswith("data-say-")  # by scripts
            is_read = name in READ_BY_MACHINES or name.startswith(("data-", "hx-"))
            if is_read and not (is_said or is_token or is_label):
                self.attributes[tag, name, value] += 1
        if self._is_drawing:
            for name in NUMBERS & given.keys():
                number = given[name].removesuffix("%")
                assert PLAIN.fullmatch(number), f"<{tag} {name}={given[name]!r}>"

    def handle_endtag(self, tag: str) -> None:
        self._is_code = False

    def handle_data(self, data: str) -> None:
        if self._is_code and data.strip():
            self.code.append(data)


def reading(client: Client, url: str) -> Reading:
    answer = client.get(url)
    assert answer.status_code == 200, url
    found = Reading()
    found.feed(answer.content.decode())
    found.language = answer.headers["Content-Language"]
    return found


@pytest.fixture
def pages() -> dict[str, str]:
    """The pages, and rows behind them whose keys have a thousand to be set apart."""
    program = Program.objects.create(pk=1234, jobs=["noop"])
    schedule = Schedule.objects.create(pk=1234, definition="orders", interval=60)
    Tick.objects.create(pk=1234, schedule=schedule, at=datetime(2026, 1, 1, tzinfo=UTC))
    counted = connection.ops.sequence_reset_sql(no_style(), [Program, Schedule, Tick])
    with connection.cursor() as cursor:
        for statement in counted:  # PostgreSQL's, which count no key that was given
            cursor.execute(statement)
    program.delete()
    schedule.delete()
    return every_page()


@pytest.mark.parametrize("separated", [False, True])
def test_no_language_changes_what_machines_read(
    admin_client: Client, pages: dict[str, str], settings: Any, separated: bool
) -> None:
    english = {name: reading(admin_client, url) for name, url in pages.items()}
    settings.LANGUAGE_CODE = "de"
    settings.USE_THOUSAND_SEPARATOR = separated

    for name, url in pages.items():
        german = reading(admin_client, url)

        assert (english[name].language, german.language) == ("en", "de"), name
        assert german.code == english[name].code, name
        if name in PAGES_IN_MOTION:
            ours, theirs = german.attributes, english[name].attributes
            assert {each[:2] for each in ours} == {each[:2] for each in theirs}, name
        else:
            assert german.attributes == english[name].attributes, name


def test_neither_what_takes_the_place_of_what_has_changed(
    admin_client: Client, pages: dict[str, str], settings: Any
) -> None:
    key = Program.objects.earliest("pk").pk
    assert key > 1234
    shown = {"live": "1", "seen": "1970-01-01T00:00:00Z", "row": f"{key}.00000000"}
    url = f"{pages['programs_program_changelist']}?{urlencode(shown)}"
    english = reading(admin_client, url)
    settings.LANGUAGE_CODE = "de"
    settings.USE_THOUSAND_SEPARATOR = True

    german = reading(admin_client, url)

    assert (english.language, german.language) == ("en", "de")
    assert ("span", "id", f"state-{key}") in german.attributes
    assert german.attributes == english.attributes

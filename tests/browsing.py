"""What a browser without JavaScript would send of a form as it stands in a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from tests.console import CREATE
from tests.typed import typed_job

FORM = 'class="programs-creation"'

# What browsers throw away where a picker cannot show it.
PICKERS = {
    "date": r"\d{4}-\d\d-\d\d",
    "time": r"\d\d:\d\d(:\d\d(\.\d{1,3})?)?",
    "datetime-local": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,3})?)?",
}


class Reader(HTMLParser):
    """Reads the fields of a page. Buttons are left out: nobody has pressed one."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, list[str]] = {}
        self._name: str | None = None  # of the text area or list that is open
        self._text = ""
        self._options: list[tuple[str, bool]] = []
        self._is_multiple = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        name, kind = given.get("name"), given.get("type", "text")
        value = given.get("value") or ""
        if tag == "input" and name and kind not in ("submit", "button"):
            if kind in ("checkbox", "radio"):
                if "checked" in given:
                    self._send(name, given.get("value", "on"))
                return
            pattern = PICKERS.get(kind, "")
            fits = not pattern or re.fullmatch(pattern, value)
            self._send(name, re.sub(r"[\r\n]", "", value) if fits else "")
        elif tag == "textarea":
            self._name, self._text = name, ""
        elif tag == "select":
            self._name, self._options, self._is_multiple = name, [], "multiple" in given
        elif tag == "option":
            self._options.append((value, "selected" in given))

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._name:
            text = self._text.removeprefix("\r\n").removeprefix("\n")
            self._send(self._name, re.sub(r"\r\n|\r|\n", "\r\n", text))
        elif tag == "select" and self._name:
            chosen = [value for value, is_chosen in self._options if is_chosen]
            if not self._is_multiple:
                chosen = chosen[-1:] or [value for value, _ in self._options[:1]]
            for value in chosen:
                self._send(self._name, value)

    def _send(self, name: str, value: str) -> None:
        self.sent.setdefault(name, []).append(value)


def fields_of(html: str, form: str = "") -> dict[str, list[str]]:
    """Return the values of the fields in a page, or of that form in it, by their names."""
    reader = Reader()
    start = html.index(form) if form else 0
    reader.feed(html[start : html.find("</form>", start) if form else len(html)])
    return reader.sent


class Page:
    """The page "Create a program", as a browser without JavaScript has it."""

    def __init__(self, client: Client, url: str = CREATE) -> None:
        self.client = client
        self.url = url
        self.answer: Any = client.get(url)

    @property
    def html(self) -> str:
        return self.answer.content.decode()

    @property
    def fields(self) -> dict[str, Any]:
        return fields_of(self.html, FORM)

    def value(self, name: str) -> str:
        (value,) = self.fields[name]
        return value

    def send(self, **typed: str) -> Any:
        """Type this, press the button, and return the page that comes."""
        names = {name.replace("__", "-"): text for name, text in typed.items()}
        self.answer = self.client.post(self.url, {**self.fields, **names})
        return self.answer

    def errors(self) -> dict[str, list[str]]:
        """Return the errors of all forms in the page, by the names of their fields."""
        context = self.answer.context
        entry = context["entry"]
        sections = entry.forms.sections if entry.forms else []
        forms = [context["form"], *(section.form for section in sections)]
        return {
            form.add_prefix(name) if name in form.fields else f"{form.prefix or ''}*": list(told)
            for form in forms
            for name, told in form.errors.items()
        }


@pytest.fixture
def job() -> Iterator[None]:
    """The job `import_day` is registered."""
    with typed_job():
        yield


@pytest.fixture
def page(job: None, admin_client: Client) -> Page:
    """The page on which a program is created, with the form drawn."""
    page = Page(admin_client)
    page.send(jobs="import_day", draw="form")
    return page

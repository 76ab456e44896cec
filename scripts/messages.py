#!/usr/bin/env python3
"""Collects what the console says, and brings the catalogues of its languages up to date.

Reads the Python and the templates of `programs`, puts new messages into each `django.po`, drops
those that are gone, and compiles `django.mo` beside it. Fails while a message is not translated.

`--check` changes nothing, and tells what is wrong. A new language begins with `--add fr`.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "programs"
LOCALES = SOURCE / "locale"
DOMAIN = "django"
WIDTH = 100
FIELD = re.compile(r"%\(\w+\)s|\{\w*\}")  # where a value is put in
MARKUP = re.compile(r"<[^>]*>|[<>&\"]")

Key = tuple[str | None, str]  # context and, of a plural, the singular

# The functions that mark a message, and which of their arguments are ones.
KEYWORDS: dict[str, Any] = {
    **dict.fromkeys(("_", "N_", "gettext", "gettext_lazy", "gettext_noop")),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--add", metavar="LANGUAGE", help="begin with another language")
    options = parser.parse_args()
    if options.add:
        folder_of(options.add).mkdir(parents=True)
        write(Catalog(options.add, domain=DOMAIN), options.add)
    problems = []
    for language in languages():
        if not options.check:
            update(language)
        problems += [f"{language}: {problem}" for problem in problems_of(language)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def languages() -> list[str]:
    return sorted(path.parents[1].name for path in LOCALES.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))


def folder_of(language: str) -> Path:
    return LOCALES / language / "LC_MESSAGES"


@cache
def collected() -> Catalog:
    """Return the messages of the source, each with the files that it stands in."""
    catalog = Catalog(domain=DOMAIN)
    for path in sorted([*SOURCE.rglob("*.py"), *SOURCE.rglob("*.html")]):
        place = path.relative_to(ROOT).as_posix()
        for message, context in messages_in(path):
            catalog.add(message, locations=[(place, 1)], context=context)
    return catalog


def messages_in(path: Path) -> Iterator[tuple[Any, str | None]]:
    """Yield the messages of a file: of a template, those that Django would look up."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        # What comes of a template is one call behind the other; its indentation is none of Python.
        lines = templatize(text, origin=str(path)).splitlines()
        text = "\n".join(line.strip() for line in lines)
    source = io.BytesIO(text.encode())
    for _line, message, _comments, context in extract("python", source, KEYWORDS):
        yield message, context


def update(language: str) -> None:
    """Bring one catalogue up to date with the source, and compile it."""
    template = collected()
    catalog = read(language)
    template.creation_date = catalog.creation_date  # else each run would be a change
    catalog.update(template, no_fuzzy_matching=True)
    write(catalog, language)


def read(language: str) -> Catalog:
    with (folder_of(language) / f"{DOMAIN}.po").open("rb") as file:
        return read_po(file, locale=language, domain=DOMAIN)


def write(catalog: Catalog, language: str) -> None:
    folder = folder_of(language)
    with (folder / f"{DOMAIN}.po").open("wb") as file:
        write_po(
            file,
            catalog,
            width=WIDTH,
            include_lineno=False,
            ignore_obsolete=True,
            sort_by_file=True,
        )
    with (folder / f"{DOMAIN}.mo").open("wb") as file:
        write_mo(file, catalog)


def problems_of(language: str) -> list[str]:
    """Return what is wrong with a catalogue: nothing, if it says all that the source does."""
    known, wanted = by_key(read(language)), by_key(collected())
    problems = [f"is missing: {key}" for key in wanted.keys() - known.keys()]
    problems += [f"is in no source any more: {key}" for key in known.keys() - wanted.keys()]
    for key, message in known.items():
        strings = texts_of(message.string)
        if message.fuzzy or not all(strings):
            problems.append(f"is not translated: {key}")
        elif not all(fields_in(text) <= fields_of(message.id) for text in strings):
            problems.append(f"names another value than its original: {key}")
        elif fields_in(strings[-1]) != fields_in(texts_of(message.id)[-1]):
            problems.append(f"leaves a value out: {key}")
        elif any(markup_in(text) != markup_in(texts_of(message.id)[-1]) for text in strings):
            problems.append(f"has other markup than its original: {key}")
    if problems:
        return sorted(problems)
    with (folder_of(language) / f"{DOMAIN}.mo").open("rb") as file:
        compiled = by_key(read_mo(file))
    same = strings_of(compiled) == strings_of(known)
    return [] if same else [f"{DOMAIN}.mo is not made of {DOMAIN}.po: run `make messages`"]


def by_key(catalog: Catalog) -> dict[Key, Message]:
    return {(each.context, texts_of(each.id)[0]): each for each in catalog if each.id}


def strings_of(messages: dict[Key, Message]) -> dict[Key, list[str]]:
    return {key: texts_of(each.string) for key, each in messages.items()}


def texts_of(given: Any) -> list[str]:
    """Return the forms of a message: one, or those of singular and plural."""
    return [given] if isinstance(given, str) else list(given)


def fields_in(text: str) -> set[str]:
    return set(FIELD.findall(text))


def markup_in(text: str) -> list[str]:
    """Return what a page would read as more than text; Django puts a translation in as it is."""
    return sorted(MARKUP.findall(text))


def fields_of(given: Any) -> set[str]:
    return set().union(*map(fields_in, texts_of(given)))


if __name__ == "__main__":
    sys.exit(main())

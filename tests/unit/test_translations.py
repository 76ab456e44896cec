"""The catalogues of the console's languages: complete, and of what the source says now."""

from __future__ import annotations

import shutil
from pathlib import Path

import django
import pytest
from babel.messages.mofile import read_mo
from django.utils.translation import override

from programs.admin.facts import COUNTERS, SUMMARY, TIMES
from programs.admin.words import COLUMNS, ENGINES, said
from programs.inspection.selection import MOMENTS
from programs.models import CatchUp, Ending, Overlap, State, TickOutcome, Verb
from scripts import messages


@pytest.mark.parametrize("language", messages.languages())
def test_a_catalogue_says_all_that_the_source_does(language: str) -> None:
    assert messages.problems_of(language) == []


def test_there_is_german() -> None:
    assert "de" in messages.languages()


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the German catalogue, to be spoiled."""
    folder = tmp_path / "de" / "LC_MESSAGES"
    shutil.copytree(messages.folder_of("de"), folder)
    monkeypatch.setattr(messages, "LOCALES", tmp_path)
    return folder / "django.po"


def lines_of(catalogue: bytes) -> list[bytes]:
    """Return its lines but the one that names the version of Babel."""
    return [line for line in catalogue.splitlines() if b"Generated-By" not in line]


@pytest.mark.parametrize(
    ("said", "now", "told"),
    [
        ('msgid "Stop"', 'msgid "Halt"', "is missing: (None, 'Stop')"),
        ('msgid "Stop"', 'msgid "Halt"', "is in no source any more: (None, 'Halt')"),
        ('msgstr "Stoppen"', 'msgstr ""', "is not translated: (None, 'Stop')"),
        ('msgid "Stop"', '#, fuzzy\nmsgid "Stop"', "is not translated: (None, 'Stop')"),
        ("Programm {name} klonen", "Programm {run_id} klonen", "names another value"),
        ("Programm {name} klonen", "Programm klonen", "leaves a value out"),
        ("„%(missing)s“", "„%(name)s“", "names another value"),
        ('msgstr "Stoppen"', 'msgstr "Anhalten"', "django.mo is not made of django.po"),
    ],
)
def test_what_is_wrong_with_one_is_told(catalogue: Path, said: str, now: str, told: str) -> None:
    text = catalogue.read_text(encoding="utf-8")
    assert said in text
    catalogue.write_text(text.replace(said, now, 1), encoding="utf-8")

    assert any(told in problem for problem in messages.problems_of("de"))


def test_bringing_one_up_to_date_keeps_what_is_translated(catalogue: Path) -> None:
    before = catalogue.read_bytes()
    text = before.decode().replace('msgid "Stop"', 'msgid "Halt"', 1)
    catalogue.write_text(text, encoding="utf-8")

    messages.update("de")

    assert messages.problems_of("de") == ["is not translated: (None, 'Stop')"]
    catalogue.write_bytes(before)
    messages.update("de")
    assert lines_of(catalogue.read_bytes()) == lines_of(before)


def test_another_language_begins_with_nothing_translated(
    catalogue: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["messages.py", "--add", "fr"])

    assert messages.main() == 1

    assert messages.languages() == ["de", "fr"]
    assert "fr: is not translated: (None, 'Stop')" in capsys.readouterr().err


def test_what_django_says_as_well_is_said_as_there() -> None:
    """Catalogues are laid over each other: ours must not change a page of somebody else's."""
    ours = messages.by_key(messages.read("de"))
    for path in Path(django.__file__).parent.rglob("locale/de/LC_MESSAGES/django.mo"):
        with path.open("rb") as file:
            theirs = messages.by_key(read_mo(file))
        for key, message in theirs.items():
            if key in ours and isinstance(message.id, str):
                assert ours[key].string == message.string, key


@pytest.mark.parametrize("choices", [State, Verb, Ending, TickOutcome, CatchUp, Overlap])
def test_every_word_of_the_engine_has_its_translation(choices: type[State]) -> None:
    assert {each.label for each in choices} <= set(ENGINES)


def test_every_column_that_a_page_names_has_its_translation() -> None:
    assert {name.replace("_", " ") for name in (*SUMMARY, *TIMES, *COUNTERS)} <= set(COLUMNS)
    moments = {"created_at", *MOMENTS.values()}
    assert {name.removesuffix("_at").replace("_", " ") for name in moments} <= set(ENGINES)


def test_the_engine_itself_speaks_english_in_every_language() -> None:
    with override("de"):
        assert said(State.ERRORED.label) == "fehlgeschlagen"
        assert str(State.ERRORED.label) == "errored"

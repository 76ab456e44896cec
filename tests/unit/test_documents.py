"""What the documents claim: their places, names and defaults are held against the code."""

from __future__ import annotations

import argparse
import pkgutil
import re
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from django.dispatch import Signal

from programs import conf, definition, operations, scheduling, signals, tasks
from programs.management.commands.runworker import Command
from programs.models import Ending
from programs.models.transitions import Standing
from programs.operations import retry_program, stop_program
from tests.blocks import DOCUMENTS, EVERY_DOCUMENT, ROOT
from tests.running import SLOT, claimed, crew, listening, run
from tests.shell import PROJECT
from tests.tables import MODELS

README = ROOT / "README.md"
ARCHITECTURE = ROOT / "ARCHITECTURE.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"

BROKER_ACTIONS = ("consume", "publish", "relay")

# Of specification.md, all of them, two slips of the pen ("Progam", "consturctor") corrected.
HEADINGS = [
    "Program Executor JS",
    "Prerequisites",
    "Install",
    "Usage",
    "Configuration",
    "How to create a program",
    "How to execute programs",
    "Program",
    "Logging alerting",
    "Bookkeeping",
    "Job",
    "Anatomy, interface",
    "Program data in constructor",
    "Job data, get/set methods",
    "Error handling",
    "Unexpected errors",
    "Retryable errors",
    "Ignorable errors",
    "Job library",
    "Anatomy, example script to bulk require",
    "Manually stopping a program",
    "Usage (again)",
    "Development",
    "Default Commit Message Format",
    "Use dev version without releasing",
]

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^([ ]*)```.*?^\1```$", re.MULTILINE | re.DOTALL)

document = pytest.mark.parametrize("path", EVERY_DOCUMENT, ids=lambda path: path.name)


# Places ---------------------------------------------------------------------------------------


def prose(path: Path) -> str:
    """Return a document without its blocks of code."""
    return FENCE.sub("", path.read_text())


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", LINK.sub("", heading)).strip() for heading in headings)
    return {text.lower().replace(" ", "-") for text in words}


def missing_links(path: Path) -> list[str]:
    """Return the relative links of a document that lead nowhere."""
    missing = []
    for link in LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)
    return missing


@document
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    assert missing_links(path) == []


def test_every_heading_of_the_specification_has_its_place() -> None:
    table = README.read_text().partition("| the specification | here |\n|---|---|\n")[2]
    rows = re.findall(r"^\| ([^|]+) \| .*\]\(\S*#\S+\).* \|$", table, re.MULTILINE)
    assert rows == HEADINGS  # that the places exist, the links' own test holds


def test_the_index_lists_every_document() -> None:
    index = ROOT / "docs" / "index.md"
    lines = re.findall(r"^- \[[^\]]+\]\(([^)#]+)\)", index.read_text(), re.MULTILINE)
    listed = {(index.parent / line).resolve() for line in lines}
    assert set(DOCUMENTS) - listed == {index}


# Names ----------------------------------------------------------------------------------------


def test_every_function_that_the_architecture_names_exists() -> None:
    names = set(re.findall(r"`(programs\.[\w.]+)`", ARCHITECTURE.read_text()))
    assert len(names) > 50
    for name in sorted(names):
        pkgutil.resolve_name(name)


def test_every_file_that_the_architecture_names_exists() -> None:
    names = set(re.findall(r"`((?:programs|tests)/[\w/.]+)`", ARCHITECTURE.read_text()))
    assert [name for name in sorted(names) if not (ROOT / name).exists()] == []


def test_the_architecture_has_a_place_for_every_file_of_the_engine() -> None:
    text = ARCHITECTURE.read_text()
    folders = ("", "models", "transport", "worker")
    files = [file for folder in folders for file in (ROOT / "programs" / folder).glob("*.py")]
    names = [str(file.relative_to(ROOT)) for file in files if file.name != "__init__.py"]
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


def test_the_files_that_hold_an_invariant_carry_its_number() -> None:
    rows = re.findall(
        r"^\| (\d+) \| .+ \| (`tests/.+`) \|$", ARCHITECTURE.read_text(), re.MULTILINE
    )
    assert [int(number) for number, _ in rows] == list(range(1, 13))
    for number, cell in rows:
        files = {name: (ROOT / name).read_text() for name in re.findall(r"`(.+?)`", cell)}
        unmarked = [name for name, text in files.items() if f"invariant({number})" not in text]
        assert unmarked == [], f"invariant {number}"


def test_every_setting_is_documented_with_its_default() -> None:
    text = (ROOT / "docs" / "settings.md").read_text().partition("## The environment")[0]
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| `([^`]+)` \|", text, re.MULTILINE))
    assert rows == {setting.name: repr(setting.default) for setting in conf.settings}


def test_every_dependency_has_its_reason() -> None:
    table = CONTRIBUTING.read_text().partition("\n## Dependencies\n")[2]
    reasons = ", ".join(re.findall(r"^\| (.+?) \|", table, re.MULTILINE))
    wanted = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]
    for file in ("requirements.txt", "requirements-dev.txt", "benchmarks/requirements.txt"):
        wanted += re.findall(r"^\w.+$", (ROOT / file).read_text(), re.MULTILINE)
    names = {re.match(r"[\w-]+", requirement)[0].lower() for requirement in wanted}  # type: ignore[index]
    assert sorted(names - set(re.findall(r"[\w-]+", reasons.lower()))) == []


def test_every_extra_is_told_of() -> None:
    text = "".join(path.read_text() for path in DOCUMENTS if path != CONTRIBUTING)
    told = ",".join(re.findall(r"\[([a-z]+(?:,[a-z]+)*)\]", text)).split(",")
    assert sorted(set(PROJECT["optional-dependencies"]) - set(told)) == []


def test_every_system_check_is_documented() -> None:
    files = [ROOT / "programs" / "checks.py", ROOT / "programs" / "tasks" / "backend.py"]
    source = "".join(file.read_text() for file in files)
    made = [f"programs.{number}" for number in re.findall(r"\{ID\}([EW]\d+)", source)]
    text = (ROOT / "docs" / "settings.md").read_text()
    assert sorted(re.findall(r"^\| `(programs\.[EW]\d+)`", text, re.MULTILINE)) == sorted(made)


def test_every_action_of_a_log_line_is_documented() -> None:
    files = (ROOT / "programs").rglob("*.py")
    logged = {
        action
        for file in files
        for action in re.findall(r'"action": f?"([^"]+)"', file.read_text())
    }
    of_program = {f"program_{standing.value}" for standing in Standing}
    of_job = {f"job_{ending.value}" for ending in Ending}
    of_broker = {f"{what}_{how}" for what in BROKER_ACTIONS for how in ("failed", "connected")}
    section = (ROOT / "docs" / "programs.md").read_text().partition("## Logging and alerting")[2]
    documented = set(re.findall(r"`([a-z]+_[a-z_]+|reload|draining)`", section.partition("###")[0]))
    documented -= {"run_id"}

    assert logged - documented == {
        "{self._action}_failed",
        "{self._action}_connected",
        "job_{outcome.ending.value}",
        "program_{standing.value}",
    }
    assert documented - logged <= of_program | of_job | of_broker
    assert of_broker <= documented


def test_every_environment_variable_of_the_project_is_documented() -> None:
    source = (ROOT / "executor_project" / "settings.py").read_text()
    read = set(re.findall(r"(?:environ\.get|listed)\(\"([A-Z_]+)\"", source))
    text = (ROOT / "docs" / "settings.md").read_text()
    assert [name for name in sorted(read) if f"`{name}`" not in text] == []


def test_every_option_of_runworker_is_documented() -> None:
    text = (ROOT / "docs" / "worker.md").read_text()
    actions = Command().create_parser("manage.py", "runworker")._actions
    assert any("--burst" in action.option_strings for action in actions)
    named = [
        any(re.search(rf"`{option}[ `]", text) for option in action.option_strings)
        for action in actions
        if not isinstance(action, argparse._HelpAction)
    ]
    assert all(named)


def test_every_column_is_documented() -> None:
    text = (ROOT / "docs" / "programs.md").read_text()
    for model in MODELS:
        columns = [field.column for field in model._meta.concrete_fields]
        section = text.partition(f"`{model._meta.db_table}`\n")[2].partition("\n#")[0]
        missing = [column for column in columns if f"`{column}`" not in section]
        assert missing == [], model._meta.db_table


def test_the_reference_has_every_public_function_and_class() -> None:
    text = (ROOT / "docs" / "reference.md").read_text()
    public = {
        f"{module.__name__}.{name}"
        for module in (definition, operations, scheduling, tasks)
        for name in module.__all__
        if callable(getattr(module, name))
    }
    own = {  # the engine's, which alone makes and calls them
        "programs.definition.AnyDefinition",
        "programs.scheduling.Timetable",
        "programs.scheduling.fire_due",
    }
    listed = set(re.findall(r"^\.\. auto\w+:: ([\w.]+)", text, re.MULTILINE))
    assert public - own - listed == set()
    for name in listed:  # that the rest is there, `make docs` holds
        pkgutil.resolve_name(name)


@pytest.mark.django_db(transaction=True)
def test_every_signal_is_documented_with_what_it_sends() -> None:
    text = (ROOT / "docs" / "signals.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", text, re.MULTILINE)
    documented = {name: set(re.findall(r"`(\w+)`", arguments)) for name, arguments in rows}
    sent: dict[str, set[str]] = {}
    every = {name: value for name, value in vars(signals).items() if isinstance(value, Signal)}
    with ExitStack() as stack:
        for name, signal in every.items():

            def note(name: str = name, **given: Any) -> None:
                sent[name] = set(given) - {"signal", "sender"}

            stack.enter_context(listening(signal, note))
        run("succeed")
        errored = run("fail")
        stop_program(retry_program(errored))
        claimed("succeed", slot="gone/1.1", lease=-1.0)
        crew().sweep.claim(SLOT, 60.0, at_most=1)
    assert documented == sent
    assert set(sent) == set(every)


def test_every_word_of_the_architecture_is_in_the_glossary() -> None:
    words = ARCHITECTURE.read_text().partition("## Words\n")[2].partition("\n## ")[0]
    wanted = re.findall(r"^\| ([a-z ,]+) \|", words, re.MULTILINE)[1:]
    glossary = re.findall(
        r"^\| ([^|]+) \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE
    )
    known = {word for cell in glossary for word in cell.strip().split(", ")}
    assert len(wanted) > 10
    assert [w for cell in wanted for w in cell.split(", ") if w not in known] == []

"""docs/command-line.md says what the commands have."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from programs.management import command

TEXT = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
COMMANDS = sorted(name for name, app in get_commands().items() if app == "programs")

every_command = pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"runworker"}))


def test_every_command_is_listed() -> None:
    listed = TEXT.partition("| command | does |")[2].partition("## ")[0]
    assert len(COMMANDS) == 15
    assert [name for name in COMMANDS if f"`{name}`" not in listed] == []


def sections() -> dict[str, str]:
    """Return what stands below each heading."""
    parts = re.split(r"^## (.+)\n", TEXT, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@every_command
def test_every_option_stands_in_its_section(name: str) -> None:
    section = next(text for heading, text in sections().items() if name in heading.split(", "))
    common = {"--help", "--version", "--verbosity", "--settings", "--pythonpath", "--traceback"}
    common |= {"--no-color", "--force-color", "--skip-checks"}
    options = {
        action.option_strings[-1]
        for action in load_command_class("programs", name).create_parser("manage.py", name)._actions
        if action.option_strings
    }
    assert [each for each in options - common if not re.search(rf"`{each}[ `]", section)] == []


@every_command
def test_every_command_s_help_tells_its_exit_status(name: str) -> None:
    assert "exit status: 0" in load_command_class("programs", name).help.lower()


def test_every_exit_status_is_told() -> None:
    table = sections()["Exit statuses"]
    told = {
        int(number)
        for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
        for number in row.split(", ")
    }
    own = {command.WRONG, command.ERRORED, command.STOPPED, command.TIMED_OUT}
    assert told == {0, argparse_refusal(), *own, command.INTERRUPTED, command.BROKEN_PIPE}


def argparse_refusal() -> int:
    """Return the status with which argparse ends a process."""
    with pytest.raises(SystemExit) as ended:
        argparse.ArgumentParser().error("x")
    status = ended.value.code
    assert isinstance(status, int)
    return status

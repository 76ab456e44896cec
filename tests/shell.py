"""What a block of shell in a document would run, held against what there is to be run."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from django.core.management import CommandError, get_commands, load_command_class
from django.urls import Resolver404, resolve

from programs.api.description import description

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# What is not ours, and is believed.
FOREIGN = {
    *("brew", "docker", "echo", "export", "grep", "kill", "kubectl"),
    *("rabbitmqctl", "sed", "shift", "sleep", "sudo"),
}

# The shell's own words, behind which a command begins.
RESERVED = {"!", "do", "done", "else", "fi", "if", "then", "until", "while"}


def faults(code: str) -> list[str]:
    """Return what is wrong with a block: its syntax, or commands and options that do not exist."""
    syntax = subprocess.run(
        ["sh", "-n"], input=code, capture_output=True, text=True, timeout=10, check=False
    )
    if syntax.returncode != 0:
        return [syntax.stderr]
    own = set(re.findall(r"^(\w+)\(\)", code, re.MULTILINE))
    return [
        f"{shlex.join(command)}: {fault}"
        for command in commands(code)
        if command[0] not in own
        for fault in _faults(command)
    ]


def commands(code: str) -> Iterator[list[str]]:
    """Yield the simple commands of a block, without assignments, comments and ellipses."""
    code = re.sub(r"(^|\s)#.*$", r"\1", code.replace("\\\n", " "), flags=re.MULTILINE)
    words = shlex.shlex(code, posix=True, punctuation_chars=";|&()<>{}\n")
    words.whitespace, words.whitespace_split = " \t", True
    words.commenters = ""
    command: list[str] = []
    for word in [*words, "\n"]:
        if re.fullmatch(r"[;|&()<>{}\n]+", word):
            if command:
                yield command
            command = []
        elif word in ("…", "[options]"):
            continue  # of a synopsis
        elif not command and (word in RESERVED or re.match(r"\w+=", word)):
            continue  # in front of a command
        else:
            command.append(word)


def _faults(command: list[str]) -> Iterator[str]:
    name, *arguments = command
    tool = name.removeprefix(".venv/bin/")
    if name in FOREIGN:
        return
    if re.fullmatch(r"python3?", tool):
        yield from _python(arguments)
    elif tool == "make":
        yield from _make(arguments)
    elif tool == "pip":
        yield from _pip(arguments)
    elif tool == "django-admin":
        yield from _manage(arguments)
    elif tool == "gunicorn":
        yield from _module(arguments[0].partition(":")[0])
    elif tool == "pytest":
        yield from (f"no {path}" for path in arguments[:1] if not (ROOT / path).exists())
    elif tool == "curl":
        yield from _curl(arguments)
    elif tool == "sh" and arguments[0] == "-c":
        yield from faults(arguments[1])
    elif name == "." and arguments == [".venv/bin/activate"]:
        pass
    else:
        yield "is not known here: see tests/shell.py"


def _python(arguments: list[str]) -> Iterator[str]:
    if arguments[0] == "manage.py":
        yield from _manage(arguments[1:])
    elif arguments[0] == "-m":
        yield from _module(arguments[1])
        if "--" in arguments:  # python -m tests.servers -- COMMAND
            yield from _faults(arguments[arguments.index("--") + 1 :])
    elif not (ROOT / arguments[0]).exists():
        yield f"no file {arguments[0]}"


def _manage(arguments: list[str]) -> Iterator[str]:
    name, *options = arguments
    app = get_commands().get(name)
    if app is None:
        yield f"no command {name}"
        return
    command = app if not isinstance(app, str) else load_command_class(app, name)
    parser = command.create_parser("manage.py", name)
    try:
        parser.parse_args(options)
    except CommandError as error:
        yield str(error)


def _make(arguments: list[str]) -> Iterator[str]:
    for word in arguments:
        variable, is_variable, _ = word.partition("=")
        if is_variable and not re.search(rf"\b{variable}\b", MAKEFILE):
            yield f"no variable {variable} in the Makefile"
        elif not is_variable and not re.search(rf"^{re.escape(word)}:", MAKEFILE, re.MULTILINE):
            yield f"no target {word} in the Makefile"


def _pip(arguments: list[str]) -> Iterator[str]:
    for requirement in arguments[1:]:
        if requirement.endswith(".txt") and (ROOT / requirement).exists():
            continue
        name, _, extras = requirement.partition("[")
        known = ("program-executor", PROJECT["name"])
        if not requirement.startswith("-") and Path(name).name not in known:
            yield f"{name} is not this project"
        for extra in filter(None, extras.rstrip("]").split(",")):
            if extra not in PROJECT["optional-dependencies"]:
                yield f"no extra {extra}"


def _module(name: str) -> Iterator[str]:
    sys.path.insert(0, str(ROOT))
    try:
        if importlib.util.find_spec(name) is None:
            yield f"no module {name}"
    finally:
        sys.path.remove(str(ROOT))


def _curl(arguments: list[str]) -> Iterator[str]:
    for word in arguments:
        address = urlsplit(word)
        if not address.scheme.startswith("http") or "$" in address.path:
            continue
        try:
            resolve(address.path)
        except Resolver404:
            yield f"no page {address.path}"
        told = description()["paths"].get(address.path, {}).get("get", {}).get("parameters", [])
        known = {parameter["name"] for parameter in told}
        for name, _ in parse_qsl(address.query):
            if name not in known:
                yield f"no parameter {name} of {address.path}"

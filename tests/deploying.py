"""What is started where: the commands of the files by which people deploy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
IMAGE = ROOT / "Dockerfile"
VENV = "/srv/program-executor/.venv/bin/"


def documents(path: Path) -> list[Any]:
    """Return what a YAML file holds."""
    return list(yaml.safe_load_all(path.read_text()))


def commands() -> Iterator[tuple[str, str]]:
    """Yield where a command of ours stands, and the command."""
    for line in (ROOT / "Procfile").read_text().splitlines():
        name, _, command = line.partition(": ")
        yield f"Procfile {name}", re.sub(r"\$\{\w+:-(.+)\}", r"\1", command)
    (words,) = re.findall(r"^CMD (.+)$", IMAGE.read_text(), re.MULTILINE)
    yield "Dockerfile", " ".join(json.loads(words))
    (compose,) = documents(ROOT / "compose.yaml")
    for name, service in compose["services"].items():
        if service.get("image") == "program-executor" and "command" in service:
            yield f"compose.yaml {name}", service["command"]
    for path in sorted(DEPLOY.glob("systemd/*.service")):
        for command in re.findall(r"^ExecStart=(.+)$", path.read_text(), re.MULTILINE):
            yield path.name, command.removeprefix(VENV)

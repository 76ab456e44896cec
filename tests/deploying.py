"""What is started where: the commands of the files by which people deploy."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
IMAGE = ROOT / "Dockerfile"
VENV = "/srv/program-executor/.venv/bin/"


def documents(path: Path) -> list[Any]:
    """Return what a YAML file holds."""
    return list(yaml.safe_load_all(path.read_text()))


def manifests() -> list[Any]:
    """Return what Kubernetes is told to make, as kustomization.yaml lists it."""
    (listed,) = documents(KUBERNETES / "kustomization.yaml")
    return [made for name in listed["resources"] for made in documents(KUBERNETES / name)]


def pod(manifest: Any) -> Any:
    """Return the specification of the pods of a manifest, None where it makes none."""
    spec = manifest.get("spec", {})
    template = spec.get("jobTemplate", manifest).get("spec", {}).get("template")
    return template and template["spec"]


def containers(manifest: Any) -> list[Any]:
    found = pod(manifest)
    return found["containers"] if found else []


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
    for manifest in manifests():
        for container in containers(manifest):
            if "command" in container:
                yield f"kubernetes {container['name']}", shlex.join(container["command"])
    for path in sorted(DEPLOY.glob("systemd/*.service")):
        for command in re.findall(r"^ExecStart=(.+)$", path.read_text(), re.MULTILINE):
            yield path.name, command.removeprefix(VENV)

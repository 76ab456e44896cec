"""The files by which people deploy: what they start exists, and is stopped in good order."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from django.urls import resolve

import programs
from programs.conf import settings
from tests.deploying import (
    DEPLOY,
    IMAGE,
    KUBERNETES,
    ROOT,
    VENV,
    commands,
    containers,
    documents,
    manifests,
    pod,
)
from tests.project import execute
from tests.shell import faults

WSGI = "executor_project.wsgi"
UNITS = sorted(DEPLOY.glob("systemd/*"))
STARTED = list(commands())
MADE = {f"{made['kind']} {made['metadata']['name']}": made for made in manifests()}
WITH_PODS = {name: made for name, made in MADE.items() if pod(made)}
SECRETS = {"DATABASE_URL", "AMQP_URL", "SECRET_KEY", "METRICS_TOKEN"}  # made by hand, in no file


@pytest.mark.parametrize(("at", "command"), STARTED)
def test_what_is_started_exists_and_takes_its_options(at: str, command: str) -> None:
    assert faults(command) == []


def test_a_worker_is_given_longer_than_it_gives_its_jobs() -> None:
    (compose,) = documents(ROOT / "compose.yaml")
    unit = (DEPLOY / "systemd" / "program-executor-worker@.service").read_text()

    given = [
        compose["services"]["worker"]["stop_grace_period"].removesuffix("s"),
        *re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE),
        pod(MADE["Deployment program-executor-worker"])["terminationGracePeriodSeconds"],
    ]

    assert len(given) == 3
    assert all(float(seconds) > settings.SHUTDOWN_TIMEOUT + 5 for seconds in given)


def test_the_image_runs_as_somebody_whose_number_is_not_roots() -> None:
    (user,) = re.findall(r"^USER (.+)$", IMAGE.read_text(), re.MULTILINE)
    assert int(user) > 0
    worker = pod(MADE["Deployment program-executor-worker"])
    assert worker["securityContext"]["fsGroup"] == int(user)


def test_what_the_image_holds_is_enough_to_run(tmp_path: Path) -> None:
    for name in re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    own = {"SECRET_KEY": "of this test", "DJANGO_SETTINGS_MODULE": "executor_project.settings"}
    environment = {**os.environ, **own, "DEBUG": ""}

    for command in ("manage.py collectstatic --noinput", "-m gunicorn --check-config " + WSGI):
        execute(sys.executable, *command.split(), cwd=tmp_path, env=environment)

    assert (tmp_path / "staticfiles" / "programs" / "console.css").exists()


def test_no_container_keeps_log_lines_without_end() -> None:
    (compose,) = documents(ROOT / "compose.yaml")
    drivers = {service["logging"]["driver"] for service in compose["services"].values()}
    assert drivers == {"local"}


# systemd ------------------------------------------------------------------------------------


def unit(path: Path) -> configparser.ConfigParser:
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string(path.read_text())
    return read


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_every_service_is_locked_in_and_no_root(path: Path) -> None:
    read = unit(path)
    if path.suffix == ".timer":
        assert path.with_suffix(".service") in UNITS
        return
    service = read["Service"]
    assert service["User"] == "program-executor"
    assert (service["ProtectSystem"], service["NoNewPrivileges"]) == ("strict", "yes")


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("There is no systemd here.")
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("gunicorn", "python"):
        (folder / name).symlink_to("/bin/true")
    for path in UNITS:
        text = path.read_text().replace(VENV, f"{folder}/")
        (tmp_path / path.name.replace("@", "@1")).write_text(text)

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(path) for path in tmp_path.glob("prog*"))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


# Kubernetes ---------------------------------------------------------------------------------

manifest = pytest.mark.parametrize("made", MADE.values(), ids=MADE)
with_pods = pytest.mark.parametrize("made", WITH_PODS.values(), ids=WITH_PODS)


def test_every_manifest_is_listed() -> None:
    (listed,) = documents(KUBERNETES / "kustomization.yaml")
    files = {path.name for path in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(listed["resources"]) == files
    assert [image["newTag"] for image in listed["images"]] == [programs.__version__]


@manifest
@pytest.mark.parametrize("version", ["1.31", kubernetes_validate.latest_version()])
def test_kubernetes_understands_the_manifests(made: Any, version: str) -> None:
    kubernetes_validate.validate(made, version, strict=True)


@with_pods
def test_every_container_is_locked_in_and_no_root(made: Any) -> None:
    assert pod(made)["securityContext"]["runAsNonRoot"] is True
    for container in containers(made):
        locked = container["securityContext"]
        assert (locked["readOnlyRootFilesystem"], locked["allowPrivilegeEscalation"]) == (
            True,
            False,
        )
        assert container["image"] == "program-executor"  # which kustomization.yaml replaces


@with_pods
def test_what_a_pod_refers_to_is_there(made: Any) -> None:
    spec = pod(made)
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in spec.get("volumes", [])
        if "persistentVolumeClaim" in volume
    }
    assert {f"PersistentVolumeClaim {name}" for name in claims} <= MADE.keys()
    for container in spec["containers"]:
        for source in container["envFrom"]:
            for ref in source.values():
                assert ref["name"] == "program-executor"
        mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
        assert mounted == {volume["name"] for volume in spec.get("volumes", [])}


def test_services_and_budgets_select_the_pods_that_there_are() -> None:
    labels = [made["spec"]["template"]["metadata"]["labels"] for made in deployments()]
    for name, made in MADE.items():
        selector = made.get("spec", {}).get("selector")
        if selector is not None:
            assert selector.get("matchLabels", selector) in labels, name


def deployments() -> list[Any]:
    return [made for name, made in MADE.items() if name.startswith("Deployment ")]


@pytest.mark.parametrize("made", deployments(), ids=lambda made: made["metadata"]["name"])
def test_probes_ask_for_addresses_that_are_answered_on_ports_that_are_open(made: Any) -> None:
    (container,) = containers(made)
    open_ports = {port["name"] for port in container["ports"]}
    for probe, path in (
        ("startup", "/healthz"),
        ("liveness", "/healthz"),
        ("readiness", "/readyz"),
    ):
        asked = container[f"{probe}Probe"]["httpGet"]
        assert asked["path"] == path
        assert asked["port"] in open_ports
        assert resolve(path).route == path.strip("/")


def test_the_settings_of_the_pods_are_those_that_the_project_reads() -> None:
    documented = (ROOT / "docs" / "settings.md").read_text()
    names = MADE["ConfigMap program-executor"]["data"].keys()
    assert [name for name in names if f"| `{name}` |" not in documented] == []
    assert not SECRETS & names

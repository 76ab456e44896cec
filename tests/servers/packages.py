"""What to install where a server is missing, and installing it where nobody need be asked."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

DEADLINE = 900.0  # seconds, for each of apt-get's two steps on a slow network

POLICY = Path("/usr/sbin/policy-rc.d")
START_NO_SERVICE = "#!/bin/sh\nexit 101\n"


class InstallFailed(Exception):
    """apt-get did not do what it was told."""


def installable() -> bool:
    """Tell whether this is a Debian or Ubuntu that we are root of."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def command_to_type(packages: Sequence[str]) -> str:
    """Return the command that installs these packages of Debian's on this machine."""
    if shutil.which("apt-get"):
        return f"sudo apt-get install --no-install-recommends {' '.join(packages)}"
    formulas = [package.removesuffix("-server") for package in packages]
    return f"brew install {' '.join(formulas)}"


def install(packages: Sequence[str]) -> None:
    """Install packages of Debian's without questions, and without starting their services."""
    with no_service_started():
        _apt_get("update")
        _apt_get("install", "--yes", "--no-install-recommends", *packages)


@contextmanager
def no_service_started(policy: Path = POLICY) -> Iterator[None]:
    """Forbid packages to start what they install: Debian asks this file each time."""
    before = policy.read_bytes() if policy.exists() else None
    policy.write_text(START_NO_SERVICE)
    policy.chmod(0o755)
    try:
        yield
    finally:
        if before is None:
            policy.unlink()
        else:
            policy.write_bytes(before)


def _apt_get(*arguments: str) -> None:
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=120", "--quiet", *arguments]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=DEADLINE,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    if done.returncode:
        raise InstallFailed(f"{' '.join(command)} failed:\n{done.stdout}")

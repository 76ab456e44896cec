"""A private server as a process of this machine, in a folder of its own."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from glob import glob
from pathlib import Path
from signal import Signals
from typing import TypedDict

from tests.servers.guard import Guard, kill_group
from tests.servers.server import ServerFailed

# Holds the command back until its guard knows of it: this session may be killed before that.
WHEN_GUARDED = ("sh", "-c", 'read -r guarded && exec "$0" "$@" </dev/null')

STOP_DEADLINE = 30.0  # seconds; a clean stop writes everything to disk first
TOOL_DEADLINE = 60.0


class Process:
    """A server in a process group of its own, and the folder that goes when it goes.

    Neither outlives this session: a guard cleans up when that has ended, by whatever signal.
    """

    private = True

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        environment: Mapping[str, str],
        crash: Signals,
    ) -> None:
        """Take what to run, and the signal that ends it without waiting for clients."""
        self._folder = folder
        self._command = command
        self._crash = crash
        # PATH alone is taken from ours: a PGDATA or RABBITMQ_NODENAME would lead to other servers.
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LC_ALL": "C",
            **environment,
        }
        self._leader: subprocess.Popen[bytes] | None = None
        self._guard = Guard("folder", str(folder), crash.name)

    def start(self) -> None:
        with (self._folder / "output.log").open("ab") as output:
            self._leader = subprocess.Popen(
                (*WHEN_GUARDED, *self._command),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is for the tests, which then end the server
                cwd=self._folder,
                env=self._environment,
                **unprivileged(),
            )
        self._guard.watch(self._leader.pid)
        assert self._leader.stdin
        with self._leader.stdin as go:
            go.write(b"guarded\n")

    def end(self, how: Signals) -> None:
        if self._leader is None:
            return
        self._leader.send_signal(how)
        try:
            self._leader.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired as error:
            raise ServerFailed(
                f"{self._command[0]} goes on {STOP_DEADLINE:.0f} s after {how.name}:\n{self.log()}"
            ) from error
        kill_group(self._leader.pid)
        self._guard.watch(None)
        self._leader = None

    def running(self) -> bool:
        return self._leader is not None and self._leader.poll() is None

    def execute(self, *command: str) -> str:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=TOOL_DEADLINE,
            cwd=self._folder,
            env=self._environment,
            **unprivileged(),
        )
        if done.returncode:
            raise ServerFailed(f"{command[0]} failed:\n{done.stdout}")
        return done.stdout

    def log(self, lines: int = 20) -> str:
        output = (self._folder / "output.log").read_text(errors="replace")
        return "\n".join(output.splitlines()[-lines:])

    def close(self) -> None:
        try:
            self.end(self._crash)
        finally:
            self._guard.close()


class Identity(TypedDict, total=False):
    """Who a process runs as, in subprocess's words."""

    user: str
    group: int
    extra_groups: Sequence[int]


def unprivileged() -> Identity:
    """Return who servers run as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": ()}


def new_folder(name: str) -> Path:
    """Make a temporary folder that belongs to whom servers run as."""
    folder = Path(tempfile.mkdtemp(prefix=f"programs-{name}-"))
    identity = unprivileged()
    if identity:
        shutil.chown(folder, identity["user"], identity["group"])
    return folder


def find_folder(programs: Iterable[str], patterns: Iterable[str]) -> Path | None:
    """Return the first folder that holds all these programs."""
    for folder in _folders(patterns):
        if all(os.access(folder / program, os.X_OK) for program in programs):
            return folder
    return None


def _folders(patterns: Iterable[str]) -> Iterator[Path]:
    for pattern in patterns:
        yield from map(Path, sorted(glob(pattern), key=_version, reverse=True))


def _version(folder: str) -> list[int]:
    """Make 15 newer than 9, as text would not."""
    return [int(digits) for digits in re.findall(r"\d+", folder)]

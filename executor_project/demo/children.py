"""The child processes of the demonstration, and the signals that end them."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType, TracebackType

from executor_project.demo import Trouble

TICK = 0.1  # seconds between two looks at children and signals
DEADLINE = 10.0  # seconds that children may take to end
LAST_LINES = 15  # of the log of a child that died


class Ended(Exception):
    """Ctrl-C, a SIGTERM, or a terminal that was closed."""


class Children:
    """Processes that live no longer than the `with` block."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self._folder = folder  # in which they run
        self._logs = logs
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._asked_to_end = False

    def __enter__(self) -> Children:
        self._logs.mkdir(parents=True, exist_ok=True)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def log(self, name: str) -> Path:
        """Return the file that holds what a child says."""
        return self._logs / f"{name}.log"

    def start(self, name: str, command: Sequence[str], pass_fds: Sequence[int] = ()) -> None:
        """Start a child in a session of its own: a Ctrl-C on the terminal reaches only us."""
        with self.log(name).open("wb") as log:
            self._processes[name] = subprocess.Popen(
                command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds,
                start_new_session=True,
            )

    def watch(self, seconds: float = TICK) -> None:
        """Let time pass; raise `Ended` when we are asked to end, `Trouble` when a child died."""
        until = time.monotonic() + seconds
        while True:
            if self._asked_to_end:
                raise Ended
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise Trouble(self._death_of(name, process.returncode))
            if time.monotonic() >= until:
                return
            time.sleep(TICK)

    def _death_of(self, name: str, code: int) -> str:
        log = self.log(name)
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        return "\n  ".join(
            [f"The {name} ended with exit code {code}. {log} says at its end:", *lines]
        )

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # A flag, for a child that is just being started must not be forgotten. It is looked at
        # all the time; who asks twice does not want to wait.
        if self._asked_to_end:
            raise KeyboardInterrupt
        self._asked_to_end = True

    def _end(self) -> None:
        """Ask all children to end, wait for them, and kill those that do not."""
        running = [process for process in self._processes.values() if process.poll() is None]
        self._asked_to_end = True
        try:
            for process in running:
                process.terminate()
            deadline = time.monotonic() + DEADLINE
            for process in running:
                process.wait(max(0.0, deadline - time.monotonic()))
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            pass  # killed below
        finally:
            for process in running:
                if process.poll() is None:
                    process.kill()
                    process.wait()

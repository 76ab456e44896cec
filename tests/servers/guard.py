"""Cleans up after a session of tests when that has ended, however it ended.

The guard is a process of its own and the session holds the other end of its stdin: end of file is
the session's end, by SIGKILL too, which no handler inside the session could see.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

GRACE = 3.0  # seconds between the signal and SIGKILL
DEADLINE = 10.0  # seconds, for everything else that may hang


class Guard:
    """The session's side: what the guard has to know, and its dismissal."""

    def __init__(self, *duty: str) -> None:
        """Take on `folder PATH SIGNAL`, to end what is watched and remove PATH, or `run COMMAND…`.

        The signal is one that ends it without waiting for clients.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__, *duty],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C ends the session first
        )

    def watch(self, leader: int | None) -> None:
        """Name the process whose group ends with the session."""
        assert self._process.stdin
        self._process.stdin.write(b"%d\n" % (leader or 0))
        self._process.stdin.flush()

    def close(self) -> None:
        """Let it do its duty now, and wait for that."""
        self._process.communicate(timeout=3 * DEADLINE)


def main(duty: list[str]) -> None:
    leader = 0
    for line in sys.stdin:
        leader = int(line)
    match duty:
        case ["folder", folder, name]:
            if leader:
                end_group(leader, signal.Signals[name])
            remove(Path(folder))
        case ["run", *command]:
            subprocess.run(command, capture_output=True, check=False, timeout=DEADLINE)


def end_group(leader: int, how: signal.Signals) -> None:
    """Signal a process group, then kill what is left of it."""
    deadline = time.monotonic() + GRACE
    with suppress(ProcessLookupError):
        os.killpg(leader, how)
        while time.monotonic() < deadline:
            os.kill(leader, 0)
            time.sleep(0.05)
    kill_group(leader)


def kill_group(leader: int) -> None:
    """Kill what is left of a process group."""
    # macOS refuses to signal a group in which there are only zombies.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def remove(folder: Path) -> None:
    """Remove a folder, in which a killed process may write for a moment yet."""
    deadline = time.monotonic() + DEADLINE
    while folder.exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.01)


if __name__ == "__main__":
    main(sys.argv[1:])

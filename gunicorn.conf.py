"""What gunicorn reads by itself when it is started in this folder."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

# A process answers so many at once, and lives while one of them waits for a program's end. With one
# thread it answers nobody else meanwhile, and is killed for its silence after 30 s.
threads = 8

# A socket in the home of the user, to steer it by: a service has no home, and nobody asks for it.
control_socket_disable = True

# By itself it believes whoever asks from this machine that he came over HTTPS. Whether there is a
# proxy to be believed, TRUSTED_PROXIES says.
secure_scheme_headers: dict[str, str] = {}


def leave_nothing(folder: Path, master: int) -> None:
    """Remove the folder with the master: its forks come by here as well."""
    if os.getpid() == master:
        shutil.rmtree(folder, ignore_errors=True)


# Where its processes share what they count for /metrics: a folder of this master, in memory, so
# that no full disk can end a process. One that you name stays yours.
MEMORY = "/dev/shm"  # noqa: S108 (mkdtemp makes a folder of our own there)
OURS = "program-executor-metrics-"
folder = Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR") or OURS)
if folder.name.startswith(OURS) and not folder.name.startswith(own := f"{OURS}{os.getpid()}-"):
    folder = Path(tempfile.mkdtemp(prefix=own, dir=MEMORY if os.access(MEMORY, os.W_OK) else None))
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    atexit.register(leave_nothing, folder, os.getpid())


def child_exit(server: Any, worker: Any) -> None:
    """Forget how a process stood that is gone; what it had counted stays."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)

"""A private server as a container, where a Docker engine answers."""

import subprocess
from collections.abc import Mapping, Sequence
from secrets import token_hex
from signal import Signals

from tests.servers.guard import Guard
from tests.servers.server import ServerFailed

ENGINE_DEADLINE = 10.0  # seconds
PULL_DEADLINE = 600.0  # the first time an image comes over the network
STOP_DEADLINE = 30.0


class Container:
    """A container that keeps its data while it is stopped, and is removed with this session."""

    private = True

    def __init__(
        self,
        image: str,
        ports: Mapping[int, int],
        environment: Mapping[str, str],
        arguments: Sequence[str] = (),
    ) -> None:
        self._name = f"programs-{token_hex(4)}"
        self._guard = Guard("run", "docker", "rm", "--force", "--volumes", self._name)
        # RabbitMQ finds its data by the host's name.
        options = ["--name", self._name, "--hostname", self._name]
        for ours, its in ports.items():
            options += ["--publish", f"127.0.0.1:{ours}:{its}"]
        for name, value in environment.items():
            options += ["--env", f"{name}={value}"]
        docker("create", *options, image, *arguments, deadline=PULL_DEADLINE)

    def start(self) -> None:
        docker("start", self._name)

    def end(self, how: Signals) -> None:
        docker("kill", "--signal", how.name, self._name)
        docker("wait", self._name, deadline=STOP_DEADLINE)

    def running(self) -> bool:
        state = docker("inspect", "--format", "{{.State.Running}}", self._name)
        return state.strip() == "true"

    def execute(self, *command: str) -> str:
        return docker("exec", self._name, *command)

    def log(self, lines: int = 20) -> str:
        return docker("logs", "--tail", str(lines), self._name)

    def close(self) -> None:
        self._guard.close()


def docker(*arguments: str, deadline: float = ENGINE_DEADLINE) -> str:
    """Run Docker's client and return what it printed."""
    try:
        done = subprocess.run(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=deadline,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerFailed(f"docker {arguments[0]}: {error}") from error
    if done.returncode:
        raise ServerFailed(f"docker {arguments[0]} failed:\n{done.stdout}")
    return done.stdout


def engine_answers() -> bool:
    """Tell whether containers can be had: the client alone is no engine."""
    try:
        docker("version", "--format", "{{.Server.Version}}")
    except ServerFailed:
        return False
    return True

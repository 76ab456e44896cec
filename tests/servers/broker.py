"""RabbitMQ for tests."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from secrets import token_hex
from signal import SIGKILL, SIGTERM
from urllib.parse import urlsplit

import pika

from tests.servers.container import Container, engine_answers
from tests.servers.packages import command_to_type
from tests.servers.process import Process, find_folder, new_folder
from tests.servers.server import External, Runner, Server, ServerMissing, free_port

PACKAGE = "rabbitmq-server"
VARIABLE = "TEST_AMQP_URL"
IMAGE = "rabbitmq:4"

FOLDERS = (
    "/usr/lib/rabbitmq/bin",  # Debian, Ubuntu: what is on PATH there changes the user
    *os.get_exec_path(),
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
)


class RabbitMQ(Server):
    """A RabbitMQ, on which each test has queues of its own."""

    name = "RabbitMQ"

    def __init__(self, url: str, runner: Runner, control: tuple[str, ...] = ()) -> None:
        super().__init__(url, runner)
        self._control = control
        self._queues: list[str] = []

    def new_queue(self, *named: str) -> str:
        """Make up a queue's name, for QUEUE_NAME.

        That queue and its `<queue>.<named>` are deleted when the server is closed.
        """
        queue = f"programs-test-{token_hex(6)}"
        self._queues += [queue, *(f"{queue}.{name}" for name in named)]
        return queue

    def stop(self) -> None:
        """Stop it cleanly."""
        self._runner.end(SIGTERM)

    def kill(self) -> None:
        """Stop it as a crash does; a queue declared in the last second may come back empty."""
        self._runner.end(SIGKILL)

    def restart(self) -> None:
        """Stop it and start it again, on the same port, with the same data."""
        self.stop()
        self.start()

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl, as in `ctl("list_queues", "name", "messages")`; return its output."""
        return self._runner.execute(*self._control, "--quiet", *arguments)

    def log(self) -> str:
        """Return what it has logged since it was made."""
        return self._runner.log(lines=sys.maxsize)

    def close(self) -> None:
        try:
            if not self.private and self._queues:
                with closing(pika.BlockingConnection(pika.URLParameters(self.url))) as connection:
                    channel = connection.channel()
                    for queue in self._queues:
                        channel.queue_delete(queue)
        finally:
            super().close()

    def _answers(self) -> bool:
        """Shake hands: the port alone may be Docker's, open before the server is up."""
        address = urlsplit(self.url)
        try:
            with socket.create_connection((address.hostname, address.port), timeout=5) as client:
                client.sendall(b"AMQP\x00\x00\x09\x01")
                return client.recv(1) == b"\x01"  # the first byte of Connection.Start
        except OSError:
            return False


def installed() -> Path | None:
    """Return the folder of this machine's RabbitMQ, where there is one."""
    return find_folder(("rabbitmq-server", "rabbitmqctl"), FOLDERS)


def obtainable() -> bool:
    """Tell whether `rabbitmq` will find something."""
    return bool(os.environ.get(VARIABLE) or installed() or engine_answers())


@contextmanager
def rabbitmq() -> Iterator[RabbitMQ]:
    """Use the RabbitMQ of TEST_AMQP_URL, or a private one."""
    url = os.environ.get(VARIABLE)
    server = RabbitMQ(url, External(VARIABLE)) if url else _private()
    try:
        if server.private:
            server.start()
        yield server
    finally:
        server.close()


def _private() -> RabbitMQ:
    port = free_port()
    url = f"amqp://guest:guest@127.0.0.1:{port}/"
    if folder := installed():
        return RabbitMQ(url, _process(folder, port), (str(folder / "rabbitmqctl"),))
    if engine_answers():
        return RabbitMQ(url, Container(IMAGE, {port: 5672}, {}), ("rabbitmqctl",))
    raise ServerMissing(
        f"There is no RabbitMQ here: type `{command_to_type([PACKAGE])}`, start Docker's engine, "
        f"or let {VARIABLE} name one."
    )


def _process(binaries: Path, port: int) -> Process:
    folder = new_folder("rabbitmq")
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\nlog.console = true\n"  # as in a container
    )
    (folder / "enabled_plugins").write_text("[].\n")
    environment = {
        "RABBITMQ_NODENAME": f"programs-{token_hex(4)}@localhost",
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_FLAGS": "-start_epmd false",
        "ERL_EPMD_PORT": str(free_port()),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    # Left to themselves RabbitMQ and its tools start Erlang's port mapper as a daemon that stays
    # for ever and serves every node of the machine. One of its own, in its group, ends with it.
    command = ("sh", "-c", 'epmd & exec "$0"', str(binaries / "rabbitmq-server"))
    return Process(folder, command, environment, crash=SIGKILL)

"""How tests find their servers, with none of them running."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import NotPrivate, ServerFailed, ServerMissing, broker, database, packages
from tests.servers import postgres as open_postgres
from tests.servers import rabbitmq as open_rabbitmq
from tests.servers.container import Container, engine_answers
from tests.servers.process import Process, find_folder, new_folder
from tests.servers.server import External, free_port


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which no server can be found; its PATH is the folder returned."""
    for variable in (database.VARIABLE, broker.VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    for module in (database, broker):
        monkeypatch.setattr(module, "FOLDERS", (str(tmp_path),))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def make_program(path: Path, body: str = "exit 0") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_a_folder_counts_only_when_it_holds_every_program(tmp_path: Path) -> None:
    make_program(tmp_path / "client" / "psql")
    make_program(tmp_path / "server" / "postgres")
    make_program(tmp_path / "server" / "initdb")

    found = find_folder(("postgres", "initdb"), [f"{tmp_path}/client", f"{tmp_path}/server"])

    assert found == tmp_path / "server"


def test_the_newest_version_is_taken(tmp_path: Path) -> None:
    for version in ("9.6", "17", "15"):
        make_program(tmp_path / version / "bin" / "postgres")

    assert find_folder(["postgres"], [f"{tmp_path}/*/bin"]) == tmp_path / "17" / "bin"


def test_a_machine_without_servers_is_told_what_to_type(bare_machine: Path) -> None:
    make_program(bare_machine / "apt-get")

    with pytest.raises(ServerMissing, match=r"apt-get .* postgresql`.* TEST_DATABASE_URL"):
        open_postgres().__enter__()
    with pytest.raises(ServerMissing, match=r"apt-get .* rabbitmq-server`.* TEST_AMQP_URL"):
        open_rabbitmq().__enter__()


def test_a_machine_without_apt_is_told_homebrews_names(bare_machine: Path) -> None:
    command = packages.command_to_type(["postgresql", "rabbitmq-server"])

    assert command == "brew install postgresql rabbitmq"


@pytest.mark.usefixtures("bare_machine")
def test_a_named_server_needs_none_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not database.obtainable()
    assert not broker.obtainable()

    monkeypatch.setenv("TEST_DATABASE_URL", "postgres://somebody@example.invalid/theirs")
    monkeypatch.setenv("TEST_AMQP_URL", "amqp://example.invalid")

    assert database.obtainable()
    assert broker.obtainable()


def test_a_named_server_is_never_stopped() -> None:
    server = database.Postgres("postgres://theirs", External("TEST_DATABASE_URL"))

    assert not server.private
    for fault in (server.stop, server.start, server.restart):
        with pytest.raises(NotPrivate, match="Without TEST_DATABASE_URL"):
            fault()


def test_each_test_gets_a_queue_name_of_its_own() -> None:
    server = broker.RabbitMQ("amqp://theirs", External("TEST_AMQP_URL"))

    assert server.new_queue() != server.new_queue()


def test_a_free_port_is_none_that_outgoing_connections_get() -> None:
    port = free_port()

    assert 20_000 <= port < 30_000
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_a_docker_client_without_an_engine_is_no_engine(bare_machine: Path) -> None:
    assert not engine_answers()

    make_program(bare_machine / "docker", "echo 'Cannot connect to the Docker daemon'; exit 1")
    assert not engine_answers()


def test_a_container_keeps_its_port_and_goes_with_its_data(bare_machine: Path) -> None:
    calls = bare_machine / "calls"
    make_program(bare_machine / "docker", f'echo "$@" >> {calls}')

    container = Container("postgres:17", {23456: 5432}, {"TRUST": "yes"})
    container.start()
    container.end(signal.SIGINT)
    container.start()
    container.close()

    create, *rest = calls.read_text().splitlines()
    name = create.split()[2]
    assert create.endswith("--publish 127.0.0.1:23456:5432 --env TRUST=yes postgres:17")
    assert rest == [
        f"start {name}",
        f"kill --signal SIGINT {name}",
        f"wait {name}",
        f"start {name}",
        f"rm --force --volumes {name}",
    ]


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = new_folder("unit")
    yield folder
    assert not folder.exists(), "whoever ends a process removes its folder"


def test_a_process_starts_again_after_its_end(folder: Path) -> None:
    process = Process(folder, ["sleep", "60"], {}, crash=signal.SIGKILL)

    process.start()
    assert process.running()
    process.end(signal.SIGTERM)
    assert not process.running()
    process.start()
    assert process.running()

    process.close()
    assert not process.running()


def test_a_process_explains_its_failure_with_its_last_words(folder: Path) -> None:
    process = Process(folder, ["sh", "-c", "echo port taken"], {}, crash=signal.SIGKILL)
    server = database.Postgres("postgres://127.0.0.1:1/nowhere", process)

    with pytest.raises(ServerFailed, match="PostgreSQL ended while it started:\nport taken"):
        server.start()

    server.close()


def test_a_failing_tool_explains_itself(folder: Path) -> None:
    process = Process(folder, ["true"], {}, crash=signal.SIGKILL)

    with pytest.raises(ServerFailed, match="sh failed:\nno such node"):
        process.execute("sh", "-c", "echo no such node >&2; exit 1")

    process.close()


def test_nothing_is_left_when_a_session_is_killed(folder: Path) -> None:
    alive = folder / "alive"
    os.mkfifo(alive)
    alive.chmod(0o666)
    session = subprocess.Popen([sys.executable, "-c", SESSION, str(folder)])

    with alive.open() as server:  # waits for the server to open the other end
        session.kill()
        session.wait()
        assert server.read() == "", "the end of file, once nothing is left that could write"

    deadline = time.monotonic() + 10
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)


SESSION = """
import signal, sys, time
from pathlib import Path
from tests.servers.process import Process

server = ["sh", "-c", "exec sleep 60 > alive"]
Process(Path(sys.argv[1]), server, {}, crash=signal.SIGKILL).start()
time.sleep(60)
"""


def test_services_are_kept_from_starting_and_the_policy_is_put_back(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"

    with packages.no_service_started(policy):
        assert subprocess.run([policy], check=False).returncode == 101
    assert not policy.exists()

    make_program(policy, "exit 42")
    with packages.no_service_started(policy):
        assert subprocess.run([policy], check=False).returncode == 101
    assert subprocess.run([policy], check=False).returncode == 42


def test_the_environment_of_a_process_leads_to_no_other_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGDATA", "/their/data")
    process = Process(folder, ["true"], {"OURS": "yes"}, crash=signal.SIGKILL)

    names = {line.partition("=")[0] for line in process.execute("env").splitlines()}

    process.close()
    assert "OURS" in names
    assert "PGDATA" not in names

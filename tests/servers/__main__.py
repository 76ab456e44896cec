"""Lend the tests' servers to a command, or install what is missing of them."""

import os
import shutil
import signal
import subprocess
import sys

from tests.servers import broker, browser, database, mariadb, packages
from tests.servers.server import ServerFailed, ServerMissing

USAGE = """\
python -m tests.servers -- COMMAND    run COMMAND with DATABASE_URL and AMQP_URL of fresh servers
python -m tests.servers --install [mariadb]
                                      install the servers and browser that tests need, where it may
"""

# What mysqlclient is compiled with, and what the driver of SQL Server loads.
FOR_DRIVERS = ("gcc", "libc6-dev", "libmariadb-dev", "pkg-config", "python3-dev", "libodbc2")


def main(arguments: list[str]) -> int:
    # Left to its default, SIGTERM would skip what has to be put back.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        match arguments:
            case ["--install"]:
                return install()
            case ["--install", "mariadb"]:
                return install(for_databases=True)
            case ["--", *command] if command:
                return lend(command)
    except (ServerFailed, ServerMissing, packages.InstallFailed) as error:
        print(error, file=sys.stderr)
        return 1
    print(USAGE, end="", file=sys.stderr)
    return 2


def install(*, for_databases: bool = False) -> int:
    """Install what is missing where that needs no question; elsewhere say what to type."""
    servers = (database, broker, mariadb) if for_databases else (database, broker)
    missing = [server.PACKAGE for server in servers if not server.obtainable()]
    if for_databases and not shutil.which("mariadb_config"):
        missing += FOR_DRIVERS
    missing += browser.missing()
    if not shutil.which("curl"):
        missing.append("curl")  # by which the README speaks to the API
    if missing and packages.installable():
        print(f"Installing {', '.join(missing)} for the tests with apt-get", flush=True)
        packages.install(missing)
    elif missing:
        print(f"Some tests will be skipped; to run them: {packages.command_to_type(missing)}")
    return 0


def lend(command: list[str]) -> int:
    """Run a command between the start and the end of its servers, and return its exit status."""
    with database.postgres() as postgres, broker.rabbitmq() as rabbitmq:
        environment = {**os.environ, "DATABASE_URL": postgres.url, "AMQP_URL": rabbitmq.url}
        with subprocess.Popen(command, env=environment) as borrower:
            # A terminal gives Ctrl-C to the command as well, and the command decides.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, lambda number, frame: borrower.send_signal(number))
            status = borrower.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

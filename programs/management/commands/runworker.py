"""`manage.py runworker`: run programs until told to end."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core import checks
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.db import connections

from programs import dialect, logs
from programs.checks import table_is_ours
from programs.conf import settings
from programs.errors import BrokerMisconfigured, BrokerUnavailable
from programs.management.arguments import count, name, port, seconds
from programs.models.columns import DEFAULT_QUEUE
from programs.redaction import redact_url
from programs.transport import probe
from programs.transport.topology import broker_queue
from programs.worker.supervisor import Orders, Supervisor, unique_name

MIGRATE = "run `python manage.py migrate` first"


class Command(BaseCommand):
    requires_system_checks = ()  # handle() does, so that its first line is not a warning
    help = "Run programs: claim those that are due and execute their jobs, until told to end."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--queue",
            action="append",
            type=name,
            metavar="NAME",
            help=f"a queue to serve; may be given several times (default: {DEFAULT_QUEUE})",
        )
        parser.add_argument(
            "--threads", type=count, metavar="N", help="programs at a time in each process"
        )
        parser.add_argument("--processes", type=count, metavar="N", help="child processes")
        parser.add_argument("--burst", action="store_true", help="end when nothing is due")
        parser.add_argument(
            "--max-programs", type=count, metavar="N", help="end after N claimed programs"
        )
        parser.add_argument(
            "--shutdown-timeout",
            type=seconds,
            metavar="S",
            help="seconds that running jobs may take after SIGTERM or Ctrl-C",
        )
        parser.add_argument("--name", type=name, help="the first part of the worker's name")
        parser.add_argument(
            "--health-port",
            type=port,
            metavar="N",
            help="answer /healthz, /readyz and /metrics on this port of all addresses",
        )
        parser.add_argument(
            "--reload", action="store_true", help="start anew when the code changes"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        worker = unique_name(options["name"])
        logs.configure(worker)
        self._require_sound_settings()
        self._require_tables()
        queues = tuple(dict.fromkeys(options["queue"] or [DEFAULT_QUEUE]))
        self._require_queues(queues, hinted=not options["burst"])
        timeout = options["shutdown_timeout"]
        orders = Orders(
            queues=queues,
            threads=options["threads"] or settings.THREADS,
            processes=options["processes"] or settings.PROCESSES,
            shutdown_timeout=settings.SHUTDOWN_TIMEOUT if timeout is None else timeout,
            name=worker,
            burst=options["burst"],
            max_programs=options["max_programs"],
            reload=options["reload"],
            health_port=options["health_port"],
        )
        supervisor = self._supervisor(orders)
        self.stdout.write(banner(orders))
        self.stdout.flush()
        connections.close_all()
        supervisor.run()

    def _supervisor(self, orders: Orders) -> Supervisor:
        try:
            return Supervisor(orders)
        except OSError as error:
            raise CommandError(
                f"argument --health-port: {orders.health_port} cannot be had "
                f"({error.strerror or error}): give another, or end what listens there"
            ) from error

    def _require_sound_settings(self) -> None:
        """End with what `manage.py check` says if it finds errors; warnings are left to it.

        No database is asked: from Django 6.1 on, checks that name none would open all, and one that
        is away is waited for.
        """
        found = checks.run_checks(databases=[])
        if any(message.is_serious() and not message.is_silenced() for message in found):
            self.check(databases=[])

    def _require_tables(self) -> None:
        """Say what to do where tables do not fit; a database that is away is waited for."""
        connection = connections[settings.DATABASE]
        introspection = connection.introspection
        where = f"the database {settings.DATABASE!r}"
        try:
            for found in table_is_ours(None, databases=[settings.DATABASE]):
                raise CommandError(f"{found.msg} {found.hint}")
            tables = introspection.table_names()
            for model in apps.get_app_config("programs").get_models():
                if (table := model._meta.db_table) not in tables:
                    raise CommandError(f"{where} has no table {table!r}: {MIGRATE}")
                with connection.cursor() as cursor:
                    described = introspection.get_table_description(cursor, table)
                wanted = {str(field.column) for field in model._meta.concrete_fields}
                if missing := wanted - {column.name for column in described}:
                    lacks = ", ".join(sorted(missing))
                    raise CommandError(f"{where} has no {lacks} in table {table!r}: {MIGRATE}")
        except DatabaseError:
            connection.close()

    def _require_queues(self, queues: tuple[str, ...], *, hinted: bool) -> None:
        """Refuse queues that Node executes, and those of its that are not as it makes them."""
        for queue in filter(dialect.node_executes, queues):
            raise CommandError(
                f"queue {queue!r} is executed by Node (PROGRAM_EXECUTOR['QUEUES']): leave it out "
                "of --queue, or let its EXECUTED_BY be 'python' once no Node consumes it"
            )
        try:
            found = probe.misfits(queues) if hinted else []
        except BrokerUnavailable:
            return  # it is waited for, as by all that works with it
        except BrokerMisconfigured as error:
            found = [error]
        for misfit in found:
            raise CommandError(str(misfit))


def banner(orders: Orders) -> str:
    """Return the first line of a worker: who it is and where its programs come from."""
    if settings.AMQP_URL and not orders.burst:
        names = ", ".join(broker_queue(queue) for queue in orders.queues)
        source = f"consumes {names} from {redact_url(settings.AMQP_URL)}"
    else:
        reason = "burst" if orders.burst else "no broker"
        source = f"looks into the database only ({reason}) for queue {', '.join(orders.queues)}"
    vendor = connections[settings.DATABASE].display_name
    return (
        f"worker {orders.name} {source}; {vendor}; "
        f"{orders.processes} process(es) of {orders.threads} thread(s)"
    )

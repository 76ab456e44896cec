"""What is true of the site, whichever process answers: asked from the database and from the broker.

Each question is one that an index answers from a bounded part of a table, and all of them together
are asked at most once in `FRESH` seconds by one process, however often it is scraped.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from programs.conf import settings
from programs.errors import BrokerMisconfigured, BrokerUnavailable
from programs.inspection.queues import COUNTED, QueueFacts, queues
from programs.models import Program, State, Worker
from programs.models.clock import Utc, database_now
from programs.models.program import ProgramQuerySet
from programs.models.state import ENDED
from programs.monitoring import catalogue as known
from programs.monitoring.catalogue import Found, Samples
from programs.monitoring.checkup import Checkup, Finding
from programs.monitoring.reading import Reading
from programs.transport import publisher
from programs.transport.depth import depths

logger = logging.getLogger(__name__)

FRESH = 5.0  # seconds
SCRAPED_WITHIN, PROBED_WITHIN = 8.0, 3.0  # seconds; Prometheus waits 10 s, unless told otherwise
BROKER_WITHIN = 1.0  # seconds
RECENTLY = 300.0  # seconds
ENDED_COUNTED = 100_000
WORKERS_COUNTED = 1_000
MIGRATED = "programs"  # the app whose migrations must be applied: others are the project's own


# Metrics --------------------------------------------------------------------------------------


def metrics() -> Found:
    """Return the metrics of the site, within `SCRAPED_WITHIN` seconds; an outage is one of them."""
    try:
        found = dict(_facts.get(SCRAPED_WITHIN))
    except Exception as error:  # noqa: BLE001 (that there is no answer is what is to be told)
        logger.warning(
            "metrics without what the database knows: %s",
            str(error).strip(),
            extra={"action": "metrics_incomplete"},
        )
        return {known.DATABASE_UP: _one(0)}
    return {known.DATABASE_UP: _one(1), **found}


def find_out() -> Found:
    """Ask the database, then the broker about the queues that the database names."""
    alias = settings.DATABASE
    shown = queues(alias).shown
    slots = list(
        Worker.objects.using(alias).live().values_list("slots", flat=True)[:WORKERS_COUNTED]
    )
    return {
        known.OPEN: _open(shown),
        known.OLDEST_DUE: _ages(shown),
        known.ENDED_RECENTLY: {(state.value,): _ended(state) for state in ENDED},
        known.QUEUE_PAUSED: {(each.name,): each.paused_at is not None for each in shown},
        known.QUEUE_WORKERS: {(each.name,): each.workers for each in shown},
        known.LIVE_WORKERS: _one(len(slots)),
        known.LIVE_SLOTS: _one(sum(slots)),
        **_broker(each.name for each in shown),
    }


def _open(shown: Iterable[QueueFacts]) -> Samples:
    found: Counter[tuple[str, ...]] = Counter()
    for each in shown:
        found[each.name, State.WAITING.value] = each.due.number
        found[each.name, State.SCHEDULED.value] = each.scheduled.number
    # As many as slots, or few: each found by an index of its own.
    running = _of_state(State.RUNNING).filter(due_at__gt=Utc())
    for state, rows in (
        (State.RUNNING, running),  # those whose lease has run out wait already
        (State.PAUSED, _of_state(State.PAUSED)),
        (State.STOPPING, _of_state(State.STOPPING)),
    ):
        for queue in rows.values_list("queue", flat=True)[:COUNTED]:
            found[queue or "", state.value] += 1
    return found


def _of_state(state: State) -> ProgramQuerySet:
    return Program.objects.using(settings.DATABASE).in_state(state).order_by()


def _ages(shown: Iterable[QueueFacts]) -> Samples:
    present = database_now(settings.DATABASE)
    return {
        (each.name,): max((present - each.oldest_due_at).total_seconds(), 0.0)
        if each.oldest_due_at is not None
        else 0.0
        for each in shown
    }


def _ended(state: State) -> int:
    rows = _of_state(state)
    return rows.filter(**{f"{state.value}_at__gte": Utc(after=-RECENTLY)})[:ENDED_COUNTED].count()


def _broker(names: Iterable[str]) -> Found:
    if settings.AMQP_URL is None:
        return {}
    try:
        found = depths(names, BROKER_WITHIN)
    except (BrokerUnavailable, BrokerMisconfigured):
        return {known.BROKER_UP: _one(0)}  # workers and publishers have logged why
    return {
        known.BROKER_UP: _one(1),
        known.BROKER_HINTS: {(name,): depth.messages for name, depth in found.items()},
        known.BROKER_CONSUMERS: {(name,): depth.consumers for name, depth in found.items()},
    }


def _one(value: float) -> Samples:
    return {(): value}


# Readiness ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Migrations:
    """Which of the app's migrations the database has not seen."""

    missing: tuple[str, ...]


def readiness() -> Checkup:
    """Tell whether this process can serve: the database answers, and its tables are up to date.

    Takes `PROBED_WITHIN` seconds at the most. The broker is told of and decides nothing: programs
    are created and found without it.
    """
    return Checkup("ready", "not ready", [*_database_findings(), Finding("broker", _sending())])


def _database_findings() -> list[Finding]:
    try:
        missing = _migrations.get(PROBED_WITHIN).missing
    except Exception as error:  # noqa: BLE001 (whatever it is: not ready)
        logger.warning("not ready: %s", str(error).strip(), extra={"action": "database_lost"})
        return [Finding("database", "it does not answer; the log says more", False)]
    answers = Finding("database", "answers")
    if missing:
        first = f"{len(missing)} not applied, the first is {missing[0]}: run `manage.py migrate`"
        return [answers, Finding("migrations", first, False)]
    return [answers, Finding("migrations", "applied")]


def _sending() -> str:
    return {
        "off": "none is configured",
        "idle": "not asked yet by this process",
        "connected": "connected",
        "failing": "does not take hints; workers find programs in the database",
    }[publisher.state()]


def find_missing_migrations() -> Migrations:
    """Ask the database which migrations it has seen; once it has all, only whether it answers."""
    global _are_applied
    connection = connections[settings.DATABASE]
    if _are_applied:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT 1{connection.features.bare_select_suffix}")
        return Migrations(())
    executor = MigrationExecutor(connection)
    wanted = [node for node in executor.loader.graph.leaf_nodes() if node[0] == MIGRATED]
    plan = executor.migration_plan(wanted)
    missing = tuple(f"{migration.app_label}.{migration.name}" for migration, _ in plan)
    _are_applied = not missing
    return Migrations(missing)


_are_applied = False
_facts = Reading(find_out, FRESH)
_migrations = Reading(find_missing_migrations, fresh=1.0)

"""The metrics, each declared once: its name, its kind, its labels and a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from programs.monitoring.counts import Durations


class Kind(Enum):
    GAUGE = "gauge"  # how something stands now
    COUNTER = "counter"  # what only grows, until its process starts anew
    HISTOGRAM = "histogram"  # how long things took, in seconds


class Place(Enum):
    """Where a metric is told."""

    SITE = "the web's /metrics"  # what is true of all, whichever process answers
    WORKER = "a worker's /metrics"  # what is true of that worker's processes
    BOTH = "both"  # what is true of processes, of the web and of workers alike


@dataclass(frozen=True)
class Metric:
    """One metric; `labels` are the names of what its samples are told apart by."""

    place: Place
    kind: Kind
    name: str
    labels: tuple[str, ...]
    meaning: str


Samples = Mapping[tuple[str, ...], float | Durations]  # by the values of the labels
Found = Mapping[Metric, Samples]

_SITE, _WORKER, _BOTH = Place.SITE, Place.WORKER, Place.BOTH
_GAUGE, _COUNTER, _HISTOGRAM = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM

DATABASE_UP = Metric(
    *(_SITE, _GAUGE, "programs_database_up", ()),
    "1 if the database answered in time; where it is 0, what it knows is missing below.",
)
OPEN = Metric(
    *(_SITE, _GAUGE, "programs_open", ("queue", "state")),
    "Programs that have not ended, by queue and state; those whose worker is lost wait. Counting "
    "ends at 10,000, or sooner where there are many queues.",
)
OLDEST_DUE = Metric(
    *(_SITE, _GAUGE, "programs_oldest_due_age_seconds", ("queue",)),
    "For how long the program that has waited longest could have been claimed; 0: none waits.",
)
ENDED_RECENTLY = Metric(
    *(_SITE, _GAUGE, "programs_ended_recently", ("state",)),
    "Programs that ended within the last five minutes, whoever ended them. Counting ends at "
    "100,000.",
)
QUEUE_PAUSED = Metric(
    *(_SITE, _GAUGE, "programs_queue_paused", ("queue",)),
    "1 if an operator has paused the queue.",
)
QUEUE_WORKERS = Metric(
    *(_SITE, _GAUGE, "programs_queue_workers", ("queue",)),
    "Live workers that serve the queue and take up programs.",
)
LIVE_WORKERS = Metric(
    *(_SITE, _GAUGE, "programs_live_workers", ()),
    "Workers that the database has heard of within one lease.",
)
LIVE_SLOTS = Metric(
    *(_SITE, _GAUGE, "programs_live_slots", ()),
    "The slots of these workers: how many programs can run at a time.",
)
BROKER_UP = Metric(
    *(_SITE, _GAUGE, "programs_broker_up", ()),
    "1 if RabbitMQ answered for all queues in time; missing where no broker is configured.",
)
BROKER_HINTS = Metric(
    *(_SITE, _GAUGE, "programs_broker_hints", ("queue",)),
    "Hints in RabbitMQ that no worker has taken yet.",
)
BROKER_CONSUMERS = Metric(
    *(_SITE, _GAUGE, "programs_broker_consumers", ("queue",)),
    "Workers' child processes that RabbitMQ sends the queue's hints to.",
)
WORKER_INFO = Metric(
    *(_WORKER, _GAUGE, "programs_worker_info", ("worker", "version")),
    "Always 1: the worker's name, as the console shows it, and its version.",
)
READY = Metric(
    *(_WORKER, _GAUGE, "programs_worker_ready", ()),
    "1 if the worker's /readyz says that it is ready.",
)
RENEWAL_AGE = Metric(
    *(_WORKER, _GAUGE, "programs_worker_renewal_age_seconds", ()),
    "The time since leases were last renewed; beyond a lease, others take over.",
)
CHILDREN = Metric(
    *(_WORKER, _GAUGE, "programs_worker_children", ()),
    "Child processes whose slots look for programs.",
)
CHILD_DEATHS = Metric(
    *(_WORKER, _COUNTER, "programs_worker_child_deaths_total", ()),
    "Child processes that ended unasked: killed by a job, by the system, or out of memory.",
)
SLOTS = Metric(
    *(_WORKER, _GAUGE, "programs_worker_slots", ()),
    "Slots of these children.",
)
SLOTS_BUSY = Metric(
    *(_WORKER, _GAUGE, "programs_worker_slots_busy", ()),
    "Slots that run a program now.",
)
CONSUMERS = Metric(
    *(_WORKER, _GAUGE, "programs_consumers", ("state",)),
    "Child processes by whether they hear hints from RabbitMQ (live) or not (away); missing "
    "where no broker is configured.",
)
PUBLISHERS = Metric(
    *(_BOTH, _GAUGE, "programs_publishers", ("state",)),
    "Processes by how sending hints stands there: idle (none sent yet), connected or failing; "
    "missing where no broker is configured.",
)
HINTS = Metric(
    *(_BOTH, _COUNTER, "programs_hints_total", ("fate",)),
    "Hints that were sent: confirmed by RabbitMQ, given_up (no answer came) or dropped (too many "
    "waited, or for too long). Workers find the programs of the last two in the database.",
)
ATTEMPTS = Metric(
    *(_WORKER, _COUNTER, "programs_job_attempts_total", ("job", "outcome")),
    "Attempts of jobs by what they ended in, under the words of the history of attempts.",
)
DURATION = Metric(
    *(_WORKER, _HISTOGRAM, "programs_job_duration_seconds", ("job",)),
    "How long attempts took, until their outcome was written.",
)
LEASES_LOST = Metric(
    *(_WORKER, _COUNTER, "programs_leases_lost_total", ("reason",)),
    "Claims that ended without an outcome: refused (a slot of this worker came too late), "
    "expired (this worker took over from another that was silent) or died (with a child).",
)


def metrics() -> Iterator[Metric]:
    """Yield all metrics, in the order in which they stand here."""
    return (value for value in globals().values() if isinstance(value, Metric))

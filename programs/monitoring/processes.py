"""What is true of each web process: how sending hints stands there, and what became of them.

A scrape meets one process of several, whichever comes first. So these write into files that all of
them share, in the way of Prometheus's own client, where `PROMETHEUS_MULTIPROC_DIR` names a folder
for that. Without it there is one process, and it tells of itself.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from programs.conf import settings
from programs.monitoring import catalogue as known
from programs.monitoring.catalogue import Found
from programs.transport import publisher

if TYPE_CHECKING:
    from prometheus_client import Metric

logger = logging.getLogger(__name__)

STATES = ("idle", "connected", "failing")
FATES = ("confirmed", "given_up", "dropped")


def are_several() -> bool:
    """Tell whether web processes share what they count."""
    return bool(os.environ.get("PROMETHEUS_MULTIPROC_DIR"))


def own_metrics() -> Found:
    """Return what is true of this process, where it is the only one."""
    if settings.AMQP_URL is None or are_several():
        return {}
    state, fates = publisher.state(), publisher.fates()
    return {
        known.PUBLISHERS: {(each,): each == state for each in STATES},
        known.HINTS: {(each,): fates[each] for each in FATES},
    }


class Shared:
    """A collector of what all processes have shared, the project's own metrics included."""

    def collect(self) -> Iterable[Metric]:
        if not are_several():
            return []
        from prometheus_client.multiprocess import MultiProcessCollector

        try:
            return list(MultiProcessCollector(None).collect())  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:  # no such folder; or a process died while it wrote
            logger.warning(
                "metrics without what the processes share: %s",
                error,
                extra={"action": "metrics_incomplete"},
            )
            return []


def share() -> None:
    """From now on, share what is true of this process; without effect where there is no other."""
    if not are_several():
        return
    try:
        from prometheus_client import Counter as SharedCounter
        from prometheus_client import Gauge
    except ImportError:
        return  # /metrics says so
    sending, hints = known.PUBLISHERS, known.HINTS
    # Of those that live: gunicorn's hook forgets the others.
    states = Gauge(
        sending.name, sending.meaning, sending.labels, registry=None, multiprocess_mode="livesum"
    )
    counter = SharedCounter(hints.name, hints.meaning, hints.labels, registry=None)
    told: Counter[str] = Counter()

    def tell() -> None:
        """Called by the publisher's thread, whenever something has changed."""
        state, fates = publisher.state(), publisher.fates()
        for each in STATES:
            states.labels(each).set(each == state)
        for fate in FATES:
            # Another publisher, as after a fork, begins anew.
            more = fates[fate] - told[fate] if fates[fate] >= told[fate] else fates[fate]
            told[fate] = fates[fate]
            if more:
                counter.labels(fate).inc(more)

    publisher.watch(tell)

"""What was found, in the forms that Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

from programs.errors import MetricsMissing
from programs.monitoring.catalogue import Found, Kind, Metric, Samples
from programs.monitoring.counts import BOUNDS, Durations

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family


class Collector(Protocol):
    """What Prometheus's client asks for metrics."""

    def collect(self) -> Iterable[Family]: ...


def render(found: Found, accept: str = "", *others: Collector) -> tuple[bytes, str]:
    """Return the text and its content type, in the form that the header `accept` asks for.

    `others`: tell of more than what was found. Raises `MetricsMissing` without the extra.
    """
    try:
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import choose_encoder
    except ImportError as error:
        raise MetricsMissing from error
    registry = CollectorRegistry(auto_describe=False)
    for collector in (Shown(found), *others):
        registry.register(collector)
    encode: Callable[[CollectorRegistry], bytes]
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class Shown:
    """A collector of what is found already."""

    def __init__(self, found: Found) -> None:
        self._found = found

    def collect(self) -> Iterator[Family]:
        for metric, samples in self._found.items():
            yield _family(metric, samples)


def _family(metric: Metric, samples: Samples) -> Family:
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    name, meaning, labels = metric.name, metric.meaning, metric.labels
    if metric.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(name, meaning, labels=labels)
        for values, durations in samples.items():
            assert isinstance(durations, Durations)
            bounds = [*(repr(bound) for bound in BOUNDS), "+Inf"]
            buckets = list(zip(bounds, accumulate(durations.numbers), strict=True))
            histogram.add_metric(values, buckets, durations.total)
        return histogram
    make = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = make(name, meaning, labels=labels)
    for values, number in samples.items():
        assert not isinstance(number, Durations)
        family.add_metric(values, number)
    return family

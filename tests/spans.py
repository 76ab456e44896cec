"""Spans that a test's own SDK has recorded, and how they hang together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from programs.tracing import recording


class Recorded:
    """What was recorded, by the names of the spans."""

    def __init__(self, sampler: Sampler = ALWAYS_ON) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer("tests")

    def take_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Be the one that the engine asks: the provider of a process is set once and for all."""
        monkeypatch.setattr(recording, "tracer", self.tracer)
        monkeypatch.setattr(trace, "get_tracer_provider", lambda: self.provider)

    @property
    def spans(self) -> list[ReadableSpan]:
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    @property
    def tree(self) -> list[tuple[str, str | None]]:
        """Return each span's name with its parent's, in the order in which they began."""
        names = {span.context.span_id: span.name for span in self.spans}
        return [
            (span.name, names.get(span.parent.span_id) if span.parent else None)
            for span in self.spans
        ]

    @property
    def traces(self) -> int:
        return len({span.context.trace_id for span in self.spans})

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """Record the engine's spans in this process."""
    recorded = Recorded()
    recorded.take_over(monkeypatch)
    yield recorded
    recorded.provider.shutdown()

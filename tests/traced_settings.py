"""A worker's settings in a project that traces: spans go to the file that TEST_SPANS names."""

import os
from collections.abc import Sequence
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from tests.worker_settings import *  # noqa: F403


class FileExporter(SpanExporter):
    """Adds each span to the file, as a line of JSON."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with Path(os.environ["TEST_SPANS"]).open("a") as lines:
            lines.write("".join(f"{span.to_json(indent=None)}\n" for span in spans))
        return SpanExportResult.SUCCESS


provider = TracerProvider()
# It sends at the end of the process at the latest, and sooner only because tests wait for it.
provider.add_span_processor(BatchSpanProcessor(FileExporter(), schedule_delay_millis=100))
trace.set_tracer_provider(provider)

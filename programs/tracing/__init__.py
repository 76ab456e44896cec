"""Traces by OpenTelemetry, from the creation of a program through its hint to each of its jobs.

Without the extra `[tracing]` nothing is traced, and nothing is in the way of what would be.
"""

try:
    from programs.tracing.recording import (
        creation,
        each_claim,
        each_job,
        failed,
        ids,
        lost,
        sending,
        within,
    )
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("opentelemetry"):
        raise
    from programs.tracing.silence import (
        creation,
        each_claim,
        each_job,
        failed,
        ids,
        lost,
        sending,
        within,
    )

__all__ = ["creation", "each_claim", "each_job", "failed", "ids", "lost", "sending", "within"]

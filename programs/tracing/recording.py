"""The spans of a program: its creation, its hints, its claims, its jobs.

Only OpenTelemetry's API is called. Whether a span is recorded, and where it goes, is for the SDK
that a project sets up; without one, nothing is. No data of programs becomes part of a span.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from time import monotonic
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import programs as package
from programs.conf import settings
from programs.redaction import redact_text

if TYPE_CHECKING:
    from programs.job import Job
    from programs.lease import Lease
    from programs.message import Message
    from programs.models import Program
    from programs.models.transitions import Standing
    from programs.outcomes import Failure, Outcome

logger = logging.getLogger(__name__)

P = ParamSpec("P")
Attributes = dict[str, str | int | None]
RunJob = Callable[["type[Job] | None", "Program", "Lease", "Message"], "Outcome"]

SYSTEM = "program_executor"
HEADER = "traceparent"
HEADER_LENGTH = 55  # characters of version 00, the only one that there is
DESCRIPTION_LENGTH = 1000  # characters of an error's text
TOLD_EVERY = 60.0  # seconds from one line about an SDK that raises to the next

# An attempt that ended so has failed. (An ignorable error is no failure to be told of.)
FAILED = {"retried", "errored", "abandoned"}

tracer = trace.get_tracer("programs", package.__version__)
_wire = TraceContextTextMapPropagator()
_told_at = float("-inf")


# Creating ------------------------------------------------------------------------------------


@contextmanager
def creation(programs: Sequence[Program]) -> Iterator[None]:
    """Trace how these programs are stored, and let each row say where its trace goes on."""
    if _nobody_traces():
        yield
        return
    queues = {program.queue for program in programs}
    queue = queues.pop() if len(queues) == 1 else None
    told = _messaging(SYSTEM, "create", queue)
    if len(programs) == 1:
        told |= _of_program(programs[0])
    else:
        told["messaging.batch.message_count"] = len(programs)
    span = _started(_name("create", queue), SpanKind.PRODUCER, told)
    with _current(span):
        carrier: dict[str, str] = {}
        _wire.inject(carrier)
        parent = carrier.get(HEADER)
        for program in programs:
            program.trace_parent = parent if parent and len(parent) <= HEADER_LENGTH else None
        yield


def within(program: Program) -> AbstractContextManager[Any]:
    """Let what is done inside belong to the program's trace, if it has one."""
    if program.trace_parent is None:
        return nullcontext()
    parent = trace.get_current_span(_context_of(program))
    return trace.use_span(parent) if parent.get_span_context().is_valid else nullcontext()


def sending(run_id: str, queue: str) -> Callable[[str | None], None] | None:
    """Begin the span of a hint to the broker's `queue`; return what ends it, if it is recorded.

    That is called once: with None when the broker has confirmed, else with what happened instead.
    """
    if _nobody_traces():
        return None
    told = _messaging("rabbitmq", "send", queue)
    told |= {"program_executor.run_id": run_id, "messaging.rabbitmq.destination.routing_key": queue}
    span = _started(_name("send", queue), SpanKind.CLIENT, told)
    if not span.is_recording():
        return None

    def end(failure: str | None) -> None:
        if failure is not None:
            span.set_status(StatusCode.ERROR, failure)
        _end(span)

    return end


# Running -------------------------------------------------------------------------------------


def each_claim(
    carry: Callable[Concatenate[Program, P], Standing],
) -> Callable[Concatenate[Program, P], Standing]:
    """Trace each claim that `carry` runs, as a child of the program's creation."""

    @wraps(carry)
    def traced(program: Program, /, *args: P.args, **kwargs: P.kwargs) -> Standing:
        if _nobody_traces():
            return carry(program, *args, **kwargs)
        told = _messaging(SYSTEM, "process", program.queue) | _of_program(program)
        told |= {"program_executor.epoch": program.epoch, "program_executor.worker": program.worker}
        name = _name("process", program.queue)
        span = _started(name, SpanKind.CONSUMER, told, _context_of(program))
        with _current(span):
            standing = carry(program, *args, **kwargs)
            span.set_attribute("program_executor.standing", standing.value)
            if standing.value == "lost":
                span.set_status(StatusCode.ERROR, "lease lost: the outcome is refused")
        return standing

    return traced


def each_job(run_job: RunJob) -> RunJob:
    """Trace each attempt that `run_job` makes, as a child of the claim, if that is recorded."""

    @wraps(run_job)
    def traced(job: type[Job] | None, program: Program, lease: Lease, message: Message) -> Outcome:
        claim = trace.get_current_span()
        if not claim.is_recording():
            return run_job(job, program, lease, message)
        told = _of_step(program) | {"program_executor.attempt": message.attempt}
        # Names of spans must be few: one that is not registered may be anything.
        name = _name("execute", None if job is None else message.job)
        span = _started(name, SpanKind.INTERNAL, told)
        with _current(span):
            outcome = run_job(job, program, lease, message)
            _tell_outcome(outcome, span, claim)
        return outcome

    return traced


def failed(failure: Failure) -> None:
    """Note that what the present span tells of has failed."""
    _fail(trace.get_current_span(), failure)


def lost(program: Program, *, counted: bool) -> None:
    """Trace that an attempt is lost: its own span has gone with its process."""
    told = _of_step(program) | {
        "program_executor.worker": program.worker,
        "program_executor.outcome": "lost" if counted else "interrupted",
    }
    span = _started(_name("lose", program.job), SpanKind.INTERNAL, told, _context_of(program))
    if counted:
        span.set_status(StatusCode.ERROR, "worker lost")
    _end(span)


def ids() -> dict[str, str]:
    """Return the ids of the present trace and span, for log lines; nothing where there is none."""
    present = trace.get_current_span().get_span_context()
    if not present.is_valid:
        return {}
    return {
        "trace_id": trace.format_trace_id(present.trace_id),
        "span_id": trace.format_span_id(present.span_id),
    }


# What is told --------------------------------------------------------------------------------


def _name(operation: str, of: str | None) -> str:
    return f"{operation} {of}" if of else operation


def _messaging(system: str, operation: str, queue: str | None) -> Attributes:
    return {
        "messaging.system": system,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": queue,
    }


def _of_program(program: Program) -> Attributes:
    return {
        "messaging.message.id": program.run_id,
        "program_executor.run_id": program.run_id,
        "program_executor.definition": program.definition,
    }


def _of_step(program: Program) -> Attributes:
    return {
        "program_executor.run_id": program.run_id,
        "program_executor.step": program.step,
        "program_executor.job": program.job,
    }


def _tell_outcome(outcome: Outcome, span: Span, claim: Span) -> None:
    ending, failure = outcome.ending.value, outcome.failure
    span.set_attribute("program_executor.outcome", ending)
    if failure is None:
        return
    if ending not in FAILED:
        span.set_attribute("error.type", failure.error_class)
        return
    _fail(span, failure)
    if ending == "errored":
        _fail(claim, failure)


def _fail(span: Span, failure: Failure) -> None:
    if span.is_recording():
        text = redact_text(failure.message, settings.SECRET_KEYS)
        span.set_attribute("error.type", failure.error_class)
        span.set_status(StatusCode.ERROR, text[:DESCRIPTION_LENGTH])


def _context_of(program: Program) -> Context | None:
    """Return the context that the row holds; None, the present one, where it holds none."""
    if program.trace_parent is None:
        return None
    return _wire.extract({HEADER: program.trace_parent}, Context())


# Spans ---------------------------------------------------------------------------------------


def _nobody_traces() -> bool:
    """Tell whether no SDK is set up: then the API's own proxy is all there is."""
    return isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def _started(
    name: str, kind: SpanKind, attributes: Attributes, context: Context | None = None
) -> Span:
    known = {key: value for key, value in attributes.items() if value is not None}
    try:
        return tracer.start_span(name, context, kind, known)
    except Exception as error:  # noqa: BLE001 (a sampler or processor of the project's own)
        _tell_of(error)
        return trace.INVALID_SPAN


@contextmanager
def _current(span: Span) -> Iterator[None]:
    """Make `span` the present one, and end it; an error of ours fails it without its text.

    The text of a database's error may hold values of the row.
    """
    if not span.get_span_context().is_valid:  # nobody traces
        yield
        return
    try:
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            yield
    except BaseException as error:
        span.set_attribute("error.type", type(error).__qualname__)
        span.set_status(StatusCode.ERROR)
        raise
    finally:
        _end(span)


def _end(span: Span) -> None:
    try:
        span.end()
    except Exception as error:  # noqa: BLE001 (as above)
        _tell_of(error)


def _tell_of(error: Exception) -> None:
    """Log what the SDK raised, not for each span; no program shall fail for its trace."""
    global _told_at
    if monotonic() - _told_at >= TOLD_EVERY:
        _told_at = monotonic()
        logger.error(
            "OpenTelemetry failed, spans are missing: %s",
            error,
            exc_info=error,
            extra={"action": "tracing_failed"},
        )

"""The parameters of URLs and headers, as the schema tells of them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from programs.api import listing
from programs.models import State, Verb
from programs.specification import TEXT_LENGTH

# Neither empty nor NUL.
TEXT: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": TEXT_LENGTH,
    "pattern": r"^[^\x00]*[^\s\x00][^\x00]*$",
}
MOMENT = {"type": "string", "format": "date-time"}


def parameter(name: str, schema: Any, description: str, example: Any = None) -> OpenApiParameter:
    examples = [OpenApiExample(str(example), example)] if example is not None else []
    return OpenApiParameter(name, schema, description=description, examples=examples)


def page_size(usual: int, most: int) -> OpenApiParameter:
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": usual}
    return parameter("page_size", schema, "How many on a page.")


CURSOR = parameter("cursor", TEXT, "Where the page begins: as the `next` of another page says.")

DATES = (
    parameter("since", MOMENT, "From this moment on, or from the beginning of this day."),
    parameter("until", MOMENT, "Before this moment, or to the end of this day."),
)

LISTING = [
    parameter("state", {"type": "string", "enum": State.values}, "Those in this state."),
    parameter("queue", TEXT, "Those of this queue."),
    parameter("job", TEXT, "Those with this job among their jobs."),
    parameter("definition", TEXT, "Those that were started from this definition."),
    parameter("worker", TEXT, "Those that this worker holds now."),
    parameter("q", TEXT, "A part of the error message, the creator, the run id or a job's name."),
    *DATES,
    parameter("in_progress", {"type": "boolean"}, "Whether they have not ended."),
    parameter(
        "step_retry_count__gte",
        {"type": "integer", "minimum": 0, "maximum": listing.RETRIES_AT_MOST},
        "Those whose current step was retried so often, at least.",
    ),
    parameter(
        "ordering",
        {"type": "string", "enum": list(listing.ORDERINGS)},
        "By when they were created, oldest or newest first. Without it, the newest first, by when "
        "they came into the `state` that is asked for.",
    ),
    CURSOR,
    page_size(listing.PAGE, listing.MOST),
]

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": TEXT_LENGTH, "pattern": "^[ -~]*[!-~][ -~]*$"},
    OpenApiParameter.HEADER,
    description="The same as the field `idempotency_key`: with both, they must be the same.",
)

TIMEOUT = parameter(
    "timeout", {"type": "number", "minimum": 0, "maximum": 60, "default": 30}, "Seconds."
)

REASON = parameter("reason", TEXT, "Why it is done; kept with the user's name.")

AUDIT = [
    parameter("verb", {"type": "string", "enum": Verb.values}, "What was done."),
    parameter("by", TEXT, "Who did it, exactly."),
    parameter(
        "subject",
        TEXT,
        "What it was done to, exactly: a run id, the name of a queue, worker or definition, or the "
        "id of a schedule.",
    ),
    *DATES,
]

"""The tables of the engine, in an order in which they can be emptied."""

from django.db.models import Model

from programs.models import (
    Attempt,
    BulkOutcome,
    Definition,
    Operation,
    Program,
    Queue,
    Schedule,
    Tick,
    Webhook,
    Worker,
)

MODELS: tuple[type[Model], ...] = (
    *(Tick, Schedule, Definition),
    *(Attempt, BulkOutcome, Operation, Program, Queue, Webhook, Worker),
)

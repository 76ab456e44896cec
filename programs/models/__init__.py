"""The bookkeeping: one noun a file. Querysets are adjectives, model methods are verbs."""

from programs.models.attempt import Attempt, Ending
from programs.models.bulk import BulkOutcome
from programs.models.definition import Definition
from programs.models.operation import Operation, Verb
from programs.models.program import Program
from programs.models.queue import Queue
from programs.models.schedule import CatchUp, Overlap, Schedule
from programs.models.state import State
from programs.models.tick import Tick, TickOutcome
from programs.models.webhook import Webhook
from programs.models.worker import Worker

__all__ = [
    "Attempt",
    "BulkOutcome",
    "CatchUp",
    "Definition",
    "Ending",
    "Operation",
    "Overlap",
    "Program",
    "Queue",
    "Schedule",
    "State",
    "Tick",
    "TickOutcome",
    "Verb",
    "Webhook",
    "Worker",
]

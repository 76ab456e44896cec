"""How each queue is spoken to: in our own hints, or in the messages of the original.

The setting `QUEUES` holds the queues of which there is something to say:
`{"reports": {"PROTOCOL": "program-executor-js", "EXECUTED_BY": "node", "NAME": "js-reports"}}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from programs.conf import settings

OWN, ORIGINAL = "program-executor", "program-executor-js"
PYTHON, NODE = "python", "node"
CHOICES = {"PROTOCOL": (OWN, ORIGINAL), "EXECUTED_BY": (PYTHON, NODE)}
KEYS = (*CHOICES, "NAME")
NAME_LIMIT = 200  # characters: the original puts "-retry-1000" behind it, and AMQP ends at 255

# Every number of Node is a double: beyond this, two whole numbers may become one.
SAFE_INTEGER = 2**53 - 1


def _told(queue: str, key: str) -> str | None:
    return settings.QUEUES.get(queue, {}).get(key)


def name_on_broker(queue: str) -> str | None:
    """Return the name that the settings give the queue on the broker, if they do."""
    return _told(queue, "NAME")


def is_originals(queue: str) -> bool:
    """Tell whether the queue is declared as the original declares it."""
    return _told(queue, "PROTOCOL") == ORIGINAL


def node_executes(queue: str | None) -> bool:
    """Tell whether the programs of this queue are executed by the original, and never here."""
    return queue is not None and _told(queue, "EXECUTED_BY") == NODE


def original_queues() -> list[str]:
    """Return the queues that are declared as the original declares them."""
    return [queue for queue in settings.QUEUES if is_originals(queue)]


def node_queues() -> list[str]:
    """Return the queues whose programs the original executes."""
    return [queue for queue in settings.QUEUES if node_executes(queue)]


def unsafe_number(value: Any, place: str) -> str | None:
    """Return where `value`, JSON that stands at `place`, has a whole number that Node cannot hold.

    >>> unsafe_number({"orders": [1, 2**53]}, "program_data")
    'program_data.orders[1]'
    """
    if isinstance(value, dict):
        parts = ((f"{place}.{key}", item) for key, item in value.items())
    elif isinstance(value, list):
        parts = ((f"{place}[{index}]", item) for index, item in enumerate(value))
    else:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return place if is_number and abs(value) > SAFE_INTEGER else None
    return next(filter(None, (unsafe_number(item, inner) for inner, item in parts)), None)


def faults() -> Iterator[tuple[str, str]]:
    """Yield what is wrong with `QUEUES`, and what to do, one by one."""
    given: Any = settings.QUEUES
    if not isinstance(given, dict):  # E003 says so
        return
    for queue, told in given.items():
        where = f"PROGRAM_EXECUTOR['QUEUES'][{queue!r}]"
        if not isinstance(queue, str) or not isinstance(told, dict):
            yield f"{where} must be a dictionary.", 'Such as {"PROTOCOL": "program-executor-js"}.'
            continue
        for key, value in told.items():
            if key not in KEYS:
                yield f"{where} has the unknown key {key!r}.", f"There are {', '.join(KEYS)}."
            elif key in CHOICES and value not in CHOICES[key]:
                yield f"{where}[{key!r}] is {value!r}.", f"Let it be one of {CHOICES[key]}."
            elif key == "NAME" and not (isinstance(value, str) and 0 < len(value) <= NAME_LIMIT):
                yield f"{where}['NAME'] is no name.", f"Give it 1 to {NAME_LIMIT} characters."
        yield from _contradictions(queue, where, told)


def _contradictions(queue: str, where: str, told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if told.get("EXECUTED_BY") == NODE:
        if told.get("PROTOCOL") != ORIGINAL:
            yield (
                f"{where} is executed by Node, which reads no hints of ours.",
                f"Set its PROTOCOL to {ORIGINAL!r}.",
            )
        if settings.AMQP_URL is None:
            yield (
                f"{where} is executed by Node, which hears of programs by RabbitMQ alone.",
                "Set PROGRAM_EXECUTOR['AMQP_URL'].",
            )
    name = told.get("NAME")
    others = [
        other
        for other, its in settings.QUEUES.items()
        if name and other != queue and isinstance(its, dict) and its.get("NAME") == name
    ]
    if others and str(queue) < str(others[0]):
        yield (
            f"{where} and {others[0]!r} have one NAME, {name!r}.",
            "Give each its own: a queue is consumed by Python or by Node, never by both.",
        )

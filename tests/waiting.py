"""Waiting for what other threads and processes do, without sleeping for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

ValueT = TypeVar("ValueT")


def eventually(
    condition: Callable[[], ValueT], within: float = 15.0, every: float = 0.01
) -> ValueT:
    """Return the first true value of `condition`; fail when there is none `within` seconds."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still {value!r} after {within} s"
        time.sleep(every)
    return value

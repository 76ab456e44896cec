"""What operators type behind a command is refused before anything is done with it."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable

import pytest

from programs.management import arguments


@pytest.mark.parametrize(
    ("read", "text", "told"),
    [
        (arguments.run_id, " ", "' ' is no run id"),
        (arguments.run_id, "a\nb", r"'a\\nb' is no run id"),
        (arguments.run_id, "x" * 256, "is no run id"),
        (arguments.name, "", "'' is no name of 1 to 80 characters"),
        (arguments.name, "a\x1bb", "is no name"),
        (arguments.name, "x" * 81, "is no name"),
        (arguments.count, "0", "'0' is no positive whole number"),
        (arguments.count, "-1", "is no positive whole number"),
        (arguments.count, "9" * 10, "is no positive whole number"),
        (arguments.port, "0", "'0' is no port from 1 to 65535"),
        (arguments.port, "65536", "is no port"),
        (arguments.port, "http", "is no port"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    read: Callable[[str], object], text: str, told: str
) -> None:
    with pytest.raises(ArgumentTypeError, match=told):
        read(text)


@pytest.mark.parametrize(
    ("read", "text", "given"),
    [
        (arguments.run_id, "x" * 255, "x" * 255),
        (arguments.name, "x" * 80, "x" * 80),
        (arguments.count, "1", 1),
        (arguments.port, "65535", 65535),
    ],
)
def test_what_just_can_be_is_taken(read: Callable[[str], object], text: str, given: object) -> None:
    assert read(text) == given

"""Passwords in URLs are never shown."""

import pytest

from programs.redaction import redact_url


@pytest.mark.invariant(11)
@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://ada:secret@broker:5672/jobs", "amqp://ada:***@broker:5672/jobs"),
        ("amqps://ada:se/cr?e#t@broker", "amqps://ada:***@broker"),
        ("amqp://ada:se@cret@broker", "amqp://ada:***@broker"),
        ("amqp://:secret@broker", "amqp://:***@broker"),
        ("amqp://ada:sec://ret@broker", "amqp://ada:***@broker"),
        ("ada:secret@broker", "ada:***@broker"),
        ("amqp://ada:secret", "amqp://ada:***"),
        ("amqp://ada:5ecret/jobs", "amqp://ada:***"),
        ("amqp://broker:5672/jobs", "amqp://broker:5672/jobs"),
        ("amqp://[::1]:5672", "amqp://[::1]:5672"),
        ("amqp://broker/jobs", "amqp://broker/jobs"),
        ("amqp://ada@broker", "amqp://ada@broker"),
    ],
)
def test_a_password_is_masked_and_nothing_else_is(url: str, shown: str) -> None:
    assert redact_url(url) == shown

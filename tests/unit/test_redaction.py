"""Passwords and other secrets are not shown."""

import doctest

import pytest

from programs import redaction
from programs.redaction import masked, redact_text, redact_url, unmasked


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


WORDS = ["password", "token"]


def test_secrets_are_masked_at_any_depth_and_nothing_else_is() -> None:
    data = {"a": [{"dbPassword": "x", "page": 3}], "TOKEN": {"deep": 1}, "none": {"token": None}}
    assert masked(data, WORDS) == {
        "a": [{"dbPassword": "***", "page": 3}],
        "TOKEN": "***",
        "none": {"token": None},
    }


def test_what_was_masked_comes_back_as_it_is_stored_and_what_was_typed_stays() -> None:
    stored = {"a": [{"password": "x"}, {"password": "y"}], "token": "z", "page": 1}
    shown = masked(stored, WORDS)
    assert unmasked(shown, stored, WORDS) == stored
    edited = {**shown, "a": [{"password": "new"}], "page": 2, "more": ["***"]}
    assert unmasked(edited, stored, WORDS) == {
        "a": [{"password": "new"}],
        "token": "z",
        "page": 2,
        "more": ["***"],
    }


def test_the_examples_hold() -> None:
    assert doctest.testmod(redaction).failed == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at 'amqp://ada:s@broker/x', said it", "at 'amqp://ada:***@broker/x', said it"),
        ("a://u:p@h,b://v:q@i", "a://u:***@i"),
        ("http://broker:8000: refused", "http://broker:8000: refused"),
        ("GET /?page=2&token=abc&to=3", "GET /?page=2&token=***&to=3"),
        ('{"dbPassword": "a b", "page": 3}', '{"dbPassword": ***, "page": 3}'),
        ("X-Token: Bearer abc.def-g", "X-Token: ***"),
        ("token='cut off", "token=***"),
        ("no token here, and page: 3", "no token here, and page: 3"),
    ],
)
def test_what_looks_like_a_secret_in_a_text_is_masked(text: str, shown: str) -> None:
    assert redact_text(text, WORDS) == shown


def test_without_words_only_the_passwords_of_urls_are_masked() -> None:
    assert redact_text("token=abc, a://u:p@h", []) == "token=abc, a://u:***@h"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "hostile", ["password", "://", "a://", 'token="', "token='", "password-", ":"]
)
def test_a_long_and_hostile_text_is_masked_in_linear_time(hostile: str) -> None:
    text = hostile * (1_000_000 // len(hostile))
    assert len(redact_text(text, WORDS)) <= len(text)

"""What the wire carries, and what it must not bring in."""

import hashlib
import json

import pytest

from programs.errors import InvalidHint
from programs.transport.hint import Hint

MEBIBYTE = 1024 * 1024


def full_form(run_id: object, size: int) -> bytes:
    """Return a message as the original sends it, of at least `size` bytes."""
    data = {"text": "x" * size}
    return json.dumps({"jobs": ["a", "b"], "programData": data, "runId": run_id}).encode()


def test_what_is_encoded_is_decoded():
    assert Hint.decode(Hint("a-run-id").encode()) == Hint("a-run-id")


def test_the_body_is_a_json_object_with_the_run_id_alone():
    assert json.loads(Hint("Zoë").encode()) == {"runId": "Zoë"}


def test_of_the_originals_form_everything_but_the_run_id_is_ignored():
    assert Hint.decode(full_form("r1", size=10)) == Hint("r1")


def test_the_originals_form_is_taken_up_to_two_mebibytes():
    assert Hint.decode(full_form("r1", size=2 * MEBIBYTE - 200)) == Hint("r1")

    with pytest.raises(InvalidHint, match="too many"):
        Hint.decode(full_form("r1", size=2 * MEBIBYTE))


def test_a_large_body_in_our_own_form_is_refused():
    body = json.dumps({"runId": "r1", "noise": "x" * 64 * 1024}).encode()

    with pytest.raises(InvalidHint, match="too many"):
        Hint.decode(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"\xff\xfe\x00\x01",
        '{"runId": "r1"}'.encode("utf-16"),
        b"null",
        b"17",
        b'"r1"',
        b'["r1"]',
        b"{}",
        b'{"run_id": "r1"}',
        b'{"runId": null}',
        b'{"runId": 17}',
        b'{"runId": ["r1"]}',
        b'{"runId": ""}',
        json.dumps({"runId": "r" * 256}).encode(),
        b'{"runId": "r\\u00001"}',
        b'{"runId": "\\ud800"}',
        b"[" * 100_000,
        b'{"runId": "r1", "jobs": ' + b"[" * 100_000,
        b'{"runId": "r1", "number": ' + b"9" * 10_000 + b"}",
        b"\x00" * MEBIBYTE,
        bytes(range(256)) * 4096,
    ],
    ids=lambda body: repr(body[:30]),
)
def test_anything_else_is_an_invalid_hint(body):
    with pytest.raises(InvalidHint):
        Hint.decode(body)


@pytest.mark.parametrize(
    "body",
    [
        b"planted",
        b'"planted"',
        b'{"programData": {"password": "planted"}, "jobs": ["a"]}',
        b'{"runId": ["planted"]}',
        b'{"runId": "planted\\n"}',
        b"planted" * MEBIBYTE,
    ],
)
def test_an_invalid_hint_is_named_by_its_digest_and_tells_nothing_of_its_body(body):
    with pytest.raises(InvalidHint) as caught:
        Hint.decode(body)

    digest = hashlib.sha256(body).hexdigest()
    assert str(caught.value).endswith(f": {len(body)} bytes, SHA-256 {digest}")
    assert "planted" not in str(caught.value)


def test_the_longest_run_id_is_taken():
    assert Hint.decode(json.dumps({"runId": "r" * 255}).encode()).run_id == "r" * 255

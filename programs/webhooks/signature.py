"""How calls are signed: as Standard Webhooks says, whose libraries verify it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from programs.models.webhook import SECRET_PREFIX

KEY_LENGTHS = range(24, 65)  # bytes


def key_of(secret: str) -> bytes:
    """Return the key that a secret stands for; raise `ValueError` where it is none."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("is no base64") from error
    if not secret.startswith(SECRET_PREFIX) or len(key) not in KEY_LENGTHS:
        least, most = KEY_LENGTHS[0], KEY_LENGTHS[-1]
        raise ValueError(f"must be {SECRET_PREFIX} and {least} to {most} bytes in base64")
    return key


def headers(secret: str, delivery: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a call: which delivery it is, when it was sent, and the proof."""
    content = f"{delivery}.{timestamp}.".encode() + body
    digest = hmac.new(key_of(secret), content, hashlib.sha256).digest()
    return {
        "Webhook-Id": delivery,
        "Webhook-Timestamp": str(timestamp),
        "Webhook-Signature": f"v1,{base64.b64encode(digest).decode()}",
    }

"""What must not be read by everybody, made unreadable."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any

MASK = "***"


def redact_url(url: str) -> str:
    """Return `url` with its password masked, fit for a log line.

    Works on the text alone: a password with an unencoded `/` or `#` makes no URL, and must not
    be shown all the more.

    >>> redact_url("amqp://ada:secret@broker:5672/jobs")
    'amqp://ada:***@broker:5672/jobs'
    """
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    credentials, at, host = rest.rpartition("@")
    if not at and not host.startswith("["):  # a forgotten host: the "port" is the password then
        name, colon, port = host.partition(":")
        is_port = re.match(r"\d*([/?#]|$)", port)
        return url if is_port else f"{scheme}{separator}{name}{colon}{MASK}"
    user, colon, _ = credentials.partition(":")
    return f"{scheme}{separator}{user}{colon}{MASK}{at}{host}" if at and colon else url


def redact_text(text: str, words: Collection[str]) -> str:
    """Return text of others, an error's say, without what looks like a secret in it.

    For what leaves the house: passwords of URLs, and what stands behind one of `words`.

    >>> redact_text("amqp://ada:s3cret@broker: refused, dbPassword='let me in'", ["password"])
    'amqp://ada:***@broker: refused, dbPassword=***'
    """
    parts = re.split(r"(\s+)", text)
    shown = "".join(_redact_urls(part) if "://" in part else part for part in parts)
    return _behind(tuple(words)).sub(rf"\1{MASK}", shown)


def is_secret(key: str, words: Collection[str]) -> bool:
    """Tell whether the value under `key` is a secret, by the words that its name is made of.

    >>> is_secret("dbPassword", ["password"]), is_secret("X-API-Key", ["api_key"])
    (True, True)
    """
    plain = _plain(key)
    return any(_plain(word) in plain for word in words)


def masked(value: Any, words: Collection[str]) -> Any:
    """Return JSON with the values under secret keys masked, at any depth.

    >>> masked({"user": "ada", "login": {"token": "abc", "tokens": [1, 2]}}, ["token"])
    {'user': 'ada', 'login': {'token': '***', 'tokens': '***'}}
    """
    if isinstance(value, dict):
        return {
            key: MASK if is_secret(key, words) and own is not None else masked(own, words)
            for key, own in value.items()
        }
    return [masked(own, words) for own in value] if isinstance(value, list) else value


def unmasked(edited: Any, stored: Any, words: Collection[str]) -> Any:
    """Return `edited`, whose secrets were masked when it was shown, with those that are stored.

    What its editor put in the place of a mask stays.

    >>> unmasked({"token": "***", "page": 2}, {"token": "abc", "page": 1}, ["token"])
    {'token': 'abc', 'page': 2}
    """
    if isinstance(edited, dict) and isinstance(stored, dict):
        return {
            key: stored[key]
            if own == MASK and key in stored and is_secret(key, words)
            else unmasked(own, stored.get(key), words)
            for key, own in edited.items()
        }
    if isinstance(edited, list) and isinstance(stored, list):
        rest = [None] * (len(edited) - len(stored))
        return [unmasked(*pair, words) for pair in zip(edited, [*stored, *rest], strict=False)]
    return edited


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _redact_urls(part: str) -> str:
    url = part.rstrip("'\"`<>)]}.,;:")  # the text's own, or a port would look like a password
    return redact_url(url) + part[len(url) :]


@lru_cache(maxsize=8)
def _behind(words: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds `key=value` and its like, the key with one of `words` in its name.

    All repetition is bounded or without a second way to match: text may be long, and hostile.
    """
    spelled = ["[-_ ]?".join(re.findall(r"[A-Za-z0-9]+", word)) for word in words]
    names = "|".join(filter(None, spelled)) or "(?!)"
    key = rf"(?:{names})[\w-]{{0,30}}[\"']?\s{{0,3}}[:=]\s{{0,3}}"
    scheme = r"(?:(?:basic|bearer|token)\s{1,3})?"
    value = rf"(?:\"[^\"]*\"?|'[^']*'?|{scheme}[^\s,;&\"']+)"
    return re.compile(rf"({key}){value}", re.IGNORECASE)

"""What jobs and their users wrote, made fit to be shown to an operator.

Escaping is the templates' and `format_html`'s. What escaping leaves, characters that turn the
direction of the text beside them or that cannot be seen, is `legible`'s.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from programs.legibility import legible as legible

Words = str | Promise  # what is said in the reader's language, once it is shown

NOTHING = "-"  # stands where there is nothing to show
INDENTED_AT_MOST = 100_000  # characters of JSON in an editor; the longest doubles by its spaces


def names_of(jobs: Sequence[object]) -> str:
    """Return the names of jobs in one line, however many there are.

    >>> names_of(["a", "b"]), names_of(["a"] * 9)
    ('a, b', 'a, a, a, a … (9 jobs)')
    """
    if len(jobs) <= 5:
        return ", ".join(map(legible, jobs))
    shown = ", ".join(legible(job) for job in jobs[:4])
    return gettext("{names} … ({count} jobs)").format(names=shown, count=len(jobs))


def as_json(value: object) -> str:
    """Return `value` as indented JSON, with its letters as they are."""
    return legible(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def as_editable(value: object) -> str:
    """Return `value` as JSON to be edited; what is long is not indented, so that it can be sent."""
    short = json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)
    return as_json(value) if len(short) <= INDENTED_AT_MOST else legible(short)


def as_stored(typed: str, stored: str | None) -> str:
    """Return a text that was typed; where it is just what was shown, as it is stored."""
    plain = typed.replace("\r\n", "\n")  # as browsers send lines
    return stored if stored is not None and plain == legible(stored).strip() else plain


def lines(text: str) -> SafeString:
    """Return `text` as HTML that keeps its lines and wraps the long ones."""
    return format_html('<div class="programs-text">{}</div>', text)


def code(text: str) -> SafeString:
    """Return `text` as HTML that keeps its columns, too."""
    return format_html('<pre class="programs-text">{}</pre>', text)


def local_time(value: datetime) -> datetime:
    """Return a moment in the current time zone, where it has one; else as it is."""
    try:
        return timezone.localtime(value) if timezone.is_aware(value) else value
    except OverflowError:  # the last of all moments, say, for "never"
        return value


def moment(value: datetime | None) -> str:
    """Return a moment to the second, in the current time zone; None is a dash."""
    if value is None:
        return NOTHING
    return date_format(local_time(value), "Y-m-d H:i:s")


def number(value: int) -> str:
    """Return a whole number as the reader's language writes it, its thousands set apart.

    >>> number(1234567)
    '1,234,567'
    """
    return str(number_format(value, force_grouping=True))


def decimal(digits: str) -> str:
    """Return a number with a decimal point as the reader's language writes it."""
    return str(number_format(digits))


def duration(span: timedelta) -> str:
    """Return how long something took, as people say it.

    >>> duration(timedelta(seconds=0.0421))
    '0.04 s'
    >>> duration(timedelta(seconds=75)), duration(timedelta(hours=3))
    ('1 min 15 s', '3 h 0 min')
    """
    seconds = max(span.total_seconds(), 0.0)
    if seconds < 60:
        return f"{decimal(f'{seconds:.2f}')} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"

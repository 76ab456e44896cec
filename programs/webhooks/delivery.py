"""The job that calls a webhook: tried again until the receiver has it, for about a day."""

from __future__ import annotations

import json
import logging
import time
from email.utils import parsedate_to_datetime
from typing import ClassVar

from programs import __version__
from programs.conf import settings
from programs.data import JsonObject
from programs.errors import (
    AddressRefused,
    CallFailed,
    IgnorableError,
    InvalidUrl,
    RetryableError,
)
from programs.job import Job, JobData
from programs.legibility import in_one_line
from programs.message import Message
from programs.models import Webhook
from programs.models.persistence import TRANSIENT_ERRORS, is_outage
from programs.redaction import MASK
from programs.registry import register
from programs.webhooks import signature, silence
from programs.webhooks.address import Target
from programs.webhooks.call import Answer, post
from programs.webhooks.ends import JOB

# The job's own log, which is kept with its attempts: the engine's, under "programs.", is not.
logger = logging.getLogger("program_webhooks")

SHOWN_AT_MOST = 500  # characters of an answer
GONE = 410
LATER = frozenset({408, 425, 429})  # beside 5xx: the same call may be welcome later
SOONEST, LATEST = 1.0, 3600.0  # seconds: what of a Retry-After is heeded


@register
class WebhookDelivery(Job):
    """Tells a webhook of the end of a program."""

    name = JOB
    internal = True
    max_retries: ClassVar[int | None] = 30  # 5 s, 15 s, … up to `RETRY_DELAY_LIMIT`
    retry_delay = 5.0
    retry_backoff = 3.0

    def execute(self, message: Message, job_data: JobData) -> None:
        webhook = self._webhook(message.program_data)
        if silence.is_silent(webhook):
            raise RetryableError(f"{webhook} gave no answer to another call just now")
        body = encoded({**message.program_data["body"], "delivery": message.run_id})
        timestamp = int(time.time())
        try:
            target = Target.parse(webhook.url)
            proof = signature.headers(webhook.secret, message.run_id, timestamp, body)
            answer = post(target, {**HEADERS, **proof}, body)
        except InvalidUrl as error:
            raise IgnorableError(f"{webhook}: its URL {error}") from error
        except ValueError as error:
            raise IgnorableError(f"{webhook}: its secret {error}") from error
        except AddressRefused as error:
            raise IgnorableError(f"{webhook}: {error}") from error
        except CallFailed as error:
            silence.begin(webhook)
            raise RetryableError(f"{webhook}: {error}") from error
        silence.end(webhook)
        shown = shown_body(answer, webhook.secret)
        logger.info("%s answered %d: %s", webhook, answer.status, shown)
        if not answer.is_well:
            self._complain(webhook, answer)

    def _webhook(self, program_data: JsonObject) -> Webhook:
        pk = program_data.get("webhook")
        try:
            webhook = Webhook.objects.filter(pk=pk).first()
        except TRANSIENT_ERRORS as error:
            if is_outage(error):
                RetryableError.decorate(error)
            raise
        if webhook is None:
            raise IgnorableError(f"webhook {pk} was deleted")
        if not webhook.is_active:
            raise IgnorableError(f"{webhook} is not active: switch it on, then retry")
        return webhook

    def _complain(self, webhook: Webhook, answer: Answer) -> None:
        """Raise what an answer amounts to that says no."""
        status = answer.status
        if status in LATER or status >= 500:
            retry_after = seconds_of(answer.retry_after)
            raise RetryableError(f"{webhook} answered {status}", retry_after=retry_after)
        if status == GONE:
            # Only as it was called: an operator may have given it another URL meanwhile.
            same = Webhook.objects.filter(pk=webhook.pk, url=webhook.url)
            same.update(is_active=False)
            logger.warning("%s is switched off: it answered 410, gone", webhook)
            raise IgnorableError(f"{webhook} answered 410, gone: it is switched off")
        if 300 <= status < 400:
            told = f"answered {status}: redirects are not followed, give it the new URL"
            raise IgnorableError(f"{webhook} {told}")
        raise IgnorableError(f"{webhook} answered {status}: the call is refused")


HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": f"program-executor/{__version__}",
    "Accept-Encoding": "identity",
}


def encoded(body: JsonObject) -> bytes:
    """Return what is sent and signed."""
    return json.dumps(body, separators=(",", ":")).encode()


def shown_body(answer: Answer, secret: str) -> str:
    """Return the beginning of an answer, in one line; a receiver that echoes the secret is cut."""
    text = answer.body.decode("utf-8", "replace").replace(secret, MASK)
    return in_one_line(text[:SHOWN_AT_MOST])


def seconds_of(retry_after: str) -> float | None:
    """Return how long the receiver asks to be left alone, within bounds; None: it does not say.

    >>> seconds_of("120"), seconds_of("0"), seconds_of("a week")
    (120.0, 1.0, None)
    """
    try:
        if retry_after.strip().isdecimal():
            seconds = float(retry_after)
        else:
            seconds = parsedate_to_datetime(retry_after).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, SOONEST), LATEST, settings.RETRY_DELAY_LIMIT)

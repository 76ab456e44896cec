"""Who guesses passwords waits: django-axes counts, this names the guesser and answers."""

from __future__ import annotations

import math
import re
from ipaddress import IPv6Network, ip_address
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

WITH_PORT = re.compile(r"\[(?P<v6>[^]]+)\](?::\d+)?|(?P<v4>[^:]+):\d+")


def address_of(request: HttpRequest) -> str | None:
    """Return the address that a client is counted by; a network, where it has one of its own.

    Each trusted proxy adds the address that it was asked from at the right of X-Forwarded-For.
    What stands further left comes from the client, who may write anything there.
    """
    address = request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if 0 < settings.TRUSTED_PROXIES <= len(forwarded):
        address = forwarded[-settings.TRUSTED_PROXIES].strip() or address
    return counted(address)


def counted(address: str) -> str | None:
    """Return an address without its port, and an IPv6 one as its network; None for none at all.

    >>> counted("192.0.2.7:4711"), counted("2001:db8::1:2:3:4"), counted("[2001:db8::5]:80")
    ('192.0.2.7', '2001:db8::', '2001:db8::')
    >>> counted("::ffff:192.0.2.7"), counted("unix:")
    ('192.0.2.7', None)
    """
    found = WITH_PORT.fullmatch(address)
    text = (found["v6"] or found["v4"]) if found else address
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    # A client has as many addresses as it likes in its own network.
    return str(IPv6Network((parsed, 64), strict=False).network_address)


def locked_out(request: HttpRequest, *_: Any) -> HttpResponse:
    """Answer a guesser: how long to wait."""
    mine = AccessAttempt.objects.filter(
        username=request.axes_credentials["username"],  # type: ignore[attr-defined]
        ip_address=request.axes_ip_address,  # type: ignore[attr-defined]
    )
    counted_at = mine.aggregate(last=Max("attempt_time"))["last"] or timezone.now()
    left = counted_at + settings.AXES_COOLOFF_TIME - timezone.now()
    seconds = max(1, math.ceil(left.total_seconds()))
    response = render(request, "429.html", {"minutes": math.ceil(seconds / 60)}, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response

"""Who guesses passwords waits: django-axes counts, this names the guesser and answers."""

from __future__ import annotations

import math
import re
from ipaddress import IPv6Network, ip_address
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_credentials
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Max
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone

WITH_PORT = re.compile(r"\[(?P<v6>[^]]+)\](?::\d+)?|(?P<v4>[^:]+):\d+")

NAME_LENGTH: int = AccessAttempt._meta.get_field("username").max_length
NOWHERE = "0.0.0.0"  # noqa: S104 (who has no address, as over a unix socket: nothing is bound)


class Counter(AxesDatabaseHandler):  # type: ignore[misc]
    """Keeps a name, an address, a number and a time, and nothing else that a client sends.

    A form can hold what a database refuses, and a failure that is not stored is not counted. With
    the browser's name out of it, a client has one row, and one time at which it is free again.
    """

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: Any = None, **kwargs: Any
    ) -> None:
        if request is None:
            super().user_login_failed(sender, credentials, request, **kwargs)
            return
        request.axes_user_agent = request.axes_http_accept = ""
        sent = request.GET, request.POST
        request.GET, request.POST = QueryDict(), QueryDict()
        try:
            super().user_login_failed(sender, credentials, request, **kwargs)
        finally:
            request.GET, request.POST = sent

    def user_logged_in(
        self, sender: Any, request: Any, user: AbstractBaseUser, **kwargs: Any
    ) -> None:
        """Look again: while this password was hashed, guesses beside it may have been too many."""
        credentials = get_credentials(user.get_username())
        if self.is_allowed(request, credentials):
            super().user_logged_in(sender, request, user, **kwargs)
            return
        logout(request)
        request.axes_credentials = credentials
        request.axes_locked_out = True  # of which the middleware makes the answer


def name_of(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str | None:
    """Return the name that a client is counted by: as much of it as the table holds."""
    name = (credentials or getattr(request, "data", request.POST)).get("username")
    return name[:NAME_LENGTH] if isinstance(name, str) else None


def address_of(request: HttpRequest) -> str:
    """Return the address that a client is counted by; a network, where it has one of its own.

    Each trusted proxy adds the address that it was asked from at the right of X-Forwarded-For.
    What stands further left comes from the client, who may write anything there.
    """
    address = request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if 0 < settings.TRUSTED_PROXIES <= len(forwarded):
        address = forwarded[-settings.TRUSTED_PROXIES].strip() or address
    return counted(address)


def counted(address: str) -> str:
    """Return an address without its port, and an IPv6 one as its network; `NOWHERE` for none.

    Never None: of that a unique key takes any number, and two rows for a client cannot be counted.

    >>> counted("192.0.2.7:4711"), counted("2001:db8::1:2:3:4"), counted("[2001:db8::5]:80")
    ('192.0.2.7', '2001:db8::', '2001:db8::')
    >>> counted("::ffff:192.0.2.7"), counted("unix:")
    ('192.0.2.7', '0.0.0.0')
    """
    found = WITH_PORT.fullmatch(address)
    text = (found["v6"] or found["v4"]) if found else address
    try:
        parsed = ip_address(text)
    except ValueError:
        return NOWHERE
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    # A client has as many addresses as it likes in its own network.
    return str(IPv6Network((parsed, 64), strict=False).network_address)


def locked_out(request: HttpRequest, *_: Any) -> HttpResponse:
    """Answer a guesser: how long to wait."""
    mine = AccessAttempt.objects.filter(
        username=name_of(request, request.axes_credentials),  # type: ignore[attr-defined]
        ip_address=request.axes_ip_address,  # type: ignore[attr-defined]
    )
    counted_at = mine.aggregate(last=Max("attempt_time"))["last"] or timezone.now()
    left = counted_at + settings.AXES_COOLOFF_TIME - timezone.now()
    seconds = max(1, math.ceil(left.total_seconds()))
    response = render(request, "429.html", {"minutes": math.ceil(seconds / 60)}, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response

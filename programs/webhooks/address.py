"""Which addresses a webhook may call: those of others, out in the open.

A URL is somebody's input, and the engine stands inside: without this, it would call what only
machines of the house may reach. The name is looked up once, and what was checked is called.
"""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from programs.conf import settings
from programs.errors import AddressRefused, InvalidUrl
from programs.models.webhook import URL_LENGTH

PORTS = {"https": 443, "http": 80}
FIRST_FREE_PORT = 1024  # below are mail, shells and the like, which must not be sent a body

GLOBAL = IPv6Network("2000::/3")  # all of IPv6 that is given out to be reached by everybody
TUNNELS = (IPv6Network("2001::/32"), IPv6Network("2002::/16"))  # Teredo and 6to4
NAT64 = IPv6Network("64:ff9b::/96")  # an IPv4 address in the last four bytes


REFUSAL = (
    "the host has no public address, and others are not called "
    "(PROGRAM_EXECUTOR['WEBHOOK_PRIVATE_ADDRESSES'] would allow them)"
)


@dataclass(frozen=True)
class Target:
    """A URL, taken apart."""

    scheme: str
    host: str
    port: int
    path: str  # with the query

    @classmethod
    def parse(cls, url: str) -> Target:
        """Take a URL apart; raise `InvalidUrl` that says what is wrong with it."""
        if not url.isascii() or not url.isprintable() or " " in url:
            raise InvalidUrl(
                "holds characters that no URL has: write them percent-encoded, a host in Punycode"
            )
        if len(url) > URL_LENGTH:
            raise InvalidUrl(f"is longer than {URL_LENGTH} characters")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise InvalidUrl(f"is no URL: {error}") from error
        schemes = ("https", "http") if settings.WEBHOOK_PLAIN_HTTP else ("https",)
        if parts.scheme not in schemes:
            allowed = " or ".join(f"{scheme}://" for scheme in schemes)
            raise InvalidUrl(f"must begin with {allowed} (see WEBHOOK_PLAIN_HTTP)")
        if not host or "%" in host or "\\" in parts.netloc:
            raise InvalidUrl("names no host that can be called")
        if "@" in parts.netloc:
            raise InvalidUrl("holds a user name: leave it out, calls are signed")
        if parts.fragment:
            raise InvalidUrl("holds a fragment (#): leave it out, it would not be sent")
        port = PORTS[parts.scheme] if port is None else port
        if port not in PORTS.values() and port < FIRST_FREE_PORT:
            raise InvalidUrl(f"has the port {port}: it must be 443, 80 or from 1024 on")
        _refuse_literal(host)
        query = f"?{parts.query}" if parts.query else ""
        return cls(parts.scheme, host, port, f"{parts.path or '/'}{query}")

    def addresses(self, within: float) -> list[str]:
        """Look the host up, once, and return the addresses of it that may be called.

        Raises `AddressRefused`, and `OSError` where it cannot be looked up in so many seconds.
        """
        found = _look_up(self.host, self.port, within)
        allowed = [address for address in found if may_be_called(address)]
        if not allowed:
            raise AddressRefused(REFUSAL)
        return allowed


def may_be_called(address: str) -> bool:
    """Tell whether this address is a public one, or private ones are allowed."""
    return settings.WEBHOOK_PRIVATE_ADDRESSES or is_public(address)


def is_public(address: str) -> bool:
    """Tell whether an address is for everybody to reach; forms of IPv6 that hide one are not.

    >>> is_public("93.184.216.34"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False  # with a zone, say: link-local
    if isinstance(ip, IPv6Address):
        if ip in NAT64:
            return _is_public_v4(IPv4Address(int(ip) & 0xFFFFFFFF))
        if ip not in GLOBAL or any(ip in tunnel for tunnel in TUNNELS):
            return False
        return ip.is_global and not ip.is_reserved
    return _is_public_v4(ip)


def _is_public_v4(ip: IPv4Address) -> bool:
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_private)


def _refuse_literal(host: str) -> None:
    """Refuse an address that stands in the URL itself, so that a form can tell at once."""
    try:
        ip_address(host)
    except ValueError:
        return
    if not may_be_called(host):
        raise InvalidUrl(f"cannot be called: {REFUSAL}")


def _look_up(host: str, port: int, within: float) -> list[str]:
    """Return the addresses of a host. The system's own look-up knows no deadline: this does."""
    found: list[str] = []
    failures: list[OSError] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(str(address[0]) for *_, address in answers))
        except (OSError, UnicodeError) as error:
            failures.append(OSError(f"the host cannot be looked up: {error}"))

    thread = threading.Thread(target=ask, name="webhook-look-up", daemon=True)
    thread.start()
    thread.join(within)
    if failures:
        raise failures[0]
    if not found:
        raise TimeoutError(f"the host could not be looked up in {within:.0f} s")
    return found

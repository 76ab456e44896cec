"""Which URLs and addresses webhooks may call."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from programs.errors import AddressRefused, InvalidUrl
from programs.webhooks.address import Target, is_public


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808"]
)
def test_public_addresses_are_called(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1"),  # noqa: S104
        *("169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1"),
        *("240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1"),
        *("2001:db8::1", "5f00::1", "100::1"),
        *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1"),  # IPv4 in disguise
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808"),
        *("2002:7f00:1::", "2002:808:808::", "2001:0:808:808::1"),  # 6to4 and Teredo
        "no address",
    ],
)
def test_addresses_that_are_not_public_are_not_called(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://example.com/", "must begin with https://"),
        ("ftp://example.com/", "must begin with https://"),
        ("file:///etc/passwd", "must begin with https://"),
        ("example.com", "must begin with https://"),
        ("https://", "names no host"),
        ("https:///path", "names no host"),
        ("https://[fe80::1%25eth0]/", "names no host"),
        ("https://ada:secret@example.com/", "holds a user name"),
        ("https://example.com@10.0.0.1/", "holds a user name"),
        ("https://example.com\\@10.0.0.1/", "names no host"),
        ("https://example.com/#part", "holds a fragment"),
        ("https://example.com:25/", "has the port 25"),
        ("https://example.com:0/", "has the port 0"),
        ("https://example.com:99999/", "is no URL"),
        ("https://example.com:x/", "is no URL"),
        ("https://[::1/", "is no URL"),
        ("https://exämple.com/", "percent-encoded, a host in Punycode"),
        ("https://example.com/a b", "percent-encoded"),
        ("https://example.com/\r\nHost: x", "percent-encoded"),
        ("https://127.0.0.1/", "has no public address"),
        ("https://[::ffff:10.0.0.1]/", "has no public address"),
        (f"https://example.com/{'x' * 2000}", "longer than 2000"),
    ],
)
def test_a_url_that_cannot_be_called_says_why(url: str, told: str) -> None:
    with pytest.raises(InvalidUrl, match=told):
        Target.parse(url)


def test_a_url_is_taken_apart() -> None:
    assert Target.parse("https://example.com/a%20b?c=d") == Target(
        "https", "example.com", 443, "/a%20b?c=d"
    )
    assert Target.parse("https://[2606:4700::1]:8443") == Target("https", "2606:4700::1", 8443, "/")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost"])
def test_other_ways_to_write_this_machine_are_refused(host: str) -> None:
    with pytest.raises((AddressRefused, OSError)):
        Target.parse(f"https://{host}/").addresses(within=5)


def answering(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def look_up(host: str, port: int, **given: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_of_several_addresses_only_the_public_ones_are_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering(monkeypatch, "10.0.0.1", "93.184.216.34", "127.0.0.1")
    assert Target.parse("https://example.com/").addresses(within=5) == ["93.184.216.34"]


def test_a_name_of_private_addresses_is_refused_unless_a_setting_allows_it(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    answering(monkeypatch, "10.0.0.1")
    target = Target.parse("https://inside.example/")
    with pytest.raises(AddressRefused, match="WEBHOOK_PRIVATE_ADDRESSES"):
        target.addresses(within=5)

    own = {"WEBHOOK_PRIVATE_ADDRESSES": True}
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, **own}
    assert target.addresses(within=5) == ["10.0.0.1"]

"""The browser for tests: the Chromium that the machine has."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.servers.packages import command_to_type

PACKAGE = "chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
APP = "/Applications/Chromium.app/Contents/MacOS/Chromium"

# Nothing that asks the network or the machine for what a test does not need.
OPTIONS = [
    "--no-sandbox",  # which cannot be had as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def missing() -> list[str]:
    """Return the packages of Debian's that tests with a browser still need here."""
    packages = [] if installed() else [PACKAGE]
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libatomic.so.1")  # Playwright's driver is linked to it
        except OSError:
            packages.append("libatomic1")
    return packages


def installed() -> str | None:
    """Return this machine's Chromium, where there is one."""
    return next(filter(None, map(shutil.which, (*NAMES, APP))), None)


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A new browser. Django refuses its ORM to a test as long as it is there."""
    executable = installed()
    if executable is None:
        missing = f"There is no Chromium here: type `{command_to_type([PACKAGE])}`."
        if os.environ.get("CI"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Page:
    """A page of a new browser."""
    return browser.new_page()

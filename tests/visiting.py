"""The console as somebody sees it in a browser, and what is wrong with a page for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page


@contextmanager
def visitor(
    browser: Browser, address: str, theme: str, width: int, language: str = "en"
) -> Iterator[Page]:
    """A page of ada, who is logged in, and sees it so."""
    context = browser.new_context(
        color_scheme="dark" if theme == "dark" else "light",
        viewport={"width": width, "height": 800},
        locale=language,
    )
    page = context.new_page()
    page.goto(f"{address}/admin/login/")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", "right")
    page.click("[type=submit]")
    yield page
    context.close()


def faults_of(page: Page) -> list[str]:
    """Return what axe finds, whether one must scroll sideways, and text that turns around."""
    faults = []
    for found in Axe().run(page).response["violations"]:
        places = "; ".join(node["html"][:120] for node in found["nodes"][:3])
        faults.append(f"{found['id']}: {places}")
    over = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    if over > 0:
        faults.append(f"{over} px too wide")
    if "\u202e" in page.content():
        faults.append("holds a character that turns the text around")
    return faults


def logged_in(page: Page, address: str, path: str) -> Page:
    """Log in by the form, as ada, and go to a page of the console."""
    page.set_default_timeout(10_000)
    page.goto(f"{address}/admin/login/?{urlencode({'next': path})}")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", "right")
    page.click("[type=submit]")
    page.wait_for_url(f"{address}{path}")
    return page


@contextmanager
def without_javascript(page: Page, address: str, path: str) -> Iterator[Page]:
    """Lend a page of the same browser that runs no JavaScript, logged in."""
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(java_script_enabled=False)
    try:
        yield logged_in(context.new_page(), address, path)
    finally:
        context.close()

"""The console as somebody sees it in a browser, and what is wrong with a page for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page


@contextmanager
def visitor(browser: Browser, address: str, theme: str, width: int) -> Iterator[Page]:
    """A page of ada, who is logged in, and sees it so."""
    context = browser.new_context(
        color_scheme="dark" if theme == "dark" else "light",
        viewport={"width": width, "height": 800},
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

#!/usr/bin/env python3
"""Takes the pictures of the console that the documents show, from the programs of `make run`.

Starts the demonstration on a database of its own, waits until its programs stand as the pictures
want them, and visits the pages with the Chromium that the machine has: in both themes, and with
`--every FOLDER` every page in three widths, to be looked at; `--language de`: in German.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.servers.browser import OPTIONS, installed  # noqa: E402 (found only from here on)

PICTURES = ROOT / "docs" / "images"
THEMES = ("light", "dark")
WIDTHS = (1280, 768, 320)  # pixels

LIST = "/admin/programs/program/"
PAGES = {
    "list": LIST,
    "errored-only": f"{LIST}?state=errored",
    "overview": f"{LIST}overview/",
    "definitions": "/admin/programs/definition/",
    "definition": "/admin/programs/definition/airports/change/",
    "start": "/admin/programs/definition/airports/start/",
    "schedules": "/admin/programs/schedule/",
    "schedule-form": "/admin/programs/schedule/add/?definition=airports",
    "queues": "/admin/programs/queue/",
    "workers": "/admin/programs/worker/",
    "operations": "/admin/programs/operation/",
    "create": f"{LIST}add/",
    "bulk": f"{LIST}bulk/?verb=retry&all=1&state=errored",
    "index": "/admin/",
}
# Pages of one program: how the list finds it, and what to do with it.
OF_ONE = {
    "errored": ("state=errored&q=out+of+paper", "change"),
    "finished": ("state=finished&job=report_airports", "change"),
    "scheduled": ("state=scheduled", "change"),
    "paused": ("state=paused", "change"),
    "running": ("state=running", "change"),
    "retry": ("state=errored&q=out+of+paper", "retry"),
    "edit": ("state=errored", "edit"),
    "skip": ("state=errored", "skip"),
}
IN_DOCUMENTS = {"list": "light", "errored": "dark", "overview": "light"}  # in one theme each


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=Path, help="a folder for every page in every width")
    parser.add_argument("--language", default="en", help="that the browser prefers")
    options = parser.parse_args()
    executable = installed()
    if executable is None:
        sys.exit("There is no Chromium here: `python -m tests.servers --install` installs it.")
    with demonstration() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=OPTIONS)
        if options.every:
            options.every.mkdir(parents=True, exist_ok=True)
            for width in WIDTHS:
                for theme in THEMES:
                    take(
                        browser,
                        address,
                        options.every,
                        [*PAGES, *OF_ONE],
                        theme,
                        width,
                        options.language,
                    )
        else:
            PICTURES.mkdir(parents=True, exist_ok=True)
            for name, theme in IN_DOCUMENTS.items():
                take(browser, address, PICTURES, [name], theme, WIDTHS[0])
        browser.close()
    return 0


@contextlib.contextmanager
def demonstration() -> Iterator[str]:
    """Run `make run`'s programs on a database that is gone afterwards; yield the address."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        own = {"DATABASE_URL": f"sqlite:///{folder}/db.sqlite3", "MEDIA_ROOT": folder}
        environment = {**os.environ, **own, "PORT": str(port), "AMQP_URL": "", "DEBUG": "1"}
        command = [sys.executable, "-m", "executor_project.demo"]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("Serving"):
                    break
            else:
                sys.exit("the demonstration ended before it served")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


def take(
    browser: Browser,
    address: str,
    folder: Path,
    names: list[str],
    theme: str,
    width: int,
    language: str = "",
) -> None:
    """Take these pages; with a language in that one, and down to their ends."""
    context = browser.new_context(
        color_scheme="dark" if theme == "dark" else "light",
        viewport={"width": width, "height": 800},
        locale=language or "en",
    )
    page = context.new_page()
    log_in(page, address)
    for name in names:
        page.goto(address + path_of(page, address, name))
        suffix = f"-{width}" if language else ""
        page.screenshot(path=folder / f"{name}-{theme}{suffix}.png", full_page=bool(language))
    context.close()


def log_in(page: Page, address: str) -> None:
    page.goto(f"{address}/admin/login/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", "admin")
    page.click("[type=submit]")
    page.wait_for_selector("#user-tools")


def path_of(page: Page, address: str, name: str) -> str:
    """Return the path of a page; that of one program through the list of its state."""
    if name in PAGES:
        return PAGES[name]
    query, view = OF_ONE[name]
    page.goto(f"{address}{LIST}?{query}")
    found = re.search(rf'href="({LIST}\d+/)change/', page.content())
    return f"{found[1]}{view}/" if found else f"{LIST}?{query}"


if __name__ == "__main__":
    sys.exit(main())

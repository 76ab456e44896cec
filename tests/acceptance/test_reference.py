"""The API's reference in a real browser: it comes from our server alone, and can be tried out."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.web import Start

pytestmark = pytest.mark.parametrize("site", ["sqlite"], indirect=True)

PLAIN = {"SECURE_SSL_REDIRECT": "0", "TRUSTED_PROXIES": "0", "ALLOWED_HOSTS": "localhost"}
CREATE = "#operations-program-program_create"


def test_the_reference_needs_no_internet_and_creates_a_program(
    start_web: Start, page: Page
) -> None:
    address = f"http://localhost:{start_web(**PLAIN).port}"
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/admin/login/?next=/api/docs/")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", "right")
    page.click("[type=submit]")

    page.click(f"{CREATE} .opblock-summary-control")
    page.fill(f"{CREATE} textarea", '{"jobs": ["noop"]}')
    page.click(f"{CREATE} .execute")
    page.wait_for_selector(f"{CREATE} .live-responses-table td:has-text('201')")

    assert '"created_by": "ada"' in page.inner_text(f"{CREATE} .live-responses-table")
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert complaints == []

"""The pytest fixtures of Program Executor, for the tests of projects that use it.

pytest loads this file before Django is configured, and in projects that do not use Django at all:
nothing but pytest is imported until a test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from programs.testing import Inline


@pytest.fixture
def programs_inline(request: pytest.FixtureRequest) -> Iterator[Inline]:
    """Run the programs that the test creates at once, in its own process, to their end."""
    # The database is the test's to ask for: by then it has, whatever the order of its fixtures.
    for name in ("transactional_db", "db"):
        if name in request.fixturenames:
            request.getfixturevalue(name)
    from programs.testing import run_inline

    with run_inline() as inline:
        yield inline

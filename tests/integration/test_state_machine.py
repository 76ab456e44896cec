"""The bookkeeping, held against a small model of itself: see `tests/life`."""

from __future__ import annotations

import pytest

from tests.life.machine import live


@pytest.mark.timeout(400)  # a failure is made small first
@pytest.mark.django_db(transaction=True)
@pytest.mark.invariant(2)
@pytest.mark.invariant(3)
@pytest.mark.invariant(8)
@pytest.mark.invariant(9)
@pytest.mark.invariant(10)
def test_a_program_lives_as_the_model_says_in_whatever_order_things_happen(monkeypatch) -> None:
    live(120, monkeypatch)

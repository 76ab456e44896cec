"""The bookkeeping, held against a small model of itself, by the thousand: see `tests/life`."""

from __future__ import annotations

import pytest

from tests.faults.arena import SEED
from tests.faults.conftest import Verdict
from tests.life.machine import live

EXAMPLES = 2000


@pytest.mark.long
@pytest.mark.fault("claim, renew, expire, retry, stop, crash … in random order, against a model")
@pytest.mark.timeout(900)  # a failure is made small first
@pytest.mark.django_db(transaction=True)
def test_two_thousand_programs_live_as_the_model_says(
    monkeypatch: pytest.MonkeyPatch, verdict: Verdict
) -> None:
    live(EXAMPLES, monkeypatch, seeded=SEED)
    verdict.says(f"{EXAMPLES} lives of up to 30 moves, as the model says")

"""How much one user may ask for: enough for any honest client, too little for one in a loop."""

from __future__ import annotations

from typing import Any

from rest_framework.settings import api_settings
from rest_framework.throttling import ScopedRateThrottle

# By the second, so that little is remembered for each user. The project's own
# `DEFAULT_THROTTLE_RATES` come first; None there lifts a limit.
RATES = {"programs.create": "1000/s", "programs.change": "200/s", "programs.read": "200/s"}


class Throttle(ScopedRateThrottle):
    """Counts each user's requests, those that create apart from those that change and read."""

    def get_rate(self) -> str | None:
        assert self.scope is not None
        rates: Any = api_settings.DEFAULT_THROTTLE_RATES
        rate: str | None = rates.get(self.scope, RATES[self.scope])
        return rate

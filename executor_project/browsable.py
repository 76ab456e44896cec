"""REST framework's own pages, under our Content-Security-Policy."""

from __future__ import annotations

from typing import Any

from rest_framework import renderers


class BrowsableAPIRenderer(renderers.BrowsableAPIRenderer):
    """The pages without their only inline style sheet, which colours code: there is none."""

    def get_context(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context(*args, **kwargs), "code_style": None}

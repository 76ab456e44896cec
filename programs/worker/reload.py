"""Watching the project's code, for `runworker --reload`."""

from __future__ import annotations

from time import monotonic

from django.utils.autoreload import iter_all_python_module_files

INTERVAL = 1.0  # seconds between two looks at the files


class CodeWatch:
    """Tells when a Python file that this process has loaded has changed."""

    def __init__(self) -> None:
        self._seen = self._modification_times()
        self._next_look = monotonic() + INTERVAL

    def has_changed(self) -> bool:
        """Tell whether a file has changed since the last call."""
        if monotonic() < self._next_look:
            return False
        self._next_look = monotonic() + INTERVAL
        before, self._seen = self._seen, self._modification_times()
        return before != self._seen

    def _modification_times(self) -> dict[str, float]:
        times = {}
        for path in iter_all_python_module_files():
            try:
                times[str(path)] = path.stat().st_mtime
            except OSError:  # removed, or being written
                times[str(path)] = 0.0
        return times

"""Log lines: which step they belong to, how they look, and the copy kept with an attempt."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from time import localtime, strftime
from typing import Any

from programs import tracing
from programs.conf import settings

CONTEXT_FIELDS = ("run_id", "step", "job", "attempt")
LINE = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
# The engine's own lines are no part of a job's log, nor are those of the framework of tasks.
OWN = ("programs.", "django.tasks", "django_tasks")
OF_LOGGING = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}

_worker: str | None = None  # the name of the worker that this process belongs to


class StepLog:
    """What a job logged during one attempt, bounded to `LOG_LIMIT` bytes."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields
        self._lines: list[str] = []
        self._room = -1  # bytes; read from the settings once there is a line
        self._dropped = 0

    def add(self, line: str) -> None:
        if self._room < 0:
            self._room = settings.LOG_LIMIT
        size = len(line.encode("utf-8", "replace")) + 1
        if size > self._room:
            self._dropped += 1
            return
        self._room -= size
        self._lines.append(line)

    def text(self) -> str:
        """Return the lines that were kept."""
        if not self._dropped:
            return "\n".join(self._lines)
        return "\n".join([*self._lines, f"... {self._dropped} lines more, not kept (LOG_LIMIT)"])


_current: ContextVar[StepLog | None] = ContextVar("programs_step_log", default=None)


@contextmanager
def step_log(**fields: Any) -> Iterator[StepLog]:
    """Give all lines logged inside the fields of a step, and keep those that are the job's own."""
    _install_keeper()
    log = StepLog(fields)
    token = _current.set(log)
    try:
        yield log
    finally:
        _current.reset(token)


class Keeper(logging.Handler):
    """Copies the records of a running job into its step's log."""

    def emit(self, record: logging.LogRecord) -> None:
        log = _current.get()
        if log is None or record.name.startswith(OWN):
            return
        try:
            log.add(LINE.format(record))
        except Exception:  # noqa: BLE001 (logging's own way: a line never breaks its job)
            self.handleError(record)


_keeper = Keeper()


def _install_keeper() -> None:
    if _keeper not in logging.root.handlers:
        logging.root.addHandler(_keeper)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    log = _current.get()
    inherited = log.fields if log else {}
    own = vars(record)
    names = (*CONTEXT_FIELDS, "queue", "worker")
    return {
        name: own.get(name, inherited.get(name))
        for name in names
        if name in own or name in inherited
    }


class TextFormatter(logging.Formatter):
    """Lines for people: time, level, message, and behind it the step that it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        moment = f"{strftime('%H:%M:%S', localtime(record.created))}.{int(record.msecs):03d}"
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        first, *rest = record.message.splitlines() or [""]
        lines = [f"{moment} {record.levelname:<7} {first}{fields}", *rest]
        if record.exc_info:
            lines.append(self.formatException(record.exc_info))
        return "\n".join(lines)


class JsonFormatter(logging.Formatter):
    """Lines for machines: one JSON object each, with what `extra` gave that is a plain value."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "action": getattr(record, "action", None),
            **({"worker": _worker} if _worker else {}),
            **_fields(record),
            **tracing.ids(),
        }
        for name, value in vars(record).items():
            # Objects stay out: the text of a request, say, holds its query.
            if name not in line and name not in OF_LOGGING and _is_plain(value):
                line[name] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return json.dumps(line, default=str)


def _is_plain(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)  # JSON has no other numbers
    return value is None or isinstance(value, (str, int))


def configure(worker: str | None = None) -> None:
    """Set a worker's process up to log to standard error, where the project did not.

    A project's own handlers on the root logger stay as they are. INFO is the level, so that jobs'
    `logger.info` lines are kept with their attempts. `worker`: its name, for JSON lines that no
    slot writes.
    """
    global _worker
    _worker = worker
    root = logging.getLogger()
    if not [handler for handler in root.handlers if handler is not _keeper]:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonFormatter() if settings.LOG_FORMAT == "json" else TextFormatter())
        root.addHandler(handler)
        if root.level == logging.WARNING:  # Python's default: nobody chose it
            root.setLevel(logging.INFO)
    _install_keeper()

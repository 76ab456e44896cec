"""The settings of Program Executor: one dictionary, `PROGRAM_EXECUTOR`, read live.

Each setting is declared once, with its default, the rule that a value must keep, and a sentence.
A wrong value or an unknown key fails `manage.py check` (`programs.checks`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar, overload

from django.conf import settings as django_settings
from django.db import connections

T = TypeVar("T")


class Setting(Generic[T]):
    """One key of `PROGRAM_EXECUTOR`: a typed property whose default stands beside it."""

    name: str

    def __init__(
        self, default: T, accepts: Callable[[Any], bool], wanted: str, meaning: str
    ) -> None:
        self.default = default
        self.accepts = accepts
        self.wanted = wanted
        self.meaning = meaning

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Setting[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Setting[T] | T:
        if instance is None:
            return self
        value: T = configured().get(self.name, self.default)
        return value


def configured() -> Mapping[str, Any]:
    """Return what the Django settings say, unchecked; an absent dictionary is an empty one."""
    given = getattr(django_settings, "PROGRAM_EXECUTOR", None)
    # First the quick way: this is asked for all the time.
    return given if type(given) is dict or isinstance(given, Mapping) else {}


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e9


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**9


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(_text(item) for item in value)


def _optional(accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or accepts(value)


def _switch(value: Any) -> bool:
    return isinstance(value, bool)


def _one_of(*choices: str) -> Callable[[Any], bool]:
    return lambda value: value in choices


class Settings:
    """The typed face of `PROGRAM_EXECUTOR`; durations are in seconds, sizes in bytes."""

    AMQP_URL = Setting[str | None](
        None, _optional(_text), "a URL or None", "RabbitMQ; None: no broker, the database alone."
    )
    QUEUE_NAME = Setting[str](
        "program-executor",
        lambda value: _text(value) and len(value) <= 100,
        "a name of at most 100 characters",
        "The broker's queue of the queue `default`; others are `<QUEUE_NAME>.<queue>`.",
    )
    QUEUE_TYPE = Setting[str](
        "quorum", _one_of("quorum", "classic"), "'quorum' or 'classic'", "RabbitMQ's queue type."
    )
    QUEUES = Setting[dict[str, dict[str, str]]](
        {},
        lambda value: isinstance(value, dict),
        "a dictionary of queues",
        "What is special about a queue: PROTOCOL, EXECUTED_BY and NAME, see docs/migrating.md.",
    )
    TABLE_NAME = Setting[str](
        "programs",
        lambda value: _text(value) and value.isidentifier() and len(value) <= 19,
        "an identifier of at most 19 characters",
        "The bookkeeping table; the others are `<TABLE_NAME>_attempt` and so on.",
    )
    DATABASE = Setting[str](
        "default", _text, "an alias of DATABASES", "The database that holds the tables."
    )
    JOB_MODULES = Setting[list[str]](
        [], _texts, "a list of module names", "Packages searched for jobs beside the apps'."
    )
    LEASE = Setting[float | None](
        None,
        _optional(_number),
        "a number of seconds",
        "How long a claim holds without renewal, every 5 s or sooner; None: 15, on SQLite 60.",
    )
    TURN = Setting[float](
        1.0, _number, "a number of seconds", "How long a program runs on while others wait."
    )
    LOSS_LIMIT = Setting[int](
        3, _count, "a positive integer", "Worker losses on one step that quarantine a program."
    )
    RETRY_DELAY_LIMIT = Setting[float](
        3600.0, _number, "a number of seconds", "The longest delay that a backoff grows to."
    )
    UNKNOWN_JOBS = Setting[str](
        "wait",
        _one_of("wait", "skip"),
        "'wait' or 'skip'",
        "What becomes of a step whose job no worker here knows.",
    )
    UNKNOWN_JOB_LIMIT = Setting[float](
        3600.0,
        _number,
        "a number of seconds",
        "How long a step waits for its job's worker.",
    )
    JOBS_LIMIT = Setting[int](
        1000, _count, "a positive integer", "The most jobs that one program may have."
    )
    DATA_LIMIT = Setting[int](
        1024 * 1024, _count, "a positive integer", "The size of program data, and of job data."
    )
    LOG_LIMIT = Setting[int](
        64 * 1024, _count, "a positive integer", "The size of an attempt's log, and traceback."
    )
    ATTEMPTS_KEPT = Setting[int](
        100, _count, "a positive integer", "How many attempts of one step are kept as history."
    )
    THREADS = Setting[int](8, _count, "a positive integer", "Slots in each child of a worker.")
    PROCESSES = Setting[int](1, _count, "a positive integer", "Child processes of a worker.")
    SHUTDOWN_TIMEOUT = Setting[float](
        25.0, _number, "a number of seconds", "How long a worker lets running jobs end."
    )
    SECRET_KEYS = Setting[list[str]](
        [
            "password",
            "passwd",
            "passphrase",
            "secret",
            "token",
            "api_key",
            "access_key",
            "private_key",
            "authorization",
            "credential",
            "cookie",
        ],
        _texts,
        "a list of words",
        "Values under keys with these words in them are masked, unless a permission reveals them.",
    )
    LOG_FORMAT = Setting[str](
        "text", _one_of("text", "json"), "'text' or 'json'", "The form of a worker's log lines."
    )
    METRICS_TOKEN = Setting[str | None](
        None, _optional(_text), "a text or None", "What monitors send as Bearer to read metrics."
    )
    WEBHOOK_QUEUE = Setting[str | None](
        None,
        _optional(lambda value: _text(value) and len(value) <= 100),
        "a name of at most 100 characters or None",
        "The queue of webhooks' deliveries; None: that of the program that is told of.",
    )
    WEBHOOK_PRIVATE_ADDRESSES = Setting[bool](
        False, _switch, "True or False", "Whether webhooks may call addresses that are not public."
    )
    WEBHOOK_PLAIN_HTTP = Setting[bool](
        False, _switch, "True or False", "Whether the URLs of webhooks may begin with http://."
    )

    def __iter__(self) -> Iterator[Setting[Any]]:
        return (item for item in vars(type(self)).values() if isinstance(item, Setting))

    @property
    def lease(self) -> float:
        """Return how long a claim holds, in seconds, with the database's own default."""
        if self.LEASE is not None:
            return self.LEASE
        return 60.0 if connections[self.DATABASE].vendor == "sqlite" else 15.0

    @property
    def data_levels(self) -> int:
        """Return how many levels of objects and lists data may have.

        Copying and comparing need several of Python's frames for each. MariaDB's JSON ends at 31,
        one of which is that of the jobs' names.
        """
        return 30 if connections[self.DATABASE].vendor == "mysql" else 100

    @property
    def renewal(self) -> float:
        """Return how often a lease is renewed, in seconds: every 5 s, or sooner for a short one."""
        return min(5.0, self.lease / 3)


settings = Settings()

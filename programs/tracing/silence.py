"""What stands in the place of traces where OpenTelemetry is not installed: nothing at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from programs.models import Program
    from programs.outcomes import Failure

CallableT = TypeVar("CallableT", bound=Callable[..., Any])

NOTHING: AbstractContextManager[object] = nullcontext()


@contextmanager
def creation(programs: Sequence[Program]) -> Iterator[None]:
    yield


def within(program: Program) -> AbstractContextManager[object]:
    return NOTHING


def sending(run_id: str, queue: str) -> Callable[[str | None], None] | None:
    return None


def each_claim(carry: CallableT) -> CallableT:
    return carry


def each_job(run_job: CallableT) -> CallableT:
    return run_job


def failed(failure: Failure) -> None:
    pass


def lost(program: Program, *, counted: bool) -> None:
    pass


def ids() -> dict[str, str]:
    return {}

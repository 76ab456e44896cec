"""Job data while the database is away, and in transactions of a job's that last for long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, transaction

from programs.errors import LeaseLost
from programs.job import JobData
from programs.lease import Lease, lease_clock
from programs.models import Program
from programs.models.transitions import Standing
from tests.running import claimed, fresh

pytestmark = pytest.mark.usefixtures("bookkeeping")

SECONDS = 60.0  # of the lease


@pytest.fixture
def program() -> Program:
    return claimed("noop")


@pytest.fixture
def lease() -> Lease:
    return Lease(SECONDS)


@pytest.fixture
def job_data(program: Program, lease: Lease) -> JobData:
    return JobData(program, "noop", lease)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let so many seconds pass, for leases."""

    def pass_by(seconds: float) -> None:
        for module in ("programs.lease", "programs.job"):
            monkeypatch.setattr(f"{module}.lease_clock", lambda: lease_clock() + seconds)

    return pass_by


def away(monkeypatch: pytest.MonkeyPatch, times: float, then: Callable[[], None]) -> list[float]:
    """Let the database be away for so many writes of data, and `then` happen at each of them.

    Returns the patience (seconds) of each write.
    """
    patiences: list[float] = []
    save = Program.save_job_data

    def save_job_data(program: Program, *given: Any, **how: Any) -> Standing:
        patiences.append(how["patience"])
        if len(patiences) <= times:
            then()
            raise OperationalError("the server closed the connection unexpectedly")
        return save(program, *given, **how)

    monkeypatch.setattr(Program, "save_job_data", save_job_data)
    return patiences


# While the database is away ----------------------------------------------------------------


def test_data_is_stored_once_the_database_is_back_as_long_as_the_lease_is_renewed(
    monkeypatch: pytest.MonkeyPatch, job_data: JobData, lease: Lease, program: Program
) -> None:
    patiences = away(monkeypatch, 2, lambda: lease.renew(lease_clock() + SECONDS))

    job_data.set({"n": 1})

    assert fresh(program).job_data == {"noop": {"n": 1}}
    assert len(patiences) == 3
    assert all(0 < patience < SECONDS for patience in patiences)


@pytest.mark.invariant(3)
def test_a_job_that_cannot_store_its_data_ends_before_its_lease_does(
    monkeypatch: pytest.MonkeyPatch,
    job_data: JobData,
    lease: Lease,
    later: Callable[[float], None],
) -> None:
    away(monkeypatch, float("inf"), lambda: later(SECONDS - 2.0))

    with pytest.raises(LeaseLost):
        job_data.set({"n": 1})

    assert job_data.stop_requested
    assert lease.remaining > 0


def test_a_write_that_alone_cannot_be_had_fails_at_the_end_of_all_patience(
    monkeypatch: pytest.MonkeyPatch, job_data: JobData, lease: Lease
) -> None:
    monkeypatch.setattr("programs.job.PATIENCE", 0.0)
    away(monkeypatch, float("inf"), lambda: lease.renew(lease_clock() + SECONDS))

    with pytest.raises(OperationalError):
        job_data.set({"n": 1})

    assert lease.live


def test_a_transaction_of_the_jobs_is_not_repeated_for_it(
    monkeypatch: pytest.MonkeyPatch, job_data: JobData, bookkeeping: str
) -> None:
    patiences = away(monkeypatch, float("inf"), lambda: None)

    with pytest.raises(OperationalError), transaction.atomic(using=bookkeeping):
        job_data.set({"n": 1})

    assert len(patiences) == 1


# In transactions of a job's -------------------------------------------------------------------


def test_a_lease_that_nobody_could_renew_is_renewed_when_the_transaction_commits(
    job_data: JobData, lease: Lease, later: Callable[[float], None], bookkeeping: str
) -> None:
    with transaction.atomic(using=bookkeeping):
        job_data.set({"n": 1})
        later(SECONDS * 0.75)
        assert lease.remaining < SECONDS / 2

    assert lease.remaining > SECONDS / 2
    assert job_data.get() == {"n": 1}


def test_a_short_transaction_leaves_renewals_to_the_supervisor(
    monkeypatch: pytest.MonkeyPatch, job_data: JobData, bookkeeping: str
) -> None:
    monkeypatch.setattr(Program, "hold", pytest.fail)
    with transaction.atomic(using=bookkeeping):
        job_data.set({"n": 1})


def test_a_claim_that_was_taken_over_is_noticed_when_the_transaction_commits(
    job_data: JobData,
    lease: Lease,
    program: Program,
    later: Callable[[float], None],
    bookkeeping: str,
) -> None:
    with transaction.atomic(using=bookkeeping):
        job_data.set({"n": 1})
        later(SECONDS * 0.75)
        Program.objects.filter(pk=program.pk).update(epoch=9)

    assert not lease.live
    assert job_data.stop_requested


def test_a_database_that_is_lost_after_the_commit_takes_no_lease(
    monkeypatch: pytest.MonkeyPatch,
    job_data: JobData,
    lease: Lease,
    later: Callable[[float], None],
    bookkeeping: str,
) -> None:
    def lost(*_: Any) -> bool:
        raise OperationalError("the server closed the connection unexpectedly")

    monkeypatch.setattr(Program, "hold", lost)
    with transaction.atomic(using=bookkeeping):
        job_data.set({"n": 1})
        later(SECONDS * 0.75)

    assert lease.live
    assert 0 < lease.remaining < SECONDS / 2

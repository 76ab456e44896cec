"""The board of a child: what the supervisor reads of a claim reaches the job that runs under it."""

from __future__ import annotations

from typing import Any

import pytest

from programs.lease import Lease, lease_clock
from programs.models import Program
from programs.worker.board import Board
from programs.worker.control import Notice

SLOT, OTHER = "worker/1/1", "worker/1/2"
SECONDS = 60.0

pytestmark = pytest.mark.invariant(3)


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def lease() -> Lease:
    return Lease(SECONDS)


def program(pk: int = 1, epoch: int = 1) -> Program:
    return Program(pk=pk, epoch=epoch)


def notice(**told: Any) -> Notice:
    """What was read a moment from now: after the claims of the test."""
    asked_at = lease_clock() + 1.0
    usual = {"slot": SLOT, "program": 1, "epoch": 1, "renewed": True, "stop_requested": False}
    return Notice(asked_at=asked_at, until=asked_at + SECONDS, **{**usual, **told})


def test_a_renewal_lengthens_the_lease(board: Board, lease: Lease) -> None:
    before = lease.remaining
    with board.running(SLOT, program(), lease):
        assert board.busy == 1
        board.apply(notice())
    assert lease.remaining > before
    assert not lease.stop_requested
    assert board.busy == 0


def test_a_row_that_could_not_be_renewed_lengthens_nothing(board: Board, lease: Lease) -> None:
    before = lease.remaining
    with board.running(SLOT, program(), lease):
        board.apply(notice(renewed=False))
    assert lease.live
    assert lease.remaining <= before


def test_a_stop_reaches_the_job(board: Board, lease: Lease) -> None:
    with board.running(SLOT, program(), lease):
        board.apply(notice(stop_requested=True))
    assert lease.stop_requested
    assert lease.live


@pytest.mark.parametrize("told", [{"program": None, "epoch": None}, {"program": 2}, {"epoch": 2}])
def test_a_claim_that_the_database_does_not_know_is_lost(
    board: Board, lease: Lease, told: dict[str, Any]
) -> None:
    with board.running(SLOT, program(), lease):
        board.apply(notice(**told))
    assert not lease.live
    assert lease.stop_requested


def test_what_was_read_before_the_claim_says_nothing_of_it(board: Board, lease: Lease) -> None:
    asked_at = lease_clock() - 1.0
    with board.running(SLOT, program(), lease):
        board.apply(Notice(SLOT, asked_at, asked_at + SECONDS))
    assert lease.live


def test_a_claim_that_nothing_runs_under_is_told_of_once(board: Board) -> None:
    board.apply(notice())
    assert not board.may_have_left_a_claim(OTHER)
    assert board.may_have_left_a_claim(SLOT)
    assert not board.may_have_left_a_claim(SLOT)


def test_a_slot_that_holds_and_runs_nothing_has_left_nothing(board: Board) -> None:
    board.apply(notice(program=None, epoch=None))
    assert not board.may_have_left_a_claim(SLOT)

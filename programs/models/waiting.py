"""Waiting in this process for the end of a program that workers run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import monotonic, sleep

from asgiref.sync import sync_to_async
from django.db import connections
from django.db.transaction import TransactionManagementError

from programs.errors import ProgramNotFound
from programs.models.columns import Columns
from programs.models.state import ENDED, OPEN

SHORTEST, LONGEST = 0.05, 0.5  # seconds between two looks
GROWTH = 1.3  # each pause is so many times longer than the one before


class Waiting(Columns):
    """What whoever created a program can do until it has ended."""

    class Meta:
        abstract = True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the program has ended, and tell whether it has; the instance is as it then is.

        `timeout`: in seconds; None: for as long as it takes. Between two looks no database
        connection is held. Raises `TransactionManagementError` in a transaction of the caller's,
        where it would never see the end, and `ProgramNotFound` once the row is gone.
        """
        for pause in _pauses(timeout):
            if self._has_ended():
                break
            self._let_go()
            sleep(pause)
        return self._reread_whole()

    async def await_end(self, timeout: float | None = None) -> bool:
        """`wait` for async code."""
        for pause in _pauses(timeout):
            if await sync_to_async(self._has_ended)():
                break
            await sync_to_async(self._let_go)()
            await asyncio.sleep(pause)
        return await sync_to_async(self._reread_whole)()

    def _has_ended(self) -> bool:
        rows = type(self)._default_manager.using(self.alias)
        return not rows.filter(OPEN, pk=self.pk).exists()

    def _let_go(self) -> None:
        """Give the connection back for the pause, unless nothing could change meanwhile."""
        connection = connections[self.alias]
        if connection.in_atomic_block or not connection.get_autocommit():
            raise TransactionManagementError(
                f"program {self.run_id} has not ended, and cannot be waited for in a transaction: "
                "what you created in it is not run before it is committed; wait behind it"
            )
        connection.close()

    def _reread_whole(self) -> bool:
        try:
            self.refresh_from_db()
        except type(self).DoesNotExist as error:
            told = f"program {self.run_id} is gone: somebody has deleted it"
            raise ProgramNotFound(told) from error
        return self.state in ENDED


def _pauses(timeout: float | None) -> Iterator[float]:
    """Yield how long to wait after each look, until the time is up."""
    give_up_at = None if timeout is None else monotonic() + timeout
    pause = SHORTEST
    while give_up_at is None or monotonic() < give_up_at:
        yield pause if give_up_at is None else max(0.0, min(pause, give_up_at - monotonic()))
        pause = min(pause * GROWTH, LONGEST)

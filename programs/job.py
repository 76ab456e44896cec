"""Jobs, and the data that a job keeps between its attempts."""

from __future__ import annotations

import copy
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

from asgiref.sync import sync_to_async
from django.db import connections, transaction

from programs import data as json_data
from programs.data import JsonObject
from programs.errors import ExecutionTimeExceeded, LeaseLost, StopRequested
from programs.lease import Lease, lease_clock
from programs.models.deadlines import answer_expected
from programs.models.persistence import PATIENCE, QUICKEST_CONNECT, TRANSIENT_ERRORS
from programs.models.program import Program
from programs.models.transitions import Standing

if TYPE_CHECKING:
    from programs.message import Message

MARGIN = 1.0  # seconds before the end of its lease, at which a job that cannot store data ends


class Job:
    """One kind of work. Subclass it, give it a `name`, write `execute`, register it.

    A job may run again after a crash (at least once): make it safe to repeat, by the data that
    it keeps or by `message.idempotency_key`.
    """

    name: ClassVar[str]  #: globally unique, at most 255 characters
    max_retries: ClassVar[int | None] = 10  #: of retryable errors, for each step; None: no limit
    retry_delay: ClassVar[float] = 1.0  #: seconds before the first retry
    retry_backoff: ClassVar[float] = 2.0  #: each further delay is so many times longer
    internal: ClassVar[bool] = False  # the engine's own: no operator creates or edits its programs
    #: a serializer of REST framework, which checks the job's own data when a program is created
    data_class: ClassVar[type[Any] | None] = None
    #: a serializer of what the job reads of the program data
    program_data_class: ClassVar[type[Any] | None] = None

    def __init__(self, program_data: JsonObject) -> None:
        self.program_data = program_data

    @classmethod
    def create(cls, program_data: JsonObject) -> Job:
        """Make the instance that one attempt runs on; override it to build one otherwise."""
        return cls(program_data)

    def execute(self, message: Message, job_data: JobData) -> object:
        """Do the work; what it returns is ignored. `async def execute` works too.

        Raise an error with `retryable = True` to be tried again, with `ignorable = True` to end
        the program quietly; any other error ends it loudly.
        """
        raise NotImplementedError(f"job {type(self).name!r} has no execute method")


class JobData:
    """The data of one job of one program: a JSON object, kept between attempts.

    Every change is committed at once. Inside `transaction.atomic()` on the same database it
    commits, or rolls back, together with the job's own writes.

    All methods that write raise `LeaseLost` when another slot may have taken the program over,
    and `InvalidData` for what is no JSON object or too large.
    """

    def __init__(self, program: Program, job: str, lease: Lease) -> None:
        self._program = program
        self._job = job
        self._lease = lease
        self._started = monotonic()

    @property
    def stop_requested(self) -> bool:
        """Whether an operator wants the program to stop, or the lease is lost: end soon, then.

        Known at the latest one renewal (5 s) after the fact. Costs nothing to read. End by a
        `checkpoint`, or raise `StopRequested`: a job that returns has succeeded.
        """
        return self._lease.stop_requested or not self._lease.live

    def get(self) -> JsonObject:
        """Return a copy of the data; an empty object when nothing was stored yet."""
        return copy.deepcopy(self._stored())

    def set(self, data: JsonObject) -> None:
        """Put `data` in the place of what was stored."""
        self._save(data)

    def merge(self, partial: JsonObject) -> None:
        """Put the keys of `partial` over those that were stored (shallow)."""
        self._save({**self._stored(), **partial})

    def checkpoint(
        self, partial: JsonObject | None = None, max_execution_time: float | None = None
    ) -> None:
        """Merge `partial`, then give way where that is asked for.

        Raises `StopRequested` when an operator asked for it, and `ExecutionTimeExceeded` when
        this attempt runs for longer than `max_execution_time` (seconds): the program goes to the
        back of its queue, no retry is counted, and `execute` is called again later with the data.
        """
        standing = self._save({**self._stored(), **(partial or {})}, checkpoint=True)
        if standing in (Standing.STOPPED, Standing.DISCARDED):
            self._lease.request_stop()
            raise StopRequested
        if max_execution_time is not None and monotonic() - self._started > max_execution_time:
            raise ExecutionTimeExceeded

    async def aget(self) -> JsonObject:
        """`get` for an async job."""
        return await sync_to_async(self.get)()

    async def aset(self, data: JsonObject) -> None:
        """`set` for an async job."""
        await sync_to_async(self.set)(data)

    async def amerge(self, partial: JsonObject) -> None:
        """`merge` for an async job."""
        await sync_to_async(self.merge)(partial)

    async def acheckpoint(
        self, partial: JsonObject | None = None, max_execution_time: float | None = None
    ) -> None:
        """`checkpoint` for an async job."""
        await sync_to_async(self.checkpoint)(partial, max_execution_time)

    def _stored(self) -> JsonObject:
        """Return what is stored, and not a copy: `json_data.stored` makes one of what is saved."""
        self._resolve_doubt()
        return self._program.data_of(self._job)

    def _save(self, data: Any, *, checkpoint: bool = False) -> Standing:
        stored = json_data.stored(data)
        self._resolve_doubt()
        standing = self._store(stored, checkpoint)
        if standing is Standing.LOST:
            self._lease.lose()
            raise LeaseLost
        using = self._program.alias
        if connections[using].in_atomic_block:
            self._program.job_data_in_doubt = True
            transaction.on_commit(self._trust, using=using)
        return standing

    def _store(self, stored: JsonObject, checkpoint: bool) -> Standing:
        """Store the data while the lease holds: without a database others may soon run the job."""
        give_up_at = monotonic() + PATIENCE
        while True:
            patience = max(self._lease.remaining - MARGIN, MARGIN)
            try:
                return self._program.save_job_data(
                    self._job, stored, checkpoint=checkpoint, patience=patience
                )
            except TRANSIENT_ERRORS:
                if connections[self._program.alias].in_atomic_block:
                    raise  # only the job can repeat its transaction
                if self._lease.remaining <= MARGIN + QUICKEST_CONNECT:
                    return Standing.LOST  # another try might end after the lease
                if monotonic() > give_up_at:
                    raise  # renewed all the time: it is this write that cannot be had

    def _resolve_doubt(self) -> None:
        """Read what is stored, where a transaction that may have been rolled back wrote last."""
        if self._program.job_data_in_doubt:
            with answer_expected(self._program.alias):
                self._program.refresh_from_db(fields=["job_data"])
            in_transaction = connections[self._program.alias].in_atomic_block
            self._program.job_data_in_doubt = in_transaction

    def _trust(self) -> None:
        self._program.job_data_in_doubt = False
        # The transaction has locked the row, so that the supervisor could not renew the lease.
        if self._lease.remaining < self._lease.seconds / 2:
            until = lease_clock() + self._lease.seconds
            with suppress(*TRANSIENT_ERRORS):  # the supervisor renews it, or nobody can
                if self._program.hold(self._lease.seconds, max(self._lease.remaining, MARGIN)):
                    self._lease.renew(until)
                else:
                    self._lease.lose()

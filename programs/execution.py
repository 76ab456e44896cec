"""One claimed program, run to its outcomes. Knows the database, and no broker."""

from __future__ import annotations

import copy
import inspect
import logging
import os
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

from asgiref.sync import async_to_sync
from django.dispatch import Signal

from programs import logs, outcomes, registry, signals, tracing
from programs.conf import settings
from programs.data import clean
from programs.errors import BrokenProgram, OpenTransaction, WorkerLost
from programs.job import Job, JobData
from programs.lease import Lease
from programs.message import Message
from programs.models import Ending, Program
from programs.models.attempt import Record
from programs.models.clock import NOW, Utc
from programs.models.deadlines import answer_expected
from programs.models.leftovers import drop_open_transactions, open_transactions
from programs.models.persistence import TRANSIENT_ERRORS
from programs.models.transitions import Standing
from programs.outcomes import Failure, Outcome

logger = logging.getLogger(__name__)

FORGETTING = 10  # attempts from one look for those that are too many to the next


@tracing.each_claim
def carry(program: Program, lease: Lease, must_give_way: Callable[[], bool]) -> Standing:
    """Run the steps of a claimed program, one after the other, as far as this claim goes.

    `must_give_way` is asked between steps: True sends the program to the back of its queue.
    Returns how the program stands; with `HELD` excluded, the claim is over in every case.
    """
    with answer_expected(program.alias):
        tried = {} if program.epoch == 1 else program.attempts.numbers()
    standing = program.end_if_asked()
    if standing is Standing.HELD and program.started_at == program.step_started_at and not tried:
        tell(signals.program_started, Program, program=program)
    error: BaseException | None = None
    while standing is Standing.HELD:
        if not lease.live or must_give_way():
            standing = program.give_back()
        else:
            number = tried.get(program.step, 0) + 1
            try:
                standing, error = take_step(program, lease, number)
            except TRANSIENT_ERRORS:
                raise  # the database is away: whoever finds the program later carries on
            except Exception as failure:  # noqa: BLE001 (ours, or the row's: it would come back for ever)
                standing, error = give_up(program, number, failure), failure
    if standing is Standing.LOST:
        program.survive()
    announce(program, standing, error)
    return standing


def take_step(program: Program, lease: Lease, number: int) -> tuple[Standing, BaseException | None]:
    """Run the current step once and write what it ended in.

    Returns the program's standing, and the error that shall raise an alarm if it ended by one.
    """
    step, job = program.step, program.job
    if not job:
        raise BrokenProgram(f"the row's jobs hold no name at step {step}: {program.jobs!r:.200}")
    started = monotonic()
    with logs.step_log(run_id=program.run_id, step=step, job=job, attempt=number) as log:
        message = message_for(program, number)
        job_class = registry.find(job)
        outcome = run_job(job_class, program, lease, message)
        attempt = Record(
            program_id=program.pk,
            step=step,
            job=job,
            number=number,
            epoch=program.epoch,
            worker=program.worker or "",
            started_at=Utc(after=started - monotonic()),
            ended_at=NOW,
            outcome=outcome.ending,
            log=clean(text, settings.LOG_LIMIT) if (text := log.text()) else None,
        )
        if outcome.failure is not None:
            attempt.error_class = outcome.failure.error_class
            attempt.message = outcome.failure.message
            attempt.traceback = outcome.failure.traceback
        standing = outcome.write(program, attempt)
        tell_of_step(program, outcome, standing)
    if number % FORGETTING == 0 and number > settings.ATTEMPTS_KEPT:
        with answer_expected(program.alias):
            program.attempts.forget_older(step, number)
    sent = {"program": program, "message": message, "outcome": outcome, "standing": standing}
    tell(signals.job_finished, job_class, **sent)
    alarming = outcome.ending is Ending.ERRORED and outcome.failure is not None
    return standing, outcome.failure.error if alarming and outcome.failure else None


def give_up(program: Program, number: int, failure: Exception) -> Standing:
    """End a program that cannot be run, or whose outcome cannot be stored."""
    logger.error(
        "step %d cannot be run: %s",
        program.step,
        failure,
        exc_info=failure,
        extra={"action": "program_broken", "run_id": program.run_id, "step": program.step},
    )
    kept = Failure.of(failure)
    tracing.failed(kept)
    attempt = Record(
        program_id=program.pk,
        step=program.step,
        job=program.job or "(none)",
        number=number,
        epoch=program.epoch,
        worker=program.worker or "",
        started_at=None,
        ended_at=NOW,
        outcome=Ending.ERRORED,
        error_class=kept.error_class,
        message=kept.message,
        traceback=kept.traceback,
    )
    return program.fail(attempt, f"cannot be run: {kept.message}")


def message_for(program: Program, number: int) -> Message:
    """Return what the job of the current step is told."""
    return Message(
        run_id=program.run_id,
        step=program.step,
        job=program.job,
        jobs=tuple(program.jobs[program.step :]),
        program_data=copy.deepcopy(program.program_data),
        attempt=number,
    )


@tracing.each_job
def run_job(job: type[Job] | None, program: Program, lease: Lease, message: Message) -> Outcome:
    """Run the job of the current step, whatever it does, and return what that amounts to."""
    if job is None:
        with answer_expected(program.alias):
            tries, too_long = program.waited_for_job()
        return outcomes.of_unknown_job(registry.unknown(message.job), tries, too_long=too_long)
    tell(signals.job_started, job, program=program, message=message)
    logger.debug("job starts", extra={"action": "job_started"})
    pid, transactions = os.getpid(), open_transactions()
    error: BaseException | None = None
    try:
        call(job, message, JobData(program, message.job, lease))
    except BaseException as raised:  # noqa: BLE001 (SystemExit and its like end a job, not us)
        error = raised
    if os.getpid() != pid:
        os._exit(0)  # a fork of ours that ran out of `execute`: the job goes on in the parent
    left_open = drop_open_transactions(transactions)
    if error is not None:
        asked_to_stop = lease.stop_requested or not lease.live
        return outcomes.of_error(error, job, program.step_retry_count, asked_to_stop=asked_to_stop)
    if left_open:
        return outcomes.Errored(Failure.of(OpenTransaction()))
    return outcomes.Succeeded()


def call(job: type[Job], message: Message, job_data: JobData) -> None:
    """Make the job and execute it; an async one in an event loop of its own, ORM on this thread."""
    result = job.create(message.program_data).execute(message, job_data)
    if inspect.iscoroutine(result):
        async_to_sync(finish)(result)


async def finish(coroutine: Coroutine[Any, Any, object]) -> None:
    """Await what an async `execute` returned, or one behind a decorator."""
    await coroutine


# What is told of it ------------------------------------------------------------------------


def tell(signal: Signal, sender: Any, **sent: Any) -> None:
    """Send a signal; whatever a listener does, this thread goes on with clean connections."""
    if not signal.has_listeners(sender):
        return
    before = open_transactions()
    try:
        signal.send_robust(sender=sender, **sent)
    except BaseException:  # (send_robust lets SystemExit and its like through)
        logger.exception("a listener of a signal raised", extra={"action": "listener_failed"})
    if drop_open_transactions(before):
        logger.error(
            "a listener of a signal left a transaction open; it was rolled back",
            extra={"action": "listener_failed"},
        )


def tell_of_step(program: Program, outcome: Outcome, standing: Standing) -> None:
    """Log a line for the step: loud for what an operator must see, at DEBUG otherwise."""
    failure = outcome.failure
    if failure is None and standing is not Standing.LOST and not logger.isEnabledFor(logging.DEBUG):
        return  # as nearly always
    extra = {"action": f"job_{outcome.ending.value}"}
    if standing is Standing.LOST:
        logger.warning("lease lost: the outcome (%s) is refused", outcome.ending, extra=extra)
    elif isinstance(outcome, outcomes.RetryAt):
        logger.warning(
            "job failed, retry %d in %.1f s: %s",
            program.step_retry_count,
            outcome.delay,
            outcome.failure.message,
            extra=extra,
        )
    elif failure is not None and outcome.ending is Ending.ERRORED:
        logger.error("job failed: %s\n%s", failure.message, failure.traceback, extra=extra)
    elif failure is not None and outcome.ending in (Ending.UNKNOWN, Ending.SKIPPED):
        logger.warning("job not run: %s", failure.message, extra=extra)
    else:
        logger.debug("job %s", outcome.ending, extra=extra)


def announce(program: Program, standing: Standing, error: BaseException | None = None) -> None:
    """Log a line for a program whose claim is over, and send the signal of its end.

    `error`: what it errored with, where that is an alarm; an ignorable error is none.
    """
    extra = {"action": f"program_{standing.value}", "run_id": program.run_id}
    if standing is Standing.FINISHED:
        logger.info("program finished", extra=extra)
        tell(signals.program_finished, Program, program=program)
    elif standing is Standing.ERRORED:
        # A job's own error has its line already; of a lost worker this is the first word.
        level = logging.ERROR if isinstance(error, WorkerLost) else logging.INFO
        logger.log(level, "program errored: %s", program.error_message, extra=extra)
        if error is not None:
            tell(signals.program_errored, Program, program=program, error=error)
    elif standing is Standing.STOPPED:
        logger.info("program stopped at step %d", program.step, extra=extra)
        tell(signals.program_stopped, Program, program=program)
    else:
        logger.debug("program %s at step %d", standing.value, program.step, extra=extra)

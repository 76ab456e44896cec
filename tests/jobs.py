"""Jobs for tests: `noop`, `count`, `nap`, and `behave`, which does what its data says."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from programs.errors import IgnorableError, RetryableError
from programs.job import Job, JobData
from programs.message import Message
from programs.registry import register
from tests import journal

logger = logging.getLogger(__name__)


@register
class Noop(Job):
    """Does nothing."""

    name = "noop"

    def execute(self, message: Message, job_data: JobData) -> None:
        pass


@register
class Count(Job):
    """Reads its data and adds one to `n`."""

    name = "count"

    def execute(self, message: Message, job_data: JobData) -> None:
        job_data.merge({"n": job_data.get().get("n", 0) + 1})


@register
class Nap(Job):
    """Waits as long as another system may take to answer."""

    name = "nap"

    def execute(self, message: Message, job_data: JobData) -> None:
        time.sleep(0.05)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class Flagged(Exception):
    """An exception of the user's own, with flags."""

    def __init__(self, text: str = "flagged", **flags: Any) -> None:
        super().__init__(text)
        vars(self).update(flags)


class Behaviour(Job):
    """Does what `how` in its job data says, or in the program data; a list: one for each attempt.

    With `journal` in the program data it writes a line there at its start and at its end.
    """

    max_retries = 3
    retry_delay = 0.02

    def execute(self, message: Message, job_data: JobData) -> object:
        data = {**message.program_data, **job_data.get()}
        how = data.get("how", "succeed")
        if isinstance(how, list):
            how = how[min(message.attempt, len(how)) - 1]
        self.note(data, "start", message)
        try:
            result = getattr(self, how)(message, job_data, data)
        except BaseException:
            self.note(data, "raised", message)
            raise
        self.note(data, "end", message)
        return result

    def note(self, data: Any, event: str, message: Message) -> None:
        if "journal" in data:
            journal.note(data["journal"], event, message)

    def succeed(self, message: Message, job_data: JobData, data: Any) -> None:
        pass

    def return_something(self, message: Message, job_data: JobData, data: Any) -> object:
        return {"retryable": True}

    def log(self, message: Message, job_data: JobData, data: Any) -> None:
        logger.info("hello from %s", message.job)
        print("printed")

    def log_much(self, message: Message, job_data: JobData, data: Any) -> None:
        for number in range(5000):
            logger.info("line %d %s", number, "x" * 80)

    def fail(self, message: Message, job_data: JobData, data: Any) -> None:
        raise RuntimeError(data.get("text", "it broke"))

    def fail_unprintably(self, message: Message, job_data: JobData, data: Any) -> None:
        raise Unprintable

    def fail_hugely(self, message: Message, job_data: JobData, data: Any) -> None:
        raise RuntimeError("\0 \ud800 " + "x" * 10_000_000)

    def exit(self, message: Message, job_data: JobData, data: Any) -> None:
        sys.exit(0)

    def raise_keyboard_interrupt(self, message: Message, job_data: JobData, data: Any) -> None:
        raise KeyboardInterrupt

    def retry(self, message: Message, job_data: JobData, data: Any) -> None:
        raise RetryableError("not yet", retry_after=data.get("retry_after", 0.01))

    def retry_decorated(self, message: Message, job_data: JobData, data: Any) -> None:
        raise RetryableError.decorate(KeyError("not yet"), retry_after=0.01)

    def retry_and_ignore(self, message: Message, job_data: JobData, data: Any) -> None:
        raise Flagged(retryable=True, ignorable=True, retry_after=0.01)

    def ignore(self, message: Message, job_data: JobData, data: Any) -> None:
        raise IgnorableError("nothing to do")

    def sleep(self, message: Message, job_data: JobData, data: Any) -> None:
        time.sleep(data.get("seconds", 0.05))

    def wait_for_file(self, message: Message, job_data: JobData, data: Any) -> None:
        while not Path(data["file"]).exists():
            time.sleep(0.005)

    def checkpoint_until_file(self, message: Message, job_data: JobData, data: Any) -> None:
        while not Path(data["file"]).exists():
            job_data.checkpoint({"n": job_data.get().get("n", 0) + 1})
            time.sleep(0.01)

    def watch_for_stop(self, message: Message, job_data: JobData, data: Any) -> None:
        while not job_data.stop_requested:
            time.sleep(0.005)
        job_data.checkpoint({"saw_stop": True})

    def count_slowly(self, message: Message, job_data: JobData, data: Any) -> None:
        """Count to `to`, a checkpoint each, giving way after `max_execution_time`."""
        while (n := job_data.get().get("n", 0)) < data["to"]:
            time.sleep(data.get("every", 0))
            job_data.checkpoint({"n": n + 1}, data.get("max_execution_time"))

    def close_connection(self, message: Message, job_data: JobData, data: Any) -> None:
        connection.close()

    def break_connection(self, message: Message, job_data: JobData, data: Any) -> None:
        connection.ensure_connection()
        assert connection.connection is not None
        connection.connection.close()

    def leave_atomic_open(self, message: Message, job_data: JobData, data: Any) -> None:
        transaction.atomic().__enter__()

    def leave_begin_open(self, message: Message, job_data: JobData, data: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")

    def leave_autocommit_off(self, message: Message, job_data: JobData, data: Any) -> None:
        transaction.set_autocommit(False)

    def merge_and_roll_back(self, message: Message, job_data: JobData, data: Any) -> None:
        job_data.set({"kept": 1, "how": data["how"]})
        try:
            with transaction.atomic():
                job_data.merge({"lost": 1})
                assert job_data.get()["lost"] == 1
                raise RuntimeError("undo")
        except RuntimeError:
            job_data.merge({"seen": sorted(job_data.get())})

    def fork(self, message: Message, job_data: JobData, data: Any) -> None:
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)

    def fork_and_raise(self, message: Message, job_data: JobData, data: Any) -> None:
        pid = os.fork()
        if not pid:
            raise RuntimeError("in the fork")
        os.waitpid(pid, 0)

    def run_subprocess(self, message: Message, job_data: JobData, data: Any) -> None:
        subprocess.run([sys.executable, "-c", "pass"], check=True)

    def kill_process(self, message: Message, job_data: JobData, data: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def leave_process(self, message: Message, job_data: JobData, data: Any) -> None:
        os._exit(0)

    def eat_memory(self, message: Message, job_data: JobData, data: Any) -> None:
        """Fill `megabytes`, and wait to be killed for it."""
        eaten = [b"x" * 2**20 for _ in range(data["megabytes"])]
        time.sleep(60)
        raise RuntimeError(f"nobody minds {len(eaten)} MB")

    def hold_interpreter_lock(self, message: Message, job_data: JobData, data: Any) -> None:
        """Let no other thread of this process run for whole `seconds`."""
        ctypes.PyDLL(None).sleep(data["seconds"])

    def tell_time(self, message: Message, job_data: JobData, data: Any) -> None:
        job_data.merge({"time": time.time(), "monotonic": time.monotonic()})

    def wait_without_a_change(self, message: Message, job_data: JobData, data: Any) -> None:
        message.program_data["changed"] = True


for name in ("behave", "behave_too", "behave_again"):
    register(type(name.title(), (Behaviour,), {"name": name, "__module__": __name__}))


@register
class Impatient(Behaviour):
    """Gives up at the first retryable error."""

    name = "impatient"
    max_retries = 0


@register
class Asynchronous(Job):
    """An async job that uses the ORM and its data."""

    name = "asynchronous"

    async def execute(self, message: Message, job_data: JobData) -> None:
        await job_data.amerge({"n": (await job_data.aget()).get("n", 0) + 1})
        await job_data.acheckpoint({"checked": True})
        if message.program_data.get("how") == "fail":
            raise RuntimeError("async failure")

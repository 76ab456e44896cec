"""The arena: a site whose every step is witnessed, and whose workers are done harm to."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from programs.lease import lease_clock
from programs.models import Attempt, Ending, Program, State
from tests.faults import auditor, witness
from tests.faults.auditor import Findings, History
from tests.site import Site, Worker
from tests.waiting import eventually

LONG = os.environ.get("FAULTS") == "long"
# Printed with the table; FAULTS_SEED replays. Set here, it is the seed of all processes of a run.
SEED = int(os.environ.setdefault("FAULTS_SEED", str(random.SystemRandom().randrange(10**6))))


def scaled(short: float, long: float) -> float:
    """Return a number for the short form, in `make test`, or the long one, in `make faults`."""
    return long if LONG else short


LEASE = scaled(5.0, 15.0)  # seconds; renewed every third of it


@dataclass(frozen=True)
class Fired:
    """What a fault point that was passed has noted."""

    at: float  # by `lease_clock`
    pid: int
    supervisor: int


class Arena(Site):
    """A site with a witness, whose workers can be sabotaged; it remembers what it did to whom."""

    def __init__(self, environment: dict[str, str], folder: Path, name: str) -> None:
        super().__init__(environment, folder)
        self.random = random.Random(f"{SEED} {name}")
        self.deaths: dict[int, float] = {}  # process id -> when it was killed, by `lease_clock`
        self._disturbed: dict[int, tuple[float, float]] = {}  # process id -> from when to when
        self.shut_down: set[int] = set()  # processes that were asked to end
        witness.install()

    def given(self, how: str = "sleep", **given: object) -> dict[str, object]:
        """Return program data with which `tests.jobs.Behaviour` keeps the journal."""
        return {"how": how, "journal": str(self.journal), **given}

    # Harm ------------------------------------------------------------------------------------

    def arm(self, folder: Path, point: str, side: str, victim: str = "child") -> Path:
        """Arm a fault point of workers that were started with `SABOTAGE=folder`.

        Returns the file that is there once it has fired.
        """
        armed = folder / f"{point}-{side}"
        fired = armed.with_suffix(".fired")
        fired.unlink(missing_ok=True)
        written = armed.with_suffix(".arming")
        written.write_text(victim)
        written.rename(armed)
        return fired

    def fired(self, file: Path, *, within: float = 30.0) -> Fired:
        """Wait until the fault point has fired, and remember who died."""
        eventually(file.exists, within=within)
        at, pid, supervisor = file.read_text().split()
        fired = Fired(float(at), int(pid), int(supervisor))
        self.deaths[fired.pid] = fired.at
        return fired

    def kill(self, *workers: Worker) -> None:
        """Kill whole workers, as a power cut would."""
        for worker in workers:
            for pid in worker.children:
                self.deaths[pid] = lease_clock()
            worker.kill()

    def kill_child(self, worker: Worker) -> int:
        """Kill one child of a worker, and return its process id."""
        pid = self.random.choice(worker.children)
        self.deaths[pid] = lease_clock()
        os.kill(pid, signal.SIGKILL)
        return pid

    @contextlib.contextmanager
    def disturbing(self, *pids: int) -> Iterator[None]:
        """Let others have a reason to take over from these processes, as long as it lasts.

        And for a lease's time after that: until then they may not have been heard of.
        """
        since = lease_clock()
        self._disturbed.update({pid: (since, float("inf")) for pid in pids})
        try:
            yield
        finally:
            until = lease_clock() + LEASE
            self._disturbed.update(dict.fromkeys(pids, (since, until)))

    # Judgement -------------------------------------------------------------------------------

    def audit(self, expected: Iterable[Program] | None = None) -> Findings:
        """Judge all that happened; fail on whatever no fault excuses.

        `expected`: the programs that must be finished; None: all that there are.
        """
        programs = list(Program.objects.all() if expected is None else expected)
        ids = dict(Program.objects.values_list("pk", "run_id"))
        attempts: dict[tuple[str, int, int], str] = {}
        for pk, step, number, outcome in Attempt.objects.order_by("id").values_list(
            "program", "step", "number", "outcome"
        ):  # of two with one number, which a take-over can bring, a success is the last word
            if attempts.get((ids[pk], step, number)) != Ending.SUCCEEDED:
                attempts[ids[pk], step, number] = outcome
        changes = witness.testimony()
        assert {change.run_id for change in changes} == set(ids.values()), "a row is gone"
        offset = time.time() - lease_clock()
        history = History(
            lines=list(self.events()),
            changes=changes,
            steps={program.run_id: len(program.jobs) for program in programs},
            attempts=attempts,
            clock_offset=offset,
            deaths={pid: at + offset for pid, at in self.deaths.items()},
            disturbed={
                pid: (since + offset, until + offset)
                for pid, (since, until) in self._disturbed.items()
            },
            shut_down=frozenset(self.shut_down),
        )
        findings = auditor.judge(history)
        assert not findings.violations, "\n".join(
            f"{kind}:\n  " + "\n  ".join(found[:10]) for kind, found in findings.violations.items()
        )
        return findings

    def close(self) -> None:
        for worker in self._workers:  # those that were stopped hear no SIGTERM
            with contextlib.suppress(ProcessLookupError):
                worker.signal(signal.SIGCONT)
        super().close()


def all_end(within: float) -> None:
    """Wait until no program is open; say which ones are, if that takes too long."""
    try:
        eventually(lambda: not Program.objects.open().exists(), within=within, every=0.05)
    except AssertionError as error:
        stuck = [
            f"{program.run_id}: {program.state}, step {program.step}, held by {program.worker}, "
            f"due {program.due_at}, losses {program.losses}, queue {program.queue}"
            for program in Program.objects.open()[:10]
        ]
        raise AssertionError("\n".join([f"open after {within} s:", *stuck])) from error


def finished() -> int:
    """Return how many programs are finished."""
    return Program.objects.in_state(State.FINISHED).count()

"""The auditor: judges what happened from the journal, the witness, the programs and attempts.

It knows nothing of how the engine works, only what must never be seen: see `Findings`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

from programs.models import Ending
from tests.faults.witness import WHO_LENGTH, Change, Row, moment
from tests.journal import Line

TERMINAL = ("finished_at", "errored_at", "stopped_at")
# What a supervisor writes: it renews leases, and releases what its dead children held.
SUPERVISORS = {"due_at", "worker", "losses", "updated_at", "errored_at", "stopped_at"}
# An attempt that ended so is tried again in the ordinary course of things.
ORDINARY = {Ending.RETRIED, Ending.YIELDED, Ending.STOPPED}
# One that ended so was broken off from outside.
BROKEN_OFF = {Ending.LOST, Ending.ABANDONED, Ending.INTERRUPTED}
MARGIN = 0.5  # seconds between a kill and what the test notes as its time, on a busy machine


@dataclass
class Execution:
    """One run of a job's side effect. Times are in seconds since 1970."""

    run_id: str
    step: int
    attempt: int
    pid: int
    slot: str
    started: float
    ended: float | None = None  # None: its process died in it, or it goes on still
    completed: bool = False  # it came to its end, and was not broken off by an exception


@dataclass(frozen=True)
class History:
    """All that is known of one run of a scenario.

    `deaths`: when which process was killed. `disturbed`: processes that were stopped or cut off,
    from when to when: others had a reason to take over then. `shut_down`: those that were asked
    to end. `attempts`: the outcomes of (run id, step, attempt number), as far as rows tell of them.
    """

    lines: list[Line]
    changes: list[Change]
    steps: Mapping[str, int]  # of each program that must be finished, by run id
    attempts: Mapping[tuple[str, int, int], str]
    clock_offset: float = 0.0  # from the journal's clock to the database's, in seconds
    deaths: Mapping[int, float] = field(default_factory=dict)
    disturbed: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    shut_down: frozenset[int] = frozenset()


@dataclass
class Findings:
    """What must not be; each a list of sentences. `overlaps` and `reruns` are counted apart."""

    lost: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    under_live_lease: list[str] = field(default_factory=list)
    after_the_lease: list[str] = field(default_factory=list)
    twice_ended: list[str] = field(default_factory=list)
    stale_writes: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)  # after a lease that ran out: can be allowed
    reruns: int = 0  # that a fault explains
    programs: int = 0

    @property
    def violations(self) -> dict[str, list[str]]:
        """Return what no fault excuses, without what is empty."""
        kinds = {
            "lost programs": self.lost,
            "steps out of order": self.out_of_order,
            "attempts under another's live lease": self.under_live_lease,
            "attempts after their lease": self.after_the_lease,
            "terminal states written twice": self.twice_ended,
            "writes from a stale fence": self.stale_writes,
            "re-runs that no fault explains": self.unexplained,
        }
        return {kind: found for kind, found in kinds.items() if found}


def judge(history: History) -> Findings:
    """Return what the history shows."""
    findings = Findings(programs=len(history.steps))
    by_program: dict[str, list[Execution]] = defaultdict(list)
    for execution in executions(history):
        by_program[execution.run_id].append(execution)
    changes: dict[str, list[Change]] = defaultdict(list)
    for change in history.changes:
        changes[change.run_id].append(change)
    for run_id, steps in history.steps.items():
        judge_steps(findings, history, run_id, steps, by_program[run_id], changes[run_id])
    for run_id, executed in by_program.items():
        judge_leases(findings, executed, changes[run_id])
        judge_overlaps(findings, history, executed)
    for run_id, changed in changes.items():
        judge_writes(findings, changed)
        judge_endings(findings, run_id, changed)
    return findings


def executions(history: History) -> Iterable[Execution]:
    """Put starts and ends together. A slot runs one job at a time."""
    running: dict[tuple[int, str], Execution] = {}
    found = []
    for line in history.lines:
        at, key = line.at + history.clock_offset, (line.pid, line.slot)
        if line.event == "start":
            running[key] = Execution(line.run_id, line.step, line.attempt, line.pid, line.slot, at)
            found.append(running[key])
        elif key in running:
            execution = running.pop(key)
            execution.ended, execution.completed = at, line.event == "end"
    return sorted(found, key=lambda execution: execution.started)


def judge_steps(
    findings: Findings,
    history: History,
    run_id: str,
    steps: int,
    executed: list[Execution],
    changes: list[Change],
) -> None:
    """Nothing lost, nothing out of order, nothing run again without a reason."""
    last = changes[-1].now if changes else {}
    if not last.get("finished_at"):
        findings.lost.append(f"{run_id}: not finished, at step {last.get('step')}")
    completed: dict[int, float] = {}  # step -> when it first came to its end
    before: dict[int, Execution] = {}
    for execution in executed:
        step = execution.step
        if step and not (step - 1 in completed and completed[step - 1] <= execution.started):
            findings.out_of_order.append(f"{run_id}: step {step} began before {step - 1} ended")
        later = [other for other in before.values() if other.step > step]
        if later and step not in before:
            findings.out_of_order.append(f"{run_id}: step {step} began after {later[0].step}")
        if (row := at_that_time(changes, execution.started)).get("step", step) != step:
            findings.out_of_order.append(
                f"{run_id}: step {step} began while the row stood at {row['step']}"
            )
        if step in before:
            judge_rerun(findings, history, before[step], execution, changes)
        before[step] = execution
        if execution.completed and execution.ended is not None:
            completed[step] = min(execution.ended, completed.get(step, inf))
    missing = set(range(steps)) - completed.keys()
    if missing and last.get("finished_at"):
        findings.lost.append(f"{run_id}: finished without steps {sorted(missing)}")


def judge_rerun(
    findings: Findings,
    history: History,
    earlier: Execution,
    later: Execution,
    changes: list[Change],
) -> None:
    """A step that ran before may run again for a reason: an outcome, a death, a lost lease."""
    outcome = history.attempts.get((earlier.run_id, earlier.step, earlier.attempt))
    if outcome in ORDINARY or was_reopened(changes, earlier.started, later.started):
        return
    killed = was_killed_in(history, earlier, later, changes)
    if outcome in BROKEN_OFF and (
        killed
        or (outcome == Ending.INTERRUPTED and earlier.pid in history.shut_down)
        or (outcome != Ending.INTERRUPTED and was_disturbed(history, earlier.pid, later.started))
    ):
        findings.reruns += 1
    else:
        findings.unexplained.append(
            f"{earlier.run_id}: step {earlier.step} ran again after attempt {earlier.attempt} "
            f"in {earlier.slot} (process {earlier.pid}), which is {outcome or 'not recorded'}"
        )


def was_killed_in(
    history: History, earlier: Execution, later: Execution, changes: list[Change]
) -> bool:
    """Tell whether the process died before the step ran again, and still held the program."""
    death = history.deaths.get(earlier.pid)
    if death is None or death > later.started + MARGIN:
        return False
    released = (
        change.at
        for change in changes
        if change.at > earlier.started and change.now["worker"] != earlier.slot
    )
    return death <= next(released, later.started) + MARGIN


def was_disturbed(history: History, pid: int, when: float) -> bool:
    """Tell whether others had a reason, then, to take over from this process."""
    since, until = history.disturbed.get(pid, (inf, inf))
    return since <= when <= until


def was_reopened(changes: list[Change], since: float, until: float) -> bool:
    """Tell whether an operator opened the program again in that time."""
    return any(since < change.at <= until and change.reopens(TERMINAL) for change in changes)


def at_that_time(changes: list[Change], when: float) -> Row:
    """Return the row as it was then."""
    index = bisect_right(changes, when, key=lambda change: change.at) - 1
    return changes[index].now if index >= 0 else {}


def judge_leases(findings: Findings, executed: list[Execution], changes: list[Change]) -> None:
    """Each execution begins under its own slot's live lease."""
    for execution in executed:
        now = at_that_time(changes, execution.started)
        holder, until = now.get("worker"), moment(now.get("due_at"))
        what = f"{execution.run_id}: step {execution.step} in {execution.slot}"
        if holder and holder != execution.slot and until > execution.started:
            findings.under_live_lease.append(f"{what} began while {holder} held the lease")
        elif holder != execution.slot or until <= execution.started:
            findings.after_the_lease.append(f"{what} began without a lease (held by {holder})")
    for change in changes:
        if change.was is None or not change.was["worker"] or change.due() <= change.at:
            continue
        if change.changed("worker") and not is_owner(change.who, change.was["worker"]):
            findings.under_live_lease.append(
                f"{change.run_id}: {change.who} took over from {change.was['worker']}, whose lease"
                f" held {change.due() - change.at:.3f} s more"
            )


def judge_overlaps(findings: Findings, history: History, executed: list[Execution]) -> None:
    """Count executions of one program that ran at the same time."""
    for earlier, later in pairwise(executed):
        end = earlier.ended
        if end is None:  # a process that nobody killed may be at it still
            end = history.deaths.get(earlier.pid, inf)
        if end > later.started:
            findings.overlaps.append(
                f"{earlier.run_id}: step {later.step} in {later.slot} began "
                f"{end - later.started:.3f} s before step {earlier.step} in {earlier.slot} ended"
            )


def judge_writes(findings: Findings, changes: list[Change]) -> None:
    """Who writes into a row holds it, or takes over what ran out."""
    for change in changes:
        was, now = change.was, change.now
        is_slot, is_supervisor = "/" in change.who, change.who.startswith("worker-")
        if was is None or not (is_slot or is_supervisor):  # an operator's, who is free to write
            continue
        is_owners = bool(was["worker"]) and is_owner(change.who, was["worker"])
        if is_owners and (is_slot or not change.beyond(SUPERVISORS)):
            continue
        if is_supervisor:
            pass  # it has nothing to do with what its own slots do not hold
        elif now["epoch"] == was["epoch"] + 1:
            if was["worker"] is None and 0 < change.due() <= change.at:
                continue  # a claim of what waits, and whose time has come
        elif was["worker"] and now["worker"] is None and change.due() <= change.at:
            if not change.changed("step", "finished_at"):
                continue  # a loss, taken note of after the lease
        elif was["errored_at"] and now["due_at"] is None and now["step"] == was["step"]:
            continue  # somebody errored it by hand: it is taken out of the queue
        elif not change.changed("step", "worker", "due_at", "step_retry_count", *TERMINAL) and (
            not change.data_changed
        ):
            continue  # the loss that a live process takes back
        elif was["queue"] is None:
            continue  # a row that another program inserted is adopted
        findings.stale_writes.append(f"{change.run_id}: {change.who} wrote while {was['worker']}")


def judge_endings(findings: Findings, run_id: str, changes: list[Change]) -> None:
    """One terminal state, once, until an operator opens the program again."""
    endings: Counter[str] = Counter()
    for change in changes:
        if change.was is None:
            continue
        for name in TERMINAL:
            if change.now[name] and change.was[name] != change.now[name]:
                endings[name] += 1
        if change.reopens(TERMINAL):
            endings.clear()
    if sum(endings.values()) > 1:
        findings.twice_ended.append(f"{run_id}: {dict(endings)}")


def is_owner(who: str, holder: str) -> bool:
    """Tell whether `who` is the slot `holder`, or its supervisor."""
    worker = holder.rpartition("/")[0]
    is_supervisor = who.startswith("worker-") and f"-{who[7:]}-" in worker
    return is_supervisor or who == holder[:WHO_LENGTH]

"""What operators do to programs. Each function takes a program or its run id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.db import transaction
from django.dispatch import Signal

from programs import data, registry, signals, typed
from programs.conf import settings
from programs.data import JsonObject
from programs.definition.code import registered_definitions
from programs.errors import InvalidData, InvalidProgram, OperationRefused, ProgramNotFound
from programs.models import Program, State, Verb
from programs.models.persistence import again_if_victim
from programs.relay import publish
from programs.signature import Signature, told
from programs.specification import refuse_unsafe_numbers

TRIES = 20  # re-readings of a program that changes faster than it can be steered

QUIET = frozenset({State.SCHEDULED, State.WAITING, State.PAUSED, State.ERRORED, State.STOPPED})

# In which states each verb can be done.
ALLOWED: dict[Verb, frozenset[State]] = {
    Verb.STOP: frozenset({State.SCHEDULED, State.WAITING, State.RUNNING, State.PAUSED}),
    Verb.PAUSE: frozenset({State.SCHEDULED, State.WAITING, State.RUNNING}),
    Verb.RESUME: frozenset({State.PAUSED}),
    Verb.RETRY: frozenset({State.ERRORED, State.STOPPED}),
    Verb.SKIP: QUIET,
    Verb.EDIT: QUIET,
}

# What no slot may be running meanwhile: a paused program may still be held by its last job.
CLAIMED_IS_REFUSED = frozenset({Verb.RETRY, Verb.SKIP, Verb.EDIT})
NEEDS_JOBS = CLAIMED_IS_REFUSED  # rows may be others' work, with jobs that are no list


def is_allowed(verb: Verb, program: Program) -> bool:
    """Tell whether `verb` can be done to the program as this instance holds it."""
    if program.is_nodes and program.state is not State.ERRORED:
        return verb is Verb.STOP and program.state in ALLOWED[verb]
    held = program.worker is not None and verb in CLAIMED_IS_REFUSED
    jobless = not isinstance(program.jobs, list) and verb in NEEDS_JOBS
    return program.state in ALLOWED[verb] and not held and not jobless


def stop_program(program: Program | str, *, by: str | None = None, reason: str = "") -> Program:
    """Stop a program: a waiting one at once, a running one at its next checkpoint or step."""
    stopped = _steer(program, Verb.STOP, Program.stop, by, reason)
    if stopped.state is State.STOPPED:
        _after_commit(stopped, signals.program_stopped)
    return stopped


def pause_program(program: Program | str, *, by: str | None = None, reason: str = "") -> Program:
    """Park a program until it is resumed; a job that runs now ends first."""
    return _steer(program, Verb.PAUSE, Program.pause, by, reason)


def resume_program(program: Program | str, *, by: str | None = None, reason: str = "") -> Program:
    """Undo a pause, and nothing else."""
    return _hint(_steer(program, Verb.RESUME, Program.resume, by, reason))


def retry_program(
    program: Program | str,
    from_step: int | None = None,
    *,
    by: str | None = None,
    reason: str = "",
    epoch: int | None = None,
) -> Program:
    """Open an errored or stopped program again, from the step it ended at or from `from_step`.

    Steps from there on run again, with the data as it is stored. Counters are cleared.
    """

    def retry(current: Program) -> bool:
        step = current.step if from_step is None else from_step
        if isinstance(step, bool) or not isinstance(step, int):
            raise InvalidProgram("from_step", f"must be a number, not {type(step).__name__}")
        if not 0 <= step < len(current.jobs):
            last = len(current.jobs) - 1
            raise InvalidProgram("from_step", f"must be 0 to {last}, not {step}")
        return current.reopen(step)

    retried = _hint(_steer(program, Verb.RETRY, retry, by, reason, {"from_step": from_step}, epoch))
    _after_commit(retried, signals.program_retried, from_step=retried.step)
    return retried


def skip_step(
    program: Program | str, *, reason: str, by: str | None = None, epoch: int | None = None
) -> Program:
    """Go on behind the current step as if it had succeeded; a reason is required."""
    if not isinstance(reason, str) or not reason.strip():
        raise InvalidProgram("reason", "is required: say why the step may be skipped")
    detail: dict[str, Any] = {}

    def skip(current: Program) -> bool:
        detail.update(step=current.step, job=current.job)
        return current.skip()

    skipped = _hint(_steer(program, Verb.SKIP, skip, by, reason, detail, epoch))
    if skipped.state is State.FINISHED:
        _after_commit(skipped, signals.program_finished)
    return skipped


def edit_data(
    program: Program | str,
    *,
    program_data: JsonObject | None = None,
    job_data: Mapping[str, JsonObject] | None = None,
    by: str | None = None,
    reason: str = "",
    epoch: int | None = None,
) -> Program:
    """Put other data in the place of what is stored; None leaves that part as it is.

    What differs from what is stored must fit what the jobs say of it; old data need not.
    """
    detail: dict[str, Any] = {}

    def edit(current: Program) -> bool:
        _refuse_internal(current)
        new_program_data = _object("program_data", program_data)
        new_job_data = _object("job_data", job_data)
        for name, own in (new_job_data or {}).items():
            if name not in current.jobs:
                raise InvalidProgram("job_data", f"has data for {name!r}, none of the jobs")
            if not isinstance(own, dict):
                raise InvalidProgram(f"job_data.{name}", "must be a JSON object (a dict)")
        if current.is_nodes:
            refuse_unsafe_numbers("program_data", new_program_data)
            refuse_unsafe_numbers("job_data", new_job_data)
        new_program_data, new_job_data = _fitted(current, new_program_data, new_job_data)
        before = {"program_data": current.program_data, "job_data": current.job_data}
        after = {"program_data": new_program_data, "job_data": new_job_data}
        changed = [part for part, value in after.items() if value is not None]
        detail.update(
            before={part: before[part] for part in changed},
            after={part: after[part] for part in changed},
        )
        return current.replace_data(new_program_data, new_job_data)

    if program_data is None and job_data is None:
        raise InvalidProgram("program_data", "and job_data are both absent: nothing to edit")
    return _steer(program, Verb.EDIT, edit, by, reason, detail, epoch)


def _steer(
    program: Program | str,
    verb: Verb,
    act: Callable[[Program], bool],
    by: str | None,
    reason: str,
    detail: dict[str, Any] | None = None,
    epoch: int | None = None,
) -> Program:
    """Read the program, act on what was read, again if it changed; record who did it and why."""
    using = program.alias if isinstance(program, Program) else settings.DATABASE
    run_id = program.run_id if isinstance(program, Program) else program
    rows = Program.objects.using(using)
    signature = Signature.of(by, reason)
    for _ in range(TRIES):
        current = rows.filter(run_id=run_id).first()
        if current is None:
            raise ProgramNotFound(f"there is no program with the run id {run_id!r}")
        if not is_allowed(verb, current):
            stands = _standing(current)
            raise OperationRefused(f"program {run_id} is {stands}: it cannot be {verb.label}")
        if epoch is not None and epoch != current.epoch:
            stands = _standing(current)
            raise OperationRefused(
                f"program {run_id} has changed since it was looked at: it is {stands} now, at step "
                f"{current.step + 1}; look again before it is {verb.label}"
            )
        after = again_if_victim(partial(_act, current, act, verb, signature, detail), using)
        if after is not None:
            return after
    raise OperationRefused(f"program {run_id} changes too fast: try again")


def _act(
    current: Program,
    act: Callable[[Program], bool],
    verb: Verb,
    signature: Signature,
    detail: dict[str, Any] | None,
) -> Program | None:
    """Act on what was read and record it, both or neither; None where it has changed since."""
    before = current.state
    with transaction.atomic(using=current.alias):
        if not act(current):
            return None
        after = Program.objects.using(current.alias).get(run_id=current.run_id)
        after.operations.create(
            verb=verb,
            by=signature.by,
            reason=signature.reason,
            detail={"from": before.value, "to": after.state.value, **(detail or {})},
        )
        return after


def _standing(program: Program) -> str:
    """Tell its state, who holds it, and who did something to it last: two may act at once."""
    holder = f", held by {program.worker}" if program.worker else ""
    if program.is_nodes:
        holder += f", executed by Node through queue {program.queue}"
    if not isinstance(program.jobs, list):
        holder += ", and its jobs are no list"
    last = program.operations.last()
    deed = told(last, last.get_verb_display()) if last is not None else ""
    return f"{program.state.label}{holder}{deed}"


def _hint(program: Program) -> Program:
    """Let a worker look at a program that may be due now, once that is committed."""
    run_id, queue = program.run_id, program.queue
    if program.state is State.WAITING and queue is not None:
        # No `partial`: one that fails has no name by which Django would log it, and raises.
        transaction.on_commit(lambda: publish(run_id, queue), using=program.alias, robust=True)
    return program


def _after_commit(program: Program, signal: Signal, **sent: Any) -> None:
    def tell() -> None:
        signal.send_robust(sender=Program, program=program, **sent)

    transaction.on_commit(tell, using=program.alias, robust=True)


def _refuse_internal(program: Program) -> None:
    """Refuse data for the engine's own jobs: it says what they may do, in whose name."""
    for name in program.jobs:
        job = registry.find(name) if isinstance(name, str) else None  # rows may be others' work
        if job is not None and job.internal:
            message = f"belongs to a job of the engine's own ({name}): it cannot be edited"
            raise InvalidProgram("program_data", message)


def _fitted(
    current: Program, program_data: JsonObject | None, job_data: JsonObject | None
) -> tuple[JsonObject | None, JsonObject | None]:
    """Return the data as it is to be stored; what stays as it is, is not looked at."""
    is_same = program_data == current.program_data
    stored = current.job_data if isinstance(current.job_data, dict) else {}
    given = job_data or {}
    changed = {name for name in {*given, *stored} if given.get(name) != stored.get(name)}
    definition = registered_definitions().get(current.definition or "")  # no other has a class
    fitted, fitted_job_data = typed.checked_data(
        current.jobs,
        None if is_same else program_data,
        job_data,
        data_class=definition.data_class if definition is not None else None,
        only=changed,
    )
    return program_data if is_same else fitted, fitted_job_data


def _object(field: str, value: Any) -> JsonObject | None:
    if value is None:
        return None
    try:
        return data.stored(value)
    except InvalidData as error:
        raise InvalidProgram(field, str(error)) from error

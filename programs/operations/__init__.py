"""What operators do: console, API and command line share these functions.

Each takes what it is done to, `by` (who) and `reason` (why), writes what was done in the same
transaction, and returns the program, queue or worker as it is afterwards. Each raises
`OperationRefused`, with the state in its message, when that cannot be treated so,
`ProgramNotFound`, and `InvalidProgram` where an argument is wrong. What depends on how a program
stood when somebody looked takes the `epoch` that they saw, and is refused once it is another.
"""

from programs.operations.programs import (
    ALLOWED,
    edit_data,
    is_allowed,
    pause_program,
    resume_program,
    retry_program,
    skip_step,
    stop_program,
)
from programs.operations.queues import pause_queue, resume_queue
from programs.operations.workers import drain_worker

__all__ = [
    "ALLOWED",
    "drain_worker",
    "edit_data",
    "is_allowed",
    "pause_program",
    "pause_queue",
    "resume_program",
    "resume_queue",
    "retry_program",
    "skip_step",
    "stop_program",
]

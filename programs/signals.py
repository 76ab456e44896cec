"""The signals that a program and its jobs send.

All but `job_started` are sent after the commit of what they tell, and all robustly: a listener that
raises is logged and changes nothing.
"""

from django.dispatch import Signal

#: Sender: `Program`. Sends `program`.
program_created = Signal()

#: Sender: `Program`. Sends `program`, at its first claim.
program_started = Signal()

#: Sender: `Program`. Sends `program`.
program_finished = Signal()

#: Sender: `Program`. Sends `program` and `error`, an exception; at a quarantine a `WorkerLost`.
program_errored = Signal()

#: Sender: `Program`. Sends `program`.
program_stopped = Signal()

#: Sender: `Program`. Sends `program` and `from_step`.
program_retried = Signal()

#: Sender: the job's class. Sends `program` and `message`.
job_started = Signal()

#: Sender: the job's class, or None where it is not known. Sends `program`, `message`, `outcome`
#: and `standing`, how the program stands with it; at `Standing.LOST` the outcome was refused.
job_finished = Signal()

#: Sender: `Program`. Sends `program` and `reason`: 'refused', 'expired' or 'died'.
lease_lost = Signal()

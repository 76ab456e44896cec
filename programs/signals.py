"""The signals that a program and its jobs send.

All are sent with `send_robust` after the commit of what they tell: a listener that raises is
logged by Django and changes nothing.
"""

from django.dispatch import Signal

program_created = Signal()  # sender: Program; program
program_started = Signal()  # sender: Program; program (its first claim)
program_finished = Signal()  # sender: Program; program
program_errored = (
    Signal()
)  # sender: Program; program, error (an exception; WorkerLost at a quarantine)
program_stopped = Signal()  # sender: Program; program
program_retried = Signal()  # sender: Program; program, from_step
job_started = Signal()  # sender: the job's class; program, message
job_finished = Signal()  # sender: the job's class; program, message, outcome

"""`manage.py resumeprogram`: undo a pause, and nothing else."""

from programs import operations
from programs.management.steering import SteeringCommand


class Command(SteeringCommand):
    help = f"Let paused programs go on. {SteeringCommand.status}"
    deed = staticmethod(operations.resume_program)

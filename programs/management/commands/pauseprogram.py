"""`manage.py pauseprogram`: park programs until they are resumed."""

from programs import operations
from programs.management.steering import SteeringCommand


class Command(SteeringCommand):
    help = (
        "Park programs until they are resumed; a job that runs now ends first. "
        f"{SteeringCommand.status}"
    )
    deed = staticmethod(operations.pause_program)

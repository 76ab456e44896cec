"""`manage.py stopprogram`: stop programs."""

from programs import operations
from programs.management.steering import SteeringCommand


class Command(SteeringCommand):
    help = (
        "Stop programs: waiting ones at once, running ones at their next checkpoint or step. "
        f"{SteeringCommand.status}"
    )
    deed = staticmethod(operations.stop_program)

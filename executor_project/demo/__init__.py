"""`make run`: the console, a worker and programs to look at, on a developer's own machine."""


class Trouble(Exception):
    """What keeps the demonstration from going on; the message says what to do about it."""

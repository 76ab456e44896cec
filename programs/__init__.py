"""Program Executor: programs run side by side, their jobs in order, their progress stored."""

__version__ = "0.1.0"

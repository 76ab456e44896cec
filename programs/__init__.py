"""Program Executor: programs run concurrently, their jobs in order, their progress in the database."""

__version__ = "0.1.0"

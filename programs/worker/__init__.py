"""The worker: a supervisor process, its child processes, and their slots."""

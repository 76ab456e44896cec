"""Metrics and health: what monitors and platforms ask for."""

"""Webhooks: others are told of programs that have ended, by programs of the engine's own."""

"""What the engine carries, measured on real servers."""

"""Other systems, each with its best sensible configuration; run by the benchmark's environment."""

"""This project's own jobs: a real program on real data, and small jobs to try things out."""

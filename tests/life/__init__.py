"""The life of one program, in random order, against a small model of what it should be."""

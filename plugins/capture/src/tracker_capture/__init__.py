"""Captures without pasting: origins that are read, samples, the status line."""

"""Streams of events taken in as they arrive, exactly once, and read back."""

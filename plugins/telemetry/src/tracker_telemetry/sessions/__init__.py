"""Session logs: every request that a client wrote down, counted once, and what they add up to."""

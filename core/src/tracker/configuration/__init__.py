"""Settings: what can be set, of which kind, and the file that sets it."""

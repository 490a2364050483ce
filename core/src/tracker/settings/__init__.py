"""Settings: typed sections of `tracker.toml`, each declared by the code that reads it."""

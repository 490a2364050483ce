"""tracker plugin: the sources of Codex."""

"""tracker plugin: the sources of Claude."""

"""The core's own sources."""

SOURCES: dict[str, object] = {}

"""The commands, one module each."""

from __future__ import annotations

from tracker.kernel import WritingCommand


class NotedByItself(WritingCommand):
    """A command that notes itself in the command log, where and when it did what belongs there."""

    is_noted = False

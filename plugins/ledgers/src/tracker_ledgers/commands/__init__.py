"""The commands, one module each."""

from __future__ import annotations

from tracker.kernel import WritingCommand


class NotedByItself(WritingCommand):
    """A command that adds itself to the command log, if and when it did something that belongs there."""

    is_noted = False

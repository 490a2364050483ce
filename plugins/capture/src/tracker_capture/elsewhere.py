"""Which captures came by `tracker import`: those of another machine, which continues its work itself."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.kernel import Capture


def are_theirs(captures: Iterable[Capture], came: set[str]) -> bool:
    """Whether all were imported: an AFTER captured here makes it this machine's window, as after a move."""
    return bool(came) and all(one.record.get("command_id") in came for one in captures)

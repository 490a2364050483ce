"""Which captures came by `tracker import`: those of another machine, which goes on with its work itself."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.kernel import Capture


def are_theirs(captures: Iterable[Capture], came: set[str]) -> bool:
    """Whether all came in: an AFTER that was captured here makes a window this machine's, as after a move."""
    return bool(came) and all(one.record.get("command_id") in came for one in captures)

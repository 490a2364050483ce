"""What came by `tracker import`: the records of another machine, which goes on with its work itself."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from tracker.kernel import Session


def made_elsewhere(session: Session) -> set[str]:
    """The commands whose records another machine made: by it, two machines that have each other's are still two."""
    marks = (entry.record.get("imported") for entry in session.index.entries("imports"))
    return {one for known in marks if isinstance(known, list) for one in known if isinstance(one, str)}


def is_theirs(record: Mapping[str, Any], came: Container[object]) -> bool:
    """Whether a record is of one of these commands."""
    return record.get("command_id") in came

"""What came by `tracker import`: the records of another machine, which continues its work itself."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any


def is_theirs(record: Mapping[str, Any], came: Container[object]) -> bool:
    """Whether one of these commands wrote a record."""
    return record.get("command_id") in came

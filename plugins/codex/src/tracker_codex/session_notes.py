"""What is not known in a file: newer clients write what nobody has seen yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracker_codex.session_rows import Usage

MOST_NAMES, LONGEST = 20, 40  # of what is unknown in a file


def note_usage(usage: dict[str, Any], scratch: dict[str, Any]) -> None:
    """Note tokens of an unknown kind, which a `Usage` cannot have."""
    for name in sorted(usage.keys() - Usage.__struct_fields__):
        if name.endswith("_tokens") and usage[name] and len(name) <= LONGEST and name.isidentifier():
            _count(f"rows with {name}", scratch)


def note_row(row: Mapping[str, Any], kind: object, scratch: dict[str, Any]) -> None:
    """Note a row of an unknown type that shows tokens."""
    if _has_tokens(row):
        is_named = isinstance(kind, str) and len(kind) <= LONGEST and kind.replace("-", "_").isidentifier()
        _count(f"rows of type {kind if is_named else '(odd)'}", scratch)


def _has_tokens(value: object, depth: int = 5) -> bool:
    """Whether it is or holds a usage."""
    if not isinstance(value, dict) or depth == 0:
        return False
    if any(isinstance(value.get(name), int) and value[name] > 0 for name in ("input_tokens", "output_tokens")):
        return True
    return any(_has_tokens(one, depth - 1) for one in value.values())


def _count(name: str, scratch: dict[str, Any]) -> None:
    if scratch.get("is_fork"):  # a copy of its parent's
        return
    counts = scratch.setdefault("unknown", {})
    if name in counts or len(counts) < MOST_NAMES:
        counts[name] = counts.get(name, 0) + 1
